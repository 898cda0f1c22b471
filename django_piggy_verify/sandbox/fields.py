"""Read the fields of a request as the API does."""

import json
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

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


def fields_of(headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    """
    Return the fields of a body: a form if the content type says so, otherwise JSON.

    The SDK of Piggy posts forms. A body that cannot be read has no fields, so the API
    answers that they are missing. The names of `headers` are in lower case.
    """
    content_type = headers.get("content-type", "").lower()
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode(errors="replace")))
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def bearer_of(headers: Mapping[str, str]) -> str:
    """Return the bearer token, or a blank text. The names are in lower case."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
