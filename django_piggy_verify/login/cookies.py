"""
How this package keeps a cookie: signed by its owner, as safe as the session's.

What is in it is the business of `pending` and `devices`.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase


def keep(
    request: HttpRequest,
    response: HttpResponseBase,
    cookie: tuple[str, str],
    *,
    max_age: int,
) -> None:
    """Keep a `cookie`, name and value, for `max_age` seconds, away from scripts."""
    response.set_cookie(
        *cookie,
        max_age=max_age,
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        secure=settings.SESSION_COOKIE_SECURE or request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def drop(response: HttpResponseBase, name: str) -> None:
    """Delete the cookie of this name."""
    response.delete_cookie(
        name,
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        samesite="Lax",
    )
