"""
Create, read and delete the login in progress.

It is stored in a signed `HttpOnly` cookie and in a field of each form. So each tab
checks a code for the address that the tab shows. Counts are stored in the database,
because a visitor could restore an old cookie.

A user who connects a contact has a login in progress of another kind. It has a cookie
and a signature of its own, and it belongs to this user. `bind` chooses this kind for a
request. The login in progress of an app is the third kind. Its signed text is in the
fields of the requests and responses only.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from secrets import token_urlsafe
from typing import Any, Final, NamedTuple, Self

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.encoding import iri_to_uri

from django_piggy_verify import events, recipients
from django_piggy_verify.conf import conf
from django_piggy_verify.login import cookies
from django_piggy_verify.login.consents import GivenConsent
from django_piggy_verify.traits import Channel

COOKIE: Final = "piggy_verify_login"
CONNECT_COOKIE: Final = "piggy_verify_connect"
FIELD: Final = "login"
"""The form field that names the login in progress of a page."""

MAX_NEXT: Final = 2000
"""
The maximum number of characters of a percent-encoded `next`.

With a `next` of this length and the longest address, the cookie has about 3,400
bytes. Browsers store 4,096 bytes, including the name and the attributes.

Source: RFC 6265, section 6.1.
"""

_GRACE: Final = 3600
"""Seconds for which an expired login is remembered, to say that it has expired."""


class _Kind(NamedTuple):
    """The names that keep one kind of login in progress apart from the other kind."""

    cookie: str
    salt: str


_LOGIN: Final = _Kind(COOKIE, "django_piggy_verify.pending")
_CONNECT: Final = _Kind(CONNECT_COOKIE, "django_piggy_verify.pending.connect")
_APP: Final = _Kind(FIELD, "django_piggy_verify.pending.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """The result of a request for a code."""

    is_sent: bool
    """False if it was too early for another code. Also True for a stranger."""

    resend_in: int
    """Whole seconds until another code may be sent."""

    send_id: str = ""
    """
    Identifies the send. If it was too early for one, this is the last send to the same
    address in the same browser. Blank if there is none, or if it has failed already.
    """

    consents: Sequence[GivenConsent] = ()
    """The consents that the visitor has given with the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login in progress."""

    id: str
    """Identifies the login. A resend keeps the id."""

    browser: str
    """A random text, the same in all tabs of a browser. Other forms are refused."""

    recipient: str
    """The address that the code was sent to."""

    next: str
    """Where the visitor wanted to go. Blank for the default."""

    sent_at: int
    """When the last code was asked for, in seconds since the epoch."""

    resend_at: float
    """When the next code may be asked for, in seconds since the epoch."""

    is_resent: bool = False
    """Whether the last request was a resend that sent a code."""

    is_held_back: bool = False
    """Whether the last request sent no code, because it was too early."""

    send_id: str = ""
    """Identifies the last send. If it fails, the failure is stored under this id."""

    consents: Sequence[GivenConsent] = ()
    """The consents that the visitor has given. A resend uses them again."""

    user: str = ""
    """The primary key of the user who connects a contact. Blank while logging in."""

    is_of_app: bool = False
    """Whether the login was begun by an app, which holds no cookies."""

    @property
    def channel(self) -> Channel:
        """The way on which the code is sent."""
        return recipients.channel_of(self.recipient)

    @property
    def expires_in(self) -> int:
        """Whole seconds until the login expires, or 0."""
        return max(0, self.sent_at + conf.login_ttl - int(time.time()))

    @property
    def resend_in(self) -> int:
        """Whole seconds until another code may be sent, rounded up."""
        return max(0, ceil(self.resend_at - time.time()))

    @property
    def is_send_recent(self) -> bool:
        """Whether the last send may be under way, so that its failure is not known."""
        # A send may wait for a thread before its call, which takes up to the timeout.
        is_young = time.time() < self.sent_at + 2 * conf.timeout
        return bool(self.send_id) and is_young

    @property
    def is_open(self) -> bool:
        """Whether a code may still be checked for this login."""
        return self.expires_in > 0

    def sent_again(self, result: SendResult) -> Self:
        """Return this login with a new deadline, after a resend."""
        now = time.time()
        return replace(
            self,
            sent_at=int(now),
            resend_at=now + result.resend_in,
            is_resent=result.is_sent,
            is_held_back=not result.is_sent,
            send_id=result.send_id,
        )

    def __str__(self) -> str:
        """Return the signed text for the cookie and the form field."""
        fields = [getattr(self, name) for name in self.__slots__]
        # Without the last fields, an earlier version of this package can read it.
        while not fields[-1] and len(fields) > _SHORTEST:
            fields.pop()
        return signing.dumps(fields, salt=self._kind.salt)

    @property
    def _kind(self) -> _Kind:
        if self.is_of_app:
            return _APP
        return _CONNECT if self.user else _LOGIN


_OPTIONAL: Final[Sequence[Any]] = ((), "", False)
"""The values of the last fields that the signed text need not have."""

_SHORTEST: Final = len(Login.__slots__) - len(_OPTIONAL)


def bind(request: HttpRequest, user: AbstractBaseUser | AnonymousUser) -> None:
    """Let `request` have the login in progress with which `user` connects a contact."""
    request._piggy_verify_user = str(user.pk)  # type: ignore[attr-defined]


def begin(
    request: HttpRequest, recipient: str, result: SendResult, *, next_url: str
) -> Login:
    """Return a new login in progress, after a request for a code. `next_url` fits."""
    earlier = _current(request)
    now = time.time()
    return Login(
        id=token_urlsafe(16),
        browser=earlier.browser if earlier else token_urlsafe(16),
        recipient=recipient,
        next=iri_to_uri(next_url),
        sent_at=int(now),
        resend_at=now + result.resend_in,
        is_held_back=not result.is_sent,
        send_id=result.send_id,
        consents=result.consents,
        user=_user_of(request),
        is_of_app=cookies.is_of_app(request),
    )


def find(request: HttpRequest, named: str = "") -> Login | None:
    """
    Return the login in progress of this browser, even if it has expired.

    `named` is the value of the form field. With it, return only that login, because
    another tab may have begun a newer one. If another tab has asked for another code of
    the same login, return the newer state.

    After `bind`, return only a login of that user.
    """
    current = _current(request)
    if current is None or not named:
        return current
    login = _read(request, named)
    if login and login.id == current.id and login.sent_at <= current.sent_at:
        return current
    return login if login and login.browser == current.browser else None


def next_of(request: HttpRequest, named: str) -> str:
    """Return the `next` of the login in a form field, even from another browser."""
    login = _read(request, named)
    return login.next if login else ""


def fits(next_url: str) -> bool:
    """Return whether the cookie has room for `next_url`. Log it if not."""
    length = len(next_url)
    if length <= MAX_NEXT:
        length = len(iri_to_uri(next_url))
    if length > MAX_NEXT:
        events.NEXT_TOO_LONG.log(length=length, maximum=MAX_NEXT)
    return length <= MAX_NEXT


def remember(request: HttpRequest, response: HttpResponseBase, login: Login) -> None:
    """Store `login` in the browser's cookie."""
    max_age = conf.login_ttl + _GRACE
    cookie = (_kind_of(request).cookie, str(login))
    cookies.keep(request, response, cookie, max_age=max_age)


