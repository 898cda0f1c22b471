"""
Set and delete the cookies of this package, with the attributes of the session cookie.

`pending`, `devices` and `browsers` create the values.
"""

from typing import Literal

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase


def keep(
    request: HttpRequest,
    response: HttpResponseBase,
    cookie: tuple[str, str],
    *,
    max_age: int,
) -> None:
    """Set a `cookie` (name and value) for `max_age` seconds. Scripts cannot read it."""
    is_secure = settings.SESSION_COOKIE_SECURE or request.is_secure()
    response.set_cookie(
        *cookie,
        max_age=max_age,
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        # With SameSite=None, browsers refuse a cookie that is not Secure.
        secure=is_secure or _samesite() == "None",
        httponly=True,
        samesite=_samesite(),
    )


def drop(response: HttpResponseBase, name: str) -> None:
    """Delete the cookie of this name."""
    response.delete_cookie(
        name,
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        samesite=_samesite(),
    )


def _samesite() -> Literal["Lax", "None"]:
    """
    Return ``None`` if the session cookie has it, for pages in a frame, else ``Lax``.

    With ``Strict``, the browser of a member who follows a link to the site would not
    send the cookie.
    """
    samesite = settings.SESSION_COOKIE_SAMESITE
    is_none = isinstance(samesite, str) and samesite.lower() == "none"
    return "None" if is_none else "Lax"
