"""
Clean a code that a person types or pastes.

The vendor does not document the format of its codes. So any text of printable ASCII
characters without spaces may be a code.
"""

import re
import unicodedata
from typing import Final

from django_piggy_verify.invisible import is_invisible
from django_piggy_verify.secret import Secret

MAX_LENGTH: Final = 64
"""The maximum number of characters of a code."""

MAX_TYPED: Final = 4 * MAX_LENGTH
"""The maximum number of characters of a typed text, with spaces and words."""

_PARTNERS: Final = dict(zip("\"'`()[]{}<>", "\"'`)(][}{><", strict=True))
_QUOTES_AND_BRACKETS: Final = {"Ps", "Pe", "Pi", "Pf"}

_NUMBER: Final = re.compile(r"[0-9](?:(?: *|-*)[0-9])*")
_LENGTHS: Final = range(4, 11)
# Next to the number in a sentence, there is no letter and no sign of the number.
_CURLY: Final = r"\u00ab\u00bb\u2018-\u201f\u2039\u203a"
_BEFORE: Final = re.compile(rf"(?:.*\s)?[\"'`(\[{{<#{_CURLY}]*", re.DOTALL)
_AFTER: Final = re.compile(rf"[\"'`)\]}}>.,:;!?{_CURLY}]*(?:\s.*)?", re.DOTALL)
# A sign of a sentence: a letter outside ASCII, a label such as "PIN:", or "code".
_SURELY_WORDS: Final = re.compile(
    r"(?![\x00-\x7f])\w|[a-z]{2}:(?!\S)|code", re.IGNORECASE
)
_LOWER_CASE: Final = re.compile(r"[a-z]{2}")


def normalise(typed: str) -> Secret:
    """
    Return the code in `typed`, hidden from tracebacks.

    The text is normalised to Unicode NFKC. Digits and dashes of all scripts become
    plain ones. Spaces and invisible characters are removed. Quotes, brackets, `#` and
    full stops are removed around the code. Dashes are removed only if all other
    characters are digits. The case of letters stays. If the text is a sentence with
    exactly one number of 4 to 10 digits, this number is the code.

    Raises ValueError if the text is blank, too long or not printable.
    """
    typed = Secret(typed.strip())
    # Checked first, because the rest would take seconds for a text of megabytes.
    text = _fold(typed) if len(typed) <= MAX_TYPED else Secret()
    code = _number_among_words(text) or _bare(text)
    if not code or not code.isascii() or not code.isprintable():
        raise ValueError("that can be no code")
    if len(code) > MAX_LENGTH:
        raise ValueError("that is too long for a code")
    return code


def _fold(typed: Secret) -> Secret:
    folded = Secret(unicodedata.normalize("NFKC", typed))
    return Secret("".join(map(_plain, folded)).strip())


def _plain(character: str) -> str:
    """Return the ASCII digit, dash or space for a character, if there is one."""
    if is_invisible(character):
        return ""
    category = unicodedata.category(character)
    if category == "Zs" or character == "\t":
        return " "
    if category == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    return str(unicodedata.decimal(character, character))


def _bare(text: Secret) -> Secret:
    code = _unwrapped(Secret(text.replace(" ", "")))
    without_dashes = Secret(code.replace("-", ""))
    has_only_digits = not without_dashes or without_dashes.isdecimal()
    return without_dashes if has_only_digits else code


def _unwrapped(code: Secret) -> Secret:
    while code:
        if len(code) > 1 and _PARTNERS.get(code[0]) == code[-1]:
            code = Secret(code[1:-1])
        elif _is_wrapping(code[-1], Secret(code[:-1])):
            code = Secret(code[:-1])
        elif _is_wrapping(code[0], Secret(code[1:])):
            code = Secret(code[1:])
        else:
            break
    return code


def _is_wrapping(character: str, rest: Secret) -> bool:
    """Return whether this first or last character does not belong to the code."""
    if partner := _PARTNERS.get(character):
        # The bracket at the end of ``a(b)`` belongs to the code.
        return partner not in rest
    category = unicodedata.category(character)
    return character in "#.。" or category in _QUOTES_AND_BRACKETS


def _number_among_words(text: Secret) -> Secret:
    """
    Return the digits of the only number in a sentence, or a blank text.

    A text without white space is not a sentence. So a code that is typed as it was
    mailed stays as it is.
    """
    around = tuple(map(Secret, _NUMBER.split(text)))
    if len(around) != 2 or not _are_words(*around):  # noqa: PLR2004
        return Secret()
    number = Secret(re.sub(r"[^0-9]", "", text))
    return number if len(number) in _LENGTHS else Secret()


def _are_words(before: Secret, after: Secret) -> bool:
    """Return whether the texts around a number are words, not groups of a code."""
    if not (_BEFORE.fullmatch(before) and _AFTER.fullmatch(after)):
        return False
    words = tuple(map(Secret, f"{before} {after}".split()))
    if not all(map(str.isprintable, words)):
        return False
    # ``ABCD 1234`` is a code in two groups, not a word and a number.
    in_lower_case = list(filter(_LOWER_CASE.search, words))
    return len(in_lower_case) > 1 or any(map(_SURELY_WORDS.search, words))
