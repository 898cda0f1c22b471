"""
Run a function after the response to a request has been sent.

The function runs in a small pool of threads of the process. So the next request on the
same connection does not wait for it. Where there are no threads, it runs in the
request's own thread, in ``request.close``.
"""

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import cache, partial
from queue import SimpleQueue
from threading import Event, Lock, Thread, local
from typing import Any, Final, TypeAlias

from django.core.handlers.asgi import ASGIRequest
from django.core.signals import request_finished
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import translation

from django_piggy_verify import events
from django_piggy_verify.conf import conf

THREADS: Final = 8
"""The maximum number of jobs of a process that run at the same time."""

WAITING: Final = 64
"""The maximum number of further jobs of a process that wait for a thread."""

PATIENCE: Final = 2
"""
Seconds after which a job runs although Django has not closed the request.

A response may take long, and a server may forget to close it.
"""

Job: TypeAlias = Callable[[], object]


def run(request: HttpRequest, job: Job, *, lasting: float = 0) -> bool:
    """
    Run `job` once the response to `request` has been sent, whatever response it is.

    The job runs exactly once. It has the language and the context variables that the
    caller has now. An error of the job is logged. Return False if too many jobs wait
    already. The job does not run then.

    In the request's own thread, the job takes at least `lasting` seconds. The end of
    the connection shows its duration there.
    """
    context, language = copy_context(), translation.get_language()
    if not _has_threads(request):
        opened = connections.all(initialized_only=True)
        job = partial(context.run, _run_logged, job, language)
        _at_close(request, partial(_run_here, job, lasting, opened))
        return True
    is_sent = Event()
    job = partial(_run_when, is_sent, job)
    if not _current_pool().put(partial(context.run, _run_logged, job, language)):
        events.BACKLOG_FULL.log(maximum=THREADS + WAITING)
        return False
    _at_close(request, is_sent.set)
    return True


def _at_close(request: HttpRequest, act: Callable[[], object]) -> None:
    """
    Call `act` when Django closes `request`, after the server has sent the response.

    Django adds ``request.close`` to the response that leaves the last middleware.
    """
    close, acts = request.close, [act]

    def close_and_act() -> None:
        try:
            close()
        finally:
            while acts:
                acts.pop()()

    request.close = close_and_act  # type: ignore[method-assign]
    if isinstance(request, ASGIRequest):
        _unclosed.acts = [*filter(None, _unclosed.acts), acts]


class _Unclosed(local):
    """What is left to do for requests of this thread that Django has not closed."""

    def __init__(self) -> None:
        self.acts: list[list[Callable[[], object]]] = []


_unclosed = _Unclosed()


@receiver(request_finished, dispatch_uid=__name__)
def _act_for_disconnected(**_kwargs: object) -> None:
    """
    Act as at the close of a request, if the visitor has disconnected under ASGI.

    Django does not close such a request. It only sends this signal, in the thread that
    has run the view.
    """
    if not any(_unclosed.acts):
        return
    for acts in _unclosed.acts:
        while acts:
            acts.pop()()
    close_old_connections()


def _run_when(is_sent: Event, job: Job) -> None:
    is_sent.wait(PATIENCE)
    # As Django does before and after a request: see `close_old_connections`.
    close_old_connections()
    try:
        job()
    finally:
        close_old_connections()


def _run_here(job: Job, lasting: float, opened: Sequence[BaseDatabaseWrapper]) -> None:
    started = time.monotonic()
    with ExitStack() as stack:
        for each in opened:
            stack.enter_context(_used_here(each))
        job()
    time.sleep(max(0.0, lasting - (time.monotonic() - started)))


