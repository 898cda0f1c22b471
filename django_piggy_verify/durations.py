"""Judge durations, and write them in words in the active language, or as a clock."""

from collections.abc import Callable
from math import ceil
from typing import Final, TypeGuard, cast

from django.utils.translation import ngettext

LONGEST: Final = 10**9
"""Seconds. A longer duration is a mistake. It may not even fit into a date."""

_MINUTE: Final = 60
_HOUR: Final = 3600


def is_believable(seconds: object) -> TypeGuard[int]:
    """Return whether this is a whole number of seconds that something can last."""
    # The numbers of an answer are of a subclass of int, and a bool is an int too.
    is_number = isinstance(seconds, int) and not isinstance(seconds, bool)
    return is_number and 0 < cast("int", seconds) < LONGEST


def in_words(seconds: int) -> str:
    """Return a time to wait in words, rounded up: ``45 seconds``, ``3 minutes``."""
    return _say(seconds, ceil)


def about(seconds: int) -> str:
    """Return a time that is left in words, rounded: ``10 minutes``."""
    return _say(seconds, round)


def clock(seconds: int) -> str:
    """Return a time to wait as a clock shows it: ``0:42``, ``5:00``, ``1:00:00``."""
    minutes, second = divmod(seconds, _MINUTE)
    if seconds < _HOUR:
        return f"{minutes}:{second:02}"
    return f"{minutes // _MINUTE}:{minutes % _MINUTE:02}:{second:02}"


def _say(seconds: int, rounded: Callable[[float], int]) -> str:
    if seconds < 2 * _MINUTE:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    if seconds < 2 * _HOUR:
        minutes = rounded(seconds / _MINUTE)
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    hours = rounded(seconds / _HOUR)
    return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
