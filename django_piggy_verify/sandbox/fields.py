"""Read the fields of a request as the API does."""

import secrets
from typing import Final

from django_piggy_verify.sandbox.errors import INVALID_INPUT, ApiError

TEXT_LIMIT: Final = 254
"""The longest email address (RFC 5321, 4.5.3.1.3, without the brackets)."""


def text_of(value: object) -> str:
    """Return a required text without surrounding spaces, or raise ApiError 1003."""
    text = value.strip() if isinstance(value, str) else ""
    # NUL, line breaks and lone surrogates are not printable.
    if not text or len(text) > TEXT_LIMIT or not text.isprintable():
        raise ApiError(INVALID_INPUT)
    return text


def key_of(email: str) -> str:
    """Return one key for all spellings that the API treats as the same address."""
    return email.strip().lower()


def same(given: object, expected: str) -> bool:
    """Compare in constant time. Lone surrogates and other types are not equal."""
    text = given if isinstance(given, str) else ""
    return secrets.compare_digest(
        text.encode(errors="surrogatepass"), expected.encode()
    )
