"""Examine the URLs for apps that hold no cookies. No mail is sent."""

from collections.abc import Iterator
from typing import Final

from django.test import Client
from django.urls import NoReverseMatch, reverse

from django_piggy_verify.checks.routes import app_namespace
from django_piggy_verify.conf import conf
from django_piggy_verify.doctor.findings import Finding, good, note, problem
from django_piggy_verify.doctor.pages import own_host, tracebacks_hidden

_NO_LOGIN: Final = 409
"""The status of a code without a login in progress. Nothing is read or counted."""


def shown() -> Iterator[Finding]:
    """Post to a URL for apps."""
    namespace = app_namespace()
    # Without the setting, the system checks say that the URLs return 404.
    if namespace is None or conf.app_token is None:
        return
    try:
        first, code = (reverse(f"{namespace}:{name}") for name in ("email", "code"))
    except NoReverseMatch:
        yield note("The URLs for apps were not tried: their paths have parameters.")
        return
    yield _judged(code) or good(f"Apps can log in at {first}.")


def _judged(url: str) -> Finding | None:
    """Return what is wrong with the answer to a code without a login, if anything."""
    visitor = Client(SERVER_NAME=own_host(), enforce_csrf_checks=True)
    try:
        with tracebacks_hidden():
            response = visitor.post(url, {}, "application/json", secure=True)
    except Exception as error:  # noqa: BLE001  a middleware may raise anything
        return problem(
            f"The URLs for apps fail: {type(error).__name__}.",
            f"Post a JSON object to {url} with runserver to see the error.",
        )
    if response.status_code == _NO_LOGIN:
        return None
    return problem(
        f"A URL for apps returns status {response.status_code}.",
        "Status 400 means that ALLOWED_HOSTS does not allow the host. A redirect or "
        "a page comes from a middleware.",
    )