def close(request: HttpRequest, response: HttpResponseBase, login: Login) -> None:
    """Let `login` expire now, unless the browser has begun another login."""
    current = _current(request)
    if current and current.id == login.id:
        remember(request, response, replace(login, sent_at=0))


def forget(request: HttpRequest, response: HttpResponseBase) -> None:
    """Delete the cookie. An app forgets the login by itself."""
    if cookies.is_of_app(request):
        return
    cookies.drop(response, _kind_of(request).cookie)


def attach(request: HttpRequest, login: Login) -> None:
    """Store `login` on `request`, so that the backend knows the login of the code."""
    request._piggy_verify_login = login  # type: ignore[attr-defined]


def attached_to(request: HttpRequest | None) -> Login | None:
    """Return the login that `attach` has stored on the request, if any."""
    return getattr(request, "_piggy_verify_login", None)


def _user_of(request: HttpRequest) -> str:
    """Return the primary key of the user whom `bind` has named, or a blank text."""
    user: str = getattr(request, "_piggy_verify_user", "")
    return user


def _kind_of(request: HttpRequest) -> _Kind:
    if cookies.is_of_app(request):
        return _APP
    return _CONNECT if _user_of(request) else _LOGIN


def _current(request: HttpRequest) -> Login | None:
    return _read(request, cookies.sent_with(request).get(_kind_of(request).cookie, ""))


def _read(request: HttpRequest, signed: str) -> Login | None:
    """Return the login in a signed text, if it is of this kind and of this user."""
    login = _unsigned(signed, _kind_of(request))
    return login if login and login.user == _user_of(request) else None


def read(signed: str) -> Login | None:
    """Return the login of either kind in a signed text, or None."""
    return _unsigned(signed, _LOGIN) or _unsigned(signed, _CONNECT)


def _unsigned(signed: str, kind: _Kind) -> Login | None:
    """Return the login in a signed text, or None if the text is not of this kind."""
    try:
        fields = signing.loads(signed, salt=kind.salt)
        fields += _OPTIONAL[len(fields) - _SHORTEST :]
        login = Login(**dict(zip(Login.__slots__, fields, strict=True)))
        given = [GivenConsent(*each) for each in login.consents]
        return replace(login, consents=given)
    except (signing.BadSignature, TypeError, ValueError):
        return None
