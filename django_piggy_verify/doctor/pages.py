"""The routes, the pages and the sessions: what a visitor's browser meets."""

from collections.abc import Iterator
from importlib import import_module
from typing import Final

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.shortcuts import resolve_url
from django.test import Client
from django.urls import (
    NoReverseMatch,
    Resolver404,
    get_script_prefix,
    resolve,
    reverse,
)
from django.utils.module_loading import import_string

from django_piggy_verify.doctor.findings import (
    Finding,
    good,
    note,
    problem,
    warning,
)

_MONTH: Final = 30 * 86400


def routes() -> Iterator[Finding]:
    """Look where the pages are, and who leads visitors there."""
    if not (start := _start()):
        yield problem(
            "The pages are not routed.",
            "Add path('login/', include('django_piggy_verify.urls')), in no other "
            "namespace.",
        )
        return
    yield good(f"The pages begin at {start}.")
    if _address("LOGIN_URL") != start:
        yield warning(
            "LOGIN_URL leads elsewhere: pages for members do not send visitors here.",
            "LOGIN_URL = 'piggy_verify:email'",
        )
    target = _address("LOGIN_REDIRECT_URL")
    if target is None:
        yield problem(
            "LOGIN_REDIRECT_URL is no address: logging in ends with an error.",
            "Set it to the name of a route, or to a path.",
        )
    elif target.startswith("/") and not _is_routed(target):
        yield warning(
            f"After logging in, members are sent to {target}, where there is no page.",
            "Set LOGIN_REDIRECT_URL.",
        )


def middleware() -> Iterator[Finding]:
    """Look for the middleware that every login needs."""
    loaded = [import_string(name) for name in settings.MIDDLEWARE]
    for wanted in (SessionMiddleware, AuthenticationMiddleware):
        if not any(
            isinstance(each, type) and issubclass(each, wanted) for each in loaded
        ):
            yield problem(
                f"MIDDLEWARE has no {wanted.__name__}.",
                f"Add '{wanted.__module__}.{wanted.__name__}'.",
            )


def first_page() -> Iterator[Finding]:
    """Ask the site for its first page."""
    if not (start := _start()):
        return
    visitor = Client(SERVER_NAME=_own_host())
    response = visitor.get(start, secure=True)
    _forget_session(visitor)
    if response.status_code == 200:  # noqa: PLR2004
        yield good("The first page can be shown.")
    else:
        yield problem(
            f"The first page answers with status {response.status_code}.",
            "400 is for a host that ALLOWED_HOSTS lacks; a redirect comes from a "
            "middleware.",
        )


def sessions() -> Iterator[Finding]:
    """Keep something in a session."""
    engine = import_module(settings.SESSION_ENGINE)
    session = engine.SessionStore()
    session["piggy_verify_doctor"] = True
    session.save()
    found = engine.SessionStore(session.session_key).get("piggy_verify_doctor")
    session.delete()
    if not found:
        yield problem(
            f"Sessions are not kept ({settings.SESSION_ENGINE}).",
            "Nobody stays logged in: look at the cache, or use the database.",
        )
        return
    yield good("Sessions are kept.")
    if _are_in_one_process():
        yield warning(
            "Sessions are in the memory of one process.",
            "Another worker does not know who has logged in: share the cache, or use "
            "the database.",
        )


def cookies() -> Iterator[Finding]:
    """Look how well the session is kept from others."""
    if settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE:
        yield good("The cookies travel over https only.")
    elif settings.DEBUG:
        yield note("The cookies may travel over http, as they must with runserver.")
    if not settings.SESSION_COOKIE_HTTPONLY:
        yield warning(
            "SESSION_COOKIE_HTTPONLY is off: scripts of the page can read the session."
        )
    if settings.SESSION_COOKIE_SAMESITE in {None, False, "None"}:
        yield warning(
            "SESSION_COOKIE_SAMESITE lets other sites send the session along.",
            "SESSION_COOKIE_SAMESITE = 'Lax'",
        )
    if settings.SESSION_COOKIE_AGE > _MONTH:
        yield note("Members stay logged in for more than 30 days.")


def _start() -> str | None:
    """Answer where the pages begin, if they are routed."""
    try:
        return reverse("piggy_verify:email")
    except NoReverseMatch:
        return None


def _address(setting: str) -> str | None:
    """Answer where a setting leads, which may name a route; None if there is none."""
    try:
        return resolve_url(getattr(settings, setting))
    except NoReverseMatch:
        return None


def _is_routed(path: str) -> bool:
    try:
        resolve("/" + path.partition("?")[0].removeprefix(get_script_prefix()))
    except Resolver404:
        return False
    return True


def _forget_session(visitor: Client) -> None:
    """Delete what the page has kept of its visitor, as with CSRF_USE_SESSIONS."""
    if settings.SESSION_COOKIE_NAME in visitor.cookies:
        visitor.session.flush()


def _own_host() -> str:
    hosts = [each for each in settings.ALLOWED_HOSTS if each != "*"]
    return hosts[0].removeprefix(".") if hosts else "localhost"


def _are_in_one_process() -> bool:
    is_cached = settings.SESSION_ENGINE == "django.contrib.sessions.backends.cache"
    return is_cached and isinstance(caches[settings.SESSION_CACHE_ALIAS], LocMemCache)
