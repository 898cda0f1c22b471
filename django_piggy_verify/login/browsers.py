"""
Give each browser an id that stays the same over all its logins.

Some vendors want such an id, so that a person gets a welcome gift only once. The id is
a keyed hash of a random cookie. So nobody can choose the id, and the vendor never sees
the cookie. Unlike the device cookie of `devices`, this one proves nothing.
"""

import re
from secrets import token_urlsafe
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from django_piggy_verify import recipients
from django_piggy_verify.login import cookies
from django_piggy_verify.secret import Secret

COOKIE: Final = "piggy_verify_browser"
MAX_AGE: Final = 400 * 24 * 3600
"""Seconds for which the cookie is kept. Browsers keep no cookie for longer."""

_SALT: Final = "django_piggy_verify.browsers"
_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_DIGITS: Final = 32


def begin(request: HttpRequest) -> None:
    """
    Give the browser a random cookie, unless it has one. `remember` sets it.

    An app gets no cookie. Its device id is made from the recipient.
    """
    if cookies.is_of_app(request):
        return
    value = _value(request) or Secret(token_urlsafe(16))
    request._piggy_verify_browser = value  # type: ignore[attr-defined]


def remember(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the cookie that `begin` has chosen, if it has chosen one."""
    if value := getattr(request, "_piggy_verify_browser", None):
        cookies.keep(request, response, (COOKIE, value), max_age=MAX_AGE)


def device_of(request: HttpRequest | None, recipient: str) -> Secret:
    """
    Return the id of the browser: 32 hexadecimal digits.

    Without a browser, the id is made of the recipient.
    """
    value = _value(request) if request else ""
    whose = Secret(
        f"browser\0{value}" if value else f"recipient\0{recipients.key(recipient)}"
    )
    return Secret(salted_hmac(_SALT, whose, algorithm="sha256").hexdigest()[:_DIGITS])


def _value(request: HttpRequest) -> Secret:
    """Return the value of the cookie, or a blank text if there is none."""
    chosen: Secret | None = getattr(request, "_piggy_verify_browser", None)
    value = chosen or Secret(cookies.sent_with(request).get(COOKIE, ""))
    return value if _VALUE.fullmatch(value) else Secret("")
