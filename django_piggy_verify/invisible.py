"""
Recognise invisible characters, and remove them around a text.

Texts that are pasted from phones, messengers and address books contain such characters.
"""

import unicodedata
from typing import Final

# Source: Default_Ignorable_Code_Point in DerivedCoreProperties.txt of Unicode, without
# the characters of category Cf. The Braille blank is added: it looks like a space.
_BLANK: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)


def is_invisible(character: str) -> bool:
    """Return whether a character has no width and no ink, or is a blank letter."""
    return unicodedata.category(character) == "Cf" or character in _BLANK


def trim(text: str) -> str:
    """
    Return `text` without white space and invisible characters around it.

    The time grows with the square of the number of such characters, so limit the
    length of `text` first.
    """
    while text and _is_nothing(text[0]):
        text = text[1:]
    while text and _is_nothing(text[-1]):
        text = text[:-1]
    return text


def _is_nothing(character: str) -> bool:
    return character.isspace() or is_invisible(character)