@contextmanager
def _used_here(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """
    Use the database connection of the view in this thread too.

    The AsyncClient of Django closes requests in another thread. The job would not see
    the transaction of a test there.
    """
    here = connections[connection.alias]
    connection.inc_thread_sharing()
    connections[connection.alias] = connection
    try:
        yield
    finally:
        connections[connection.alias] = here
        connection.dec_thread_sharing()


def _run_logged(job: Job, language: str | None) -> None:
    try:
        # A thread does not see the language of another one, not even in its context.
        with translation.override(language):
            job()
    except Exception:  # noqa: BLE001  the visitor has got the response already
        events.JOB_FAILED.log(exc_info=True)


def _has_threads(request: HttpRequest) -> bool:
    """
    Return whether the jobs of `request` may run in threads.

    The tests of a project see the work of a job when the request of Django's test
    client returns. Only the test clients set this attribute of the request.
    """
    is_test = hasattr(request, "_dont_enforce_csrf_checks")
    return (
        conf.background
        and not is_test
        and _server_has_threads()
        and not any(map(_is_in_memory, connections.all(initialized_only=True)))
    )


def _is_in_memory(connection: object) -> bool:
    """Return whether a database is in memory: threads do not wait for its locks."""
    return getattr(connection, "is_in_memory_db", bool)()


@cache
def _server_has_threads() -> bool:
    """
    Return False under uWSGI without threads, where no other thread ever runs.

    Source: the options enable-threads and threads in the documentation of uWSGI.
    """
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None or {"enable-threads", "threads"} & set(uwsgi.opt):
        return True
    events.THREADS_MISSING.log()
    return False


class _Pool:
    """Daemon threads that run jobs. They start when the first jobs come."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._unfinished = 0
        self._is_over = False
        self._unfinished_jobs = _TaskOfUvicorn()

    def put(self, job: Job) -> bool:
        """Run `job` in a thread. Return False if there is no room for it."""
        with self._lock:
            if self._is_over or self._unfinished == THREADS + WAITING:
                return False
            if len(self._threads) < THREADS:
                self._start_thread()
            if not self._threads:
                return False
            self._unfinished += 1
            _tasks_of_uvicorn().add(self._unfinished_jobs)
            self._jobs.put(job)
        return True

    def finish(self) -> None:
        """Run all jobs that wait, and end the threads. Accept no more jobs."""
        with self._lock:
            self._is_over = True
        for _thread in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _start_thread(self) -> None:
        """Start another thread, unless the system refuses that."""
        thread = Thread(target=self._work, name=__name__, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            events.JOB_FAILED.log(exc_info=True)
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        # A thread that waits for a job keeps nothing of the last one.
        while self._run(self._jobs.get()):
            pass

    def _run(self, job: Job | None) -> bool:
        """Run a job. Return False if it was the last one."""
        if job is None:
            return False
        try:
            job()
        except BaseException:  # noqa: BLE001  nobody replaces a thread that ends
            events.JOB_FAILED.log(exc_info=True)
        finally:
            with self._lock:
                self._unfinished -= 1
                if not self._unfinished:
                    _tasks_of_uvicorn().discard(self._unfinished_jobs)
        return True


class _TaskOfUvicorn:
    """What uvicorn needs of a task."""

    def cancel(self, msg: object = None) -> None:
        """Do nothing: uvicorn does not wait any longer."""


def _tasks_of_uvicorn() -> set[Any]:
    """
    Return the tasks that uvicorn waits for after SIGTERM, or an empty set.

    Afterwards uvicorn kills the process by the same signal. So no job can finish when
    the process ends. To wait for a job in ``request.close`` would be simpler. But then
    the next request on the connection may wait as well, because after a long body both
    share a thread.

    Source: `Server.shutdown` and `Server.capture_signals` of uvicorn 0.29 and later.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    state = getattr(server, "server_state", None)
    return getattr(state, "tasks", set())


_lock = Lock()
_pool: _Pool | None = None


def _current_pool() -> _Pool:
    """Return the pool of this process."""
    global _pool  # noqa: PLW0603  one pool for each process
    with _lock:
        if _pool is None:
            _pool = _Pool()
        return _pool


def _forget_pool() -> None:
    """Forget the pool in a child process, which has none of the threads."""
    global _lock, _pool
    _lock, _pool = Lock(), None


def _finish_pool() -> None:
    if _pool is not None:
        _pool.finish()


os.register_at_fork(after_in_child=_forget_pool)
# When the process ends, Python stops daemon threads only after this.
atexit.register(_finish_pool)
