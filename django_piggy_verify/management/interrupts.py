"""How a command that takes long is asked to stop: Ctrl-C, or SIGTERM."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any, Final

from django.core.management.base import CommandError

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_USUAL: Final = (signal.SIG_DFL, signal.default_int_handler)


class Stopped(CommandError):
    """The command has stopped as it was asked to; what it did stays done."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        # Django writes "Stopped: " before it; the code is the one that shells know.
        super().__init__(f"by {name}", returncode=128 + number)


@contextmanager
def heeded() -> Iterator[list[int]]:
    """
    Hand out a list that the first signal is put into, while the block runs.

    The statement under way is so left to its end: an exception in the middle
    would undo it. A second signal acts as it always does. One that is ignored or
    handled stays so: a job in the background has nothing to do with Ctrl-C, and a
    worker that runs the command has an end of its own. Python hears signals in the
    main thread only; in any other, this does nothing.
    """
    heard: list[int] = []
    if current_thread() is not main_thread():
        yield heard
        return
    usual = {each: signal.getsignal(each) for each in _SIGNALS}
    usual = {each: usual[each] for each in usual if usual[each] in _USUAL}

    def hear(number: int, _frame: Any) -> None:
        heard.append(number)
        _restore(usual)

    for each in usual:
        signal.signal(each, hear)
    try:
        yield heard
    finally:
        _restore(usual)


def _restore(usual: dict[signal.Signals, Any]) -> None:
    for each, handler in usual.items():
        signal.signal(each, handler)
