"""Examine the sessions and the cookies."""

from collections.abc import Iterator
from importlib import import_module
from typing import Final

from django.apps import apps
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.http.request import validate_host
from django.utils.http import is_same_domain

from django_piggy_verify.checks.routes import only_has_apps
from django_piggy_verify.doctor import routes
from django_piggy_verify.doctor.findings import (
    Finding,
    good,
    note,
    problem,
    warning,
)

_MONTH: Final = 30 * 86400
_HOSTS_WITH_DEBUG: Final = [".localhost", "127.0.0.1", "[::1]"]
"""The hosts that Django allows with DEBUG if ALLOWED_HOSTS is empty."""

_BACKENDS: Final = "django.contrib.sessions.backends"


def sessions() -> Iterator[Finding]:
    """Store a value in a session. Apps have none."""
    if only_has_apps():
        return
    in_tables = {f"{_BACKENDS}.db", f"{_BACKENDS}.cached_db"}
    if settings.SESSION_ENGINE in in_tables and not apps.is_installed(
        "django.contrib.sessions"
    ):
        yield problem(
            "INSTALLED_APPS lacks django.contrib.sessions, so sessions have no table.",
            "Add it, and run manage.py migrate.",
        )
    elif not _are_kept():
        yield problem(
            f"A session does not keep its data ({settings.SESSION_ENGINE}).",
            "So nobody stays logged in. Repair the cache, or use the database.",
        )
    elif _are_in_one_process():
        yield warning(
            "Sessions are in the memory of one process.",
            "Another worker does not know who is logged in. Share the cache between "
            "the workers, or use the database.",
        )
    else:
        yield good("Sessions work.")


def reach() -> Iterator[Finding]:
    """Look at the path and the domain of the cookies."""
    for kind in ("SESSION",) if settings.CSRF_USE_SESSIONS else ("SESSION", "CSRF"):
        path = getattr(settings, f"{kind}_COOKIE_PATH")
        domain = getattr(settings, f"{kind}_COOKIE_DOMAIN")
        start = routes.start()
        if start and not start.startswith(path):
            yield problem(
                f"Browsers send the cookies to {path} only, but the pages are at "
                f"{start}.",
                f"Set {kind}_COOKIE_PATH to a path that all your pages begin with.",
            )
        if domain and not _is_of_the_site(domain):
            yield problem(
                f"Browsers send the cookies to {domain} only, but ALLOWED_HOSTS "
                "lacks it.",
                f"Remove {kind}_COOKIE_DOMAIN, or set it to the domain of the site.",
            )


def cookies() -> Iterator[Finding]:
    """Look at the protection of the session cookie. Apps have none."""
    if only_has_apps():
        return
    if settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE:
        yield good("Browsers send the cookies over https only.")
    elif settings.DEBUG:
        yield note("Browsers send the cookies over http too, as runserver needs it.")
    else:
        yield warning(
            "SESSION_COOKIE_SECURE or CSRF_COOKIE_SECURE is off.",
            "Browsers then send the cookies over http too. Set both to True.",
        )
    if not settings.SESSION_COOKIE_HTTPONLY:
        yield warning(
            "SESSION_COOKIE_HTTPONLY is off, so scripts can read the session cookie."
        )
    if settings.SESSION_COOKIE_SAMESITE in {None, False, "None"}:
        yield warning(
            "SESSION_COOKIE_SAMESITE lets other sites send the session along.",
            "SESSION_COOKIE_SAMESITE = 'Lax', unless your pages are shown in a frame "
            "of another site.",
        )
    if settings.SESSION_COOKIE_AGE > _MONTH:
        yield note("Members stay logged in for more than 30 days.")


def _is_of_the_site(domain: str) -> bool:
    """Return whether a browser at a host of the site takes a cookie for `domain`."""
    hosts, domain = settings.ALLOWED_HOSTS, domain.lstrip(".").lower()
    if settings.DEBUG and not hosts:
        hosts = _HOSTS_WITH_DEBUG
    names = [each.lstrip(".").lower() for each in hosts]
    is_above = any(is_same_domain(each, f".{domain}") for each in names)
    return is_above or validate_host(domain, hosts)


def _are_kept() -> bool:
    engine = import_module(settings.SESSION_ENGINE)
    session = engine.SessionStore()
    session["piggy_verify_doctor"] = True
    session.save()
    found = engine.SessionStore(session.session_key).get("piggy_verify_doctor")
    session.delete()
    return bool(found)


def _are_in_one_process() -> bool:
    is_cached = f"{_BACKENDS}.cache" == settings.SESSION_ENGINE
    return is_cached and isinstance(caches[settings.SESSION_CACHE_ALIAS], LocMemCache)
