"""
Run a function after the response to a request has been sent.

Django calls ``request.close`` then, whichever middleware has made the response. So this
module wraps that method. The function runs in a thread of the process, so that the next
request on the same connection does not wait for it. Where there are no threads, the
function runs in ``request.close`` itself.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import cache, partial
from threading import Event, local
from typing import Final, TypeAlias

from django.core.handlers.asgi import ASGIRequest
from django.core.signals import request_finished
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import receiver
from django.http import HttpRequest, QueryDict
from django.utils import translation

from django_piggy_verify import events
from django_piggy_verify.conf import conf
from django_piggy_verify.login import thread_pool
from django_piggy_verify.login.thread_pool import Job

PATIENCE: Final = 2
"""
Seconds after which a thread runs a job although Django has not closed the request.

The response may take long to send, or the server may never close it.
"""


def run(request: HttpRequest, job: Job, *, lasting: float = 0) -> bool:
    """
    Run `job` once the response to `request` has been sent, whatever response it is.

    The job runs exactly once. It has the language and the context variables that the
    caller has now. An error of the job is logged.

    Return False if too many jobs wait already. The job does not run then.

    In ``request.close``, the job takes at least `lasting` seconds, because the end of
    the connection shows its duration. In a thread, nothing shows its duration.
    """
    if not _may_use_threads(request):
        opened = connections.all(initialized_only=True)
        job = partial(_run_at_close, _in_this_context(job), lasting, opened)
        _call_at_close(request, job)
        return True
    is_sent = Event()
    job = partial(_run_in_thread, is_sent, job)
    if not thread_pool.put(_in_this_context(job)):
        events.BACKLOG_FULL.log(maximum=thread_pool.THREADS + thread_pool.WAITING)
        return False
    _call_at_close(request, partial(_begin, request, is_sent))
    return True


def _begin(request: HttpRequest, is_sent: Event) -> None:
    """
    Let the job of `request` begin, without the body of the request.

    A job that waits for a thread would keep the body in memory. It may be long.
    """
    request.POST = QueryDict()
    request._body = b""
    is_sent.set()


def _in_this_context(job: Job) -> Job:
    """
    Return `job` with the language and the context variables of the caller.

    The job that is returned logs its errors.
    """
    return partial(copy_context().run, _run_logged, job, translation.get_language())


def _run_logged(job: Job, language: str | None) -> None:
    try:
        # A thread does not see the language of another one, not even in its context.
        with translation.override(language):
            job()
    except Exception:  # noqa: BLE001  the visitor has got the response already
        events.JOB_FAILED.log(exc_info=True)


def _run_in_thread(is_sent: Event, job: Job) -> None:
    """Run `job` in a thread. Close old connections as before and after a request."""
    is_sent.wait(PATIENCE)
    close_old_connections()
    try:
        job()
    finally:
        close_old_connections()


def _run_at_close(
    job: Job, lasting: float, opened: Sequence[BaseDatabaseWrapper]
) -> None:
    """Run `job` in ``request.close``, with the database connections of the view."""
    started = time.monotonic()
    with ExitStack() as stack:
        for connection in opened:
            stack.enter_context(_used_in_this_thread(connection))
        job()
    time.sleep(max(0.0, lasting - (time.monotonic() - started)))


@contextmanager
def _used_in_this_thread(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """
    Use this database connection of the view in this thread too.

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


_Calls: TypeAlias = list[Callable[[], object]]
"""The functions to call when a request is closed. Afterwards, the list is empty."""


class _Unclosed(local):
    """The ASGI requests of this thread that Django may not close."""

    def __init__(self) -> None:
        self.requests: list[_Calls] = []


_unclosed = _Unclosed()


def _call_at_close(request: HttpRequest, function: Callable[[], object]) -> None:
    """
    Call `function` once, when Django closes `request`.

    Django adds ``request.close`` to the response that leaves the last middleware. The
    server closes that response after it has sent it.
    """
    close, calls = request.close, [function]

    def close_and_call() -> None:
        try:
            close()
        finally:
            _make(calls)

    request.close = close_and_call  # type: ignore[method-assign]
    if isinstance(request, ASGIRequest):
        _unclosed.requests = [*filter(None, _unclosed.requests), calls]


@receiver(request_finished, dispatch_uid=__name__)
def _call_after_disconnect(**_kwargs: object) -> None:
    """
    Make the calls of a request whose visitor has disconnected under ASGI.

    Django does not close such a request. It only sends this signal, in the thread that
    has run the view.
    """
    if any(_unclosed.requests):
        for calls in _unclosed.requests:
            _make(calls)
        # Django has done this before this receiver, so before the job.
        close_old_connections()


def _make(calls: _Calls) -> None:
    while calls:
        calls.pop()()


def _may_use_threads(request: HttpRequest) -> bool:
    """
    Return whether the job of `request` may run in a thread.

    In the tests of a project, no job does. So a test sees the work of the job when the
    request of Django's test client returns. Only the test clients set this attribute of
    the request.
    """
    is_test = hasattr(request, "_dont_enforce_csrf_checks")
    return (
        conf.background
        and not is_test
        and _server_has_threads()
        and not any(map(_is_in_memory, connections.all(initialized_only=True)))
    )


def _is_in_memory(connection: object) -> bool:
    """
    Return whether a database is in memory.

    There, a thread gets an error instead of waiting for the lock of another thread.

    Source: SQLITE_LOCKED_SHAREDCACHE in "Result and Error Codes" of SQLite.
    """
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
