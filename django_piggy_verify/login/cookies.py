"""
Read and write what a client keeps between its requests.

A browser keeps cookies, with the attributes of the session cookie. An app keeps values
of our JSON, and sends them in the fields of its next request.
`pending`, `devices` and `browsers` create the values.
"""

from collections.abc import Mapping
from typing import Literal, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase


def bind(request: HttpRequest, sent: Mapping[str, str]) -> None:
    """Let `request` have the values that an app has sent, in place of its cookies."""
    request._piggy_verify_sent = sent  # type: ignore[attr-defined]


def is_of_app(request: HttpRequest) -> bool:
    """Return whether `bind` has given `request` the values of an app."""
    return hasattr(request, "_piggy_verify_sent")


def sent_with(request: HttpRequest) -> Mapping[str, str]:
    """Return the values that the client keeps, by name: its cookies, or an app's."""
    # Without a local variable, which error reports would show.
    found = "_piggy_verify_sent"
    return cast("Mapping[str, str]", getattr(request, found, request.COOKIES))


def keep(
    request: HttpRequest,
    response: HttpResponseBase,
    cookie: tuple[str, str],
    *,
    max_age: int,
) -> None:
    """
    Set a `cookie` (name and value) for `max_age` seconds. Scripts cannot read it.

    The response to an app gets no cookie.
    """
    if is_of_app(request):
        return
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
