"""
Single flight within one process: concurrent calls with one key become one call.

No result is kept. A call is forgotten when it ends.
"""

import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

_R = TypeVar("_R")


class SingleFlight(Generic[_R]):
    """The calls that are under way, by key. Threads of one process share it."""

    def __init__(self) -> None:
        self._forget_all()
        # A child process has none of the threads that would end these calls.
        os.register_at_fork(after_in_child=self._forget_all)

    def join(
        self, key: Hashable, call: Callable[[], _R], *, timeout: float
    ) -> tuple[_R, bool]:
        """
        Return the result of `call`, and whether this thread has run it.

        If a call for `key` is under way, wait for its result instead of calling.
        Raises what `call` raises. Raises TimeoutError after `timeout` seconds of
        waiting.
        """
        with self._lock:
            running = self._running.get(key)
            if running is None:
                own = self._running[key] = Future[_R]()
        if running is not None:
            return running.result(timeout), False
        return self._run(key, own, call), True

    def _run(self, key: Hashable, own: "Future[_R]", call: Callable[[], _R]) -> _R:
        try:
            result = call()
        except BaseException as error:
            self._forget(key)
            # A signal that stops this thread is not meant for the waiting ones.
            is_shared = isinstance(error, Exception)
            own.set_exception(error if is_shared else TimeoutError())
            raise
        self._forget(key)
        own.set_result(result)
        return result

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            self._running.pop(key, None)

    def _forget_all(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[_R]] = {}
