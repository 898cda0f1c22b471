"""
A code as people type it, brought to what was mailed. No form and no network.

The vendor does not document its format, so any printable ASCII may be one.
"""

import unicodedata
from typing import Final

from django_piggy_verify.secret import Secret

MAX_LENGTH: Final = 64
"""Characters of a code."""

MAX_TYPED: Final = 4 * MAX_LENGTH
"""Characters of a code as it is typed, with the spaces and dashes in it."""


def normalise(typed: str) -> Secret:
    """
    Answer the code in `typed`, hidden from tracebacks.

    Spaces, dashes and invisible characters go; digits and letters of other
    scripts or widths become plain ones (Unicode NFKC). Case stays.

    Raises ValueError for what can be no code: blank, too long, not printable.
    """
    typed = Secret(typed.strip())
    # Before anything else: folding a text of megabytes would take seconds.
    code = _fold(typed) if len(typed) <= MAX_TYPED else Secret()
    if not code or not code.isascii() or not code.isprintable():
        raise ValueError("that can be no code")
    if len(code) > MAX_LENGTH:
        raise ValueError("that is too long for a code")
    return code


def _fold(typed: Secret) -> Secret:
    folded = Secret(unicodedata.normalize("NFKC", typed).strip())
    return Secret("".join(_plain(each) for each in folded if not _is_filler(each)))


def _is_filler(character: str) -> bool:
    """Whether it is a space, a dash or invisible: categories Zs, Pd and Cf."""
    return unicodedata.category(character) in {"Zs", "Pd", "Cf"}


def _plain(character: str) -> str:
    return str(unicodedata.decimal(character, character))
