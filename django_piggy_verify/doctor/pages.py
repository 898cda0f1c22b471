"""Examine the pages as a visitor sees them. No mail is sent."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.template import TemplateDoesNotExist
from django.test import Client
from django.urls import reverse
from django.utils.module_loading import import_string

from django_piggy_verify.checks.accounts import known_traits
from django_piggy_verify.checks.routes import only_has_apps, serves_logins
from django_piggy_verify.conf import conf
from django_piggy_verify.doctor import routes
from django_piggy_verify.doctor.findings import (
    Finding,
    good,
    note,
    problem,
    warning,
)
from django_piggy_verify.login import logins, pending
from django_piggy_verify.traits import Channel

_PAGES: Final = {"email": "The first page", "code": "The page for the code"}


def middleware() -> Iterator[Finding]:
    """Look for the middleware that each login needs. Apps need none."""
    if only_has_apps():
        return
    loaded = [import_string(name) for name in settings.MIDDLEWARE]
    for wanted in (SessionMiddleware, AuthenticationMiddleware):
        if not any(
            isinstance(each, type) and issubclass(each, wanted) for each in loaded
        ):
            yield problem(
                f"MIDDLEWARE has no {wanted.__name__}.",
                f"Add '{wanted.__module__}.{wanted.__name__}'.",
            )


def shown() -> Iterator[Finding]:
    """Request the pages that can be shown without a user."""
    if not routes.start():
        return
    visitor = Client(SERVER_NAME=own_host())
    if serves_logins():
        yield from _login_pages(visitor)
    elif conf.connect:
        yield from _connect_pages(visitor)
    _forget_session(visitor)


def _login_pages(visitor: Client) -> Iterator[Finding]:
    """Request the two pages that each member sees."""
    visitor.cookies[logins.COOKIE] = str(_invented_login())
    for name, words in _PAGES.items():
        yield (finding := _judged(visitor, name, words))
        if finding.is_problem:
            break


def _connect_pages(visitor: Client) -> Iterator[Finding]:
    """Request the pages that a visitor sees who is not logged in."""
    yield _judged(visitor, "connect", "The connect page", _judgement_of_visit)
    if any(Channel.LINK in each.channels for each in known_traits()):
        yield _judged(visitor, "connect-link", "The page for the link")
    yield note("The other connect pages were not shown: they need a user.")


def _judgement_of_visit(response: Any, words: str) -> Finding:
    """Return a good finding if the page leads to the login."""
    login_url = resolve_url(settings.LOGIN_URL)
    if response.headers.get("Location", "").startswith(login_url):
        return good(f"{words} sends visitors to {login_url}.")
    return _judgement(response, words)


def _judgement(response: Any, words: str) -> Finding:
    if response.status_code != 200:  # noqa: PLR2004
        return problem(
            f"{words} returns status {response.status_code}.",
            "Status 400 means that ALLOWED_HOSTS does not allow the host. A redirect "
            "comes from a middleware.",
        )
    if "csrfmiddlewaretoken" not in response.text:
        return warning(
            f"{words} has no CSRF token, so Django refuses its form.",
            "Add {% csrf_token %} to the form, unless a script sends the token.",
        )
    return good(f"{words} works.")


def _judged(
    visitor: Client,
    name: str,
    words: str,
    judge: Callable[[Any, str], Finding] = _judgement,
) -> Finding:
    try:
        with tracebacks_hidden():
            response = visitor.get(reverse(f"piggy_verify:{name}"), secure=True)
        return judge(response, words)
    except TemplateDoesNotExist as error:
        return problem(
            f"{words} needs a template that is missing: {error}.",
            "Set APP_DIRS in TEMPLATES, or use a loader that reads the templates of "
            "apps.",
        )
    except Exception as error:  # noqa: BLE001  a page of a project may raise anything
        return problem(
            f"{words} cannot be shown: {type(error).__name__}.",
            "Open the page with runserver to see the error.",
        )


def _invented_login() -> logins.Login:
    result = logins.SendResult(is_sent=True, resend_in=60)
    return pending.begin(HttpRequest(), "nobody@example.com", result, next_url="")


@contextmanager
def tracebacks_hidden() -> Iterator[None]:
    """Hide the tracebacks of failing pages, so that the findings stay readable."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _forget_session(visitor: Client) -> None:
    """Delete the session that the page created, for example for CSRF_USE_SESSIONS."""
    if settings.SESSION_COOKIE_NAME in visitor.cookies:
        visitor.session.flush()


def own_host() -> str:
    """Return a host of the site, for requests of the doctor."""
    hosts = [each for each in settings.ALLOWED_HOSTS if each != "*"]
    return hosts[0].removeprefix(".") if hosts else "localhost"
