"""
The browsers that a member has logged in with before, by a cookie of their own.

Whoever guesses at a member's codes uses up the tries of all strangers' browsers,
but not those of the member's own: the "device cookie" of OWASP's page on slowing
down online guessing. It lets nobody in, it only counts apart.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import get_random_string, salted_hmac

from django_piggy_verify import recipients
from django_piggy_verify.login import cookies

MAX_AGE: Final = 180 * 24 * 3600
"""Seconds that a browser stays known after its last login."""

_SALT: Final = "django_piggy_verify.devices"


def known(request: HttpRequest | None, recipient: str) -> str | None:
    """
    Answer the id of this browser if `recipient` has logged in with it before.

    A forged cookie, one of another recipient or one that is too old is none.
    """
    if request is None:
        return None
    for name in _names(recipient):
        signed = request.COOKIES.get(name, "")
        with suppress(signing.BadSignature):
            device: str = signing.loads(signed, salt=_salt(recipient), max_age=MAX_AGE)
            return device
    return None


def remember(request: HttpRequest, response: HttpResponseBase, recipient: str) -> None:
    """Make this browser known to be the recipient's, for another `MAX_AGE`."""
    device = known(request, recipient) or get_random_string(22)
    signed = signing.dumps(device, salt=_salt(recipient))
    newest, *_older = _names(recipient)
    cookies.keep(request, response, (newest, signed), max_age=MAX_AGE)


def _names(recipient: str) -> Iterator[str]:
    """
    Name the cookie by keyed hashes, so that members can share a browser.

    After the newest name come those that it had under earlier secret keys: a
    browser stays known for as long as they are among the fallbacks.
    """
    key = recipients.key(recipient)
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        digest = salted_hmac(_SALT, key, secret=secret, algorithm="sha256").hexdigest()
        yield f"piggy_verify_device_{digest[:16]}"


def _salt(recipient: str) -> str:
    """Sign for one recipient only."""
    return f"{_SALT}.{recipients.key(recipient)}"
