"""
Single flight within one process: who asks for what is on its way waits for it.

Nothing is kept: a flight is forgotten when it lands. No database and no network.
"""

import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

_R = TypeVar("_R")


class SingleFlight(Generic[_R]):
    """The calls that are under way, by key."""

    def __init__(self) -> None:
        self._forget_all()
        # A child has none of the threads that would land them.
        os.register_at_fork(after_in_child=self._forget_all)

    def join(
        self, key: Hashable, call: Callable[[], _R], *, timeout: float
    ) -> tuple[_R, bool]:
        """
        Answer what `call` answers, or raise what it raises, and whether it ran.

        If one is under way for `key`, its outcome is awaited instead.
        Raises TimeoutError if that takes longer than `timeout` seconds.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                own = self._flights[key] = Future[_R]()
        if flight is not None:
            return flight.result(timeout), False
        return self._fly(key, own, call), True

    def _fly(self, key: Hashable, own: "Future[_R]", call: Callable[[], _R]) -> _R:
        try:
            result = call()
        except BaseException as error:
            self._forget(key)
            # Whoever stops this thread does not mean the others.
            is_shared = isinstance(error, Exception)
            own.set_exception(error if is_shared else TimeoutError())
            raise
        self._forget(key)
        own.set_result(result)
        return result

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            self._flights.pop(key, None)

    def _forget_all(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Future[_R]] = {}
