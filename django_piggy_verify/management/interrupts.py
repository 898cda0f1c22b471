"""Stop a long command with Ctrl-C or SIGTERM."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any, Final

from django.core.management.base import CommandError

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_USUAL: Final = (signal.SIG_DFL, signal.default_int_handler)


class Stopped(CommandError):
    """The command stopped because of a signal. It does not undo its work."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        # Django writes "Stopped: " before this text. Shells use the same exit status.
        super().__init__(f"by {name}", returncode=128 + number)


@contextmanager
def first_signal() -> Iterator[list[int]]:
    """
    Yield a list. During the block, the first signal appends its number to the list.

    The command reads the list between two statements, so that no statement is undone. A
    second signal stops the command at once. A signal that is already ignored or has a
    handler is not changed. So Ctrl-C does not stop a job in the background, and a
    worker that runs the command stops in its own way. Python receives signals in the
    main thread only. In any other thread, the list stays empty.
    """
    received: list[int] = []
    if current_thread() is not main_thread():
        yield received
        return
    usual = {each: signal.getsignal(each) for each in _SIGNALS}
    usual = {each: usual[each] for each in usual if usual[each] in _USUAL}

    def receive(number: int, _frame: Any) -> None:
        received.append(number)
        _restore(usual)

    for each in usual:
        signal.signal(each, receive)
    try:
        yield received
    finally:
        _restore(usual)


def _restore(usual: dict[signal.Signals, Any]) -> None:
    for each, handler in usual.items():
        signal.signal(each, handler)
