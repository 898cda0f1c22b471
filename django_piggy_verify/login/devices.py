"""
Remember which members have logged in with a browser before.

A browser that a member has used has its own counts for this member. So a stranger who
uses up the counts of an address does not lock the member out of that browser. OWASP
calls this a "device cookie" on its page on slowing down online guessing. The cookie
does not log anybody in.

Several members may use one browser, such as a tablet on the counter of a shop. Its
cookie remembers the `MOST` members who logged in last. The number is small, because
servers refuse requests with long cookies.
"""

import re
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from secrets import token_urlsafe
from typing import Final, NamedTuple

from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from django_piggy_verify import encryption, recipients
from django_piggy_verify.login import cookies

COOKIE: Final = "piggy_verify_device"
MAX_AGE: Final = 180 * 24 * 3600
"""Seconds for which a browser remembers a member after the member's last login."""

MOST: Final = 5
"""The maximum number of members that one browser remembers."""

_SALT: Final = "django_piggy_verify.devices"
_EARLIER: Final = re.compile(r"piggy_verify_device_[0-9a-f]{16}")
"""The cookie names of earlier versions, which set one cookie for each member."""

_DELETED: Final = 10
"""The maximum number of old cookies that a login deletes. Servers limit headers."""


class _Entry(NamedTuple):
    """One member of one browser."""

    tag: str
    """A keyed hash of the recipient. It binds the entry to that recipient."""

    device: str
    """The id of this browser for this recipient. The limits count by this id."""

    at: int
    """When the member logged in last, in seconds since the epoch."""


def known(request: HttpRequest | None, recipient: str) -> str | None:
    """
    Return the id of this browser if `recipient` has logged in with it before.

    Return None if the cookie is forged or belongs to another recipient, or if the last
    login is too long ago (`MAX_AGE`).
    """
    if request is None:
        return None
    tags = set(_tags(recipient))
    return next((each.device for each in _read(request) if each.tag in tags), None)


def remember(request: HttpRequest, response: HttpResponseBase, recipient: str) -> None:
    """Make `recipient` the first of the members that this browser remembers."""
    cookie = (COOKIE, signed(request, recipient))
    cookies.keep(request, response, cookie, max_age=MAX_AGE)
    earlier = filter(_EARLIER.fullmatch, cookies.sent_with(request))
    for name in islice(earlier, _DELETED):
        cookies.drop(response, name)


def signed(request: HttpRequest, recipient: str) -> str:
    """
    Return the value of the cookie after `recipient` has logged in.

    The browser keeps its id for the recipient. With a new id at each login, somebody
    who keeps old cookies would get new attempts.
    """
    newest, *older = _tags(recipient)
    device = known(request, recipient) or token_urlsafe(16)
    others = [each for each in _read(request) if each.tag not in {newest, *older}]
    entries = [_Entry(newest, device, int(time.time())), *others][:MOST]
    return _signer().sign_object(entries)


def _read(request: HttpRequest) -> Sequence[_Entry]:
    """
    Return the members that this browser remembers, the last login first.

    A cookie that another version of this package has signed may have other fields.
    """
    earliest = time.time() - MAX_AGE
    sent = cookies.sent_with(request).get(COOKIE, "")
    try:
        entries = _signer().unsign_object(sent)
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
    for secret in encryption.secret_keys():
        digest = salted_hmac(_SALT, key, secret=secret, algorithm="sha256").hexdigest()
        yield digest[:32]


def _signer() -> signing.Signer:
    """Return the signer of the cookie. It accepts the fallbacks of the secret key."""
    return signing.Signer(salt=_SALT)
