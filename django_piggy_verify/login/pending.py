"""
Begin, find, store and delete the login in progress of a client.

It is stored in a signed `HttpOnly` cookie and in a field of each form. So each tab
checks a code for the address that the tab shows. Counts are stored in the database,
because a visitor could restore an old cookie.

A user who connects a contact has a login in progress of another kind. It has a cookie
and a signature of its own, and it belongs to this user. `bind` chooses this kind for a
request. The login in progress of an app is the third kind. Its signed text is in the
fields of the requests and responses only.
"""

import time
from dataclasses import replace
from secrets import token_urlsafe
from typing import Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase
from django.utils.encoding import iri_to_uri

from django_piggy_verify import events
from django_piggy_verify.conf import conf
from django_piggy_verify.login import cookies, logins
from django_piggy_verify.login.logins import Kind, Login, SendResult

MAX_NEXT: Final = 2000
"""
The maximum number of characters of a percent-encoded `next`.

With a `next` of this length and the longest address, the cookie has about 3,400
bytes. Browsers store 4,096 bytes, including the name and the attributes.

Source: RFC 6265, section 6.1.
"""

_GRACE: Final = 3600
"""Seconds for which an expired login is remembered, to say that it has expired."""


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


def _kind_of(request: HttpRequest) -> Kind:
    if cookies.is_of_app(request):
        return logins.APP
    return logins.CONNECT if _user_of(request) else logins.LOGIN


def _current(request: HttpRequest) -> Login | None:
    return _read(request, cookies.sent_with(request).get(_kind_of(request).cookie, ""))


def _read(request: HttpRequest, signed: str) -> Login | None:
    """Return the login in a signed text, if it is of this kind and of this user."""
    login = logins.read(signed, _kind_of(request))
    return login if login and login.user == _user_of(request) else None


def read(signed: str) -> Login | None:
    """Return the login of a browser, of either kind, in a signed text, or None."""
    return logins.read(signed, logins.LOGIN) or logins.read(signed, logins.CONNECT)
