"""How the API reads a field, whatever a request put there."""

import secrets
from typing import Final

from django_piggy_verify.sandbox.errors import INVALID_INPUT, ApiError

TEXT_LIMIT: Final = 254
"""The longest e-mail address there is (RFC 5321, 4.5.3.1.3, less the brackets)."""


def text_of(value: object) -> str:
    """Take a required text field, stripped, or raise ApiError 1003."""
    text = value.strip() if isinstance(value, str) else ""
    # Not printable: NUL, line breaks, lone surrogates.
    if not text or len(text) > TEXT_LIMIT or not text.isprintable():
        raise ApiError(INVALID_INPUT)
    return text


def key_of(email: str) -> str:
    """Fold the spellings of an address that the API takes for one."""
    return email.strip().lower()


def same(given: object, expected: str) -> bool:
    """Compare in constant time; lone surrogates and other types are just wrong."""
    text = given if isinstance(given, str) else ""
    return secrets.compare_digest(
        text.encode(errors="surrogatepass"), expected.encode()
    )
