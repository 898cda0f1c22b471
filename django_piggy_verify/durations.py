"""Write durations in words, in the active language."""

from collections.abc import Callable
from math import ceil
from typing import Final

from django.utils.translation import ngettext

_MINUTE: Final = 60
_HOUR: Final = 3600


def in_words(seconds: int) -> str:
    """Return a time to wait in words, rounded up: ``45 seconds``, ``3 minutes``."""
    return _say(seconds, ceil)


def about(seconds: int) -> str:
    """Return a time that is left in words, rounded: ``10 minutes``."""
    return _say(seconds, round)


def _say(seconds: int, rounded: Callable[[float], int]) -> str:
    if seconds < 2 * _MINUTE:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    if seconds < 2 * _HOUR:
        minutes = rounded(seconds / _MINUTE)
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    hours = rounded(seconds / _HOUR)
    return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
