"""
Run jobs in a small pool of threads of this process.

A process that ends runs all its jobs first. A process that is killed loses them.
"""

import atexit
import os
import signal
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, TypeAlias

from django_piggy_verify import events

THREADS: Final = 8
"""The maximum number of jobs that run at the same time."""

WAITING: Final = 64
"""The maximum number of further jobs that wait for a thread."""

Job: TypeAlias = Callable[[], object]


def put(job: Job) -> bool:
    """Run `job` in a thread. Return False if there is no room for it."""
    return _pool.put(job)


class _Pool:
    """
    Daemon threads that run jobs. A new thread starts when no other thread is free.

    So a quiet process has one thread, with one connection to the database.

    A `ThreadPoolExecutor` would let any number of jobs wait. It would also run a job
    that it has refused because it could not start a thread.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._unfinished = 0
        self._is_over = False
        self._task = _UvicornTask()

    def put(self, job: Job) -> bool:
        with self._lock:
            if self._is_over or self._unfinished == THREADS + WAITING:
                return False
            if self._unfinished == len(self._threads) < THREADS:
                self._start_thread()
            if not self._threads:
                return False
            self._unfinished += 1
            _uvicorn_tasks().add(self._task)
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
                    _uvicorn_tasks().discard(self._task)
        return True


class _UvicornTask:
    """Stands for all unfinished jobs among the tasks that uvicorn waits for."""

    def cancel(self, msg: object = None) -> None:
        """Do nothing. uvicorn calls this when it does not wait any longer."""


def _uvicorn_tasks() -> set[Any]:
    """
    Return the tasks that uvicorn waits for after SIGTERM, or an empty set.

    After these tasks, uvicorn kills its process by the same signal. So `finish` is not
    called. A simpler way is to wait for the job in ``request.close``. But then the next
    request on the same connection waits too, if this request had a long body: both use
    the same thread.

    Source: `Server.shutdown` and `Server.capture_signals` of uvicorn 0.29 and later.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    state = getattr(server, "server_state", None)
    return getattr(state, "tasks", set())


_pool = _Pool()


def _replace_pool() -> None:
    """Replace the pool in a child process, which has none of its threads."""
    global _pool  # noqa: PLW0603  each process has one pool
    _pool = _Pool()


def _finish_pool() -> None:
    _pool.finish()


os.register_at_fork(after_in_child=_replace_pool)
# When the process ends, Python stops daemon threads only after this.
atexit.register(_finish_pool)
