"""
Remember which members have logged in with a browser before.

A member's own browsers have counts of their own. So a stranger who uses up the
counts of an address does not lock the member out of them. This is the "device
cookie" of OWASP's page on slowing down online guessing. The cookie logs nobody
in.

One browser may have many members, such as a tablet on the counter of a shop. It
remembers the `MOST` members who logged in last, in one cookie: servers refuse
requests with too many bytes of cookies.
"""

import re
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import get_random_string, salted_hmac

from django_piggy_verify import recipients
from django_piggy_verify.login import cookies

COOKIE: Final = "piggy_verify_device"
MAX_AGE: Final = 180 * 24 * 3600
"""Seconds that a browser remembers a member after the member's last login."""

MOST: Final = 5
"""Members that one browser remembers."""

_SALT: Final = "django_piggy_verify.devices"
_EARLIER: Final = re.compile(r"piggy_verify_device_[0-9a-f]{16}")
"""The cookie names of earlier versions, which set one cookie for each member."""

_DELETED: Final = 10
"""Earlier cookies deleted at a login. Servers limit the headers of a response, too."""


class _Entry(NamedTuple):
    """One member of one browser."""

    tag: str
    """A keyed hash of the recipient. It binds the entry to that recipient."""

    device: str
    """The id of this browser, for this recipient only. The limits count by it."""

    at: int
    """When the member logged in last, in seconds since the epoch."""


def known(request: HttpRequest | None, recipient: str) -> str | None:
    """
    Return the id of this browser if `recipient` has logged in with it before.

    Return None if the cookie is forged or another recipient's, or if the login is
    longer ago than `MAX_AGE`.
    """
    if request is None:
        return None
    tags = set(_tags(recipient))
    return next((each.device for each in _read(request) if each.tag in tags), None)


def remember(request: HttpRequest, response: HttpResponseBase, recipient: str) -> None:
    """
    Put `recipient` in front of the members of this browser.

    The browser keeps the id that it has for the recipient. A new id would be worth
    new attempts to everybody who has kept an older cookie.
    """
    newest, *older = _tags(recipient)
    device = known(request, recipient) or get_random_string(22)
    others = [each for each in _read(request) if each.tag not in {newest, *older}]
    entries = [_Entry(newest, device, int(time.time())), *others][:MOST]
    signed = _signer().sign_object(entries)
    cookies.keep(request, response, (COOKIE, signed), max_age=MAX_AGE)
    for name in islice(filter(_EARLIER.fullmatch, request.COOKIES), _DELETED):
        cookies.drop(response, name)


def _read(request: HttpRequest) -> Sequence[_Entry]:
    """
    Return the members of this browser, the last login first.

    A cookie that another version of this package has signed may have other fields.
    """
    earliest = time.time() - MAX_AGE
    try:
        entries = _signer().unsign_object(request.COOKIES.get(COOKIE, ""))
        return [each for each in map(_Entry._make, entries) if each.at > earliest]
    except (signing.BadSignature, TypeError, ValueError):
        return []


def _tags(recipient: str) -> Iterator[str]:
    """
    Return 128 bits of the recipient's keyed hash, for each secret key.

    The newest key comes first. Entries with the hash of an earlier key stay valid
    for as long as the key is among the fallbacks.
    """
    key = recipients.key(recipient)
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        digest = salted_hmac(_SALT, key, secret=secret, algorithm="sha256").hexdigest()
        yield digest[:32]


def _signer() -> signing.Signer:
    """Return the signer of the cookie. It accepts the fallbacks of the secret key."""
    return signing.Signer(salt=_SALT)
