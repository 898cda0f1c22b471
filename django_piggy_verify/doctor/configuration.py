"""The settings, and who is asked to authenticate."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_backends
from django.contrib.auth.backends import ModelBackend
from django.core.checks import ERROR, CheckMessage

from django_piggy_verify import checks
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.checks.project import check_backend, check_urls
from django_piggy_verify.checks.provider import check_credentials
from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking
from django_piggy_verify.doctor.findings import (
    Finding,
    good,
    note,
    problem,
    warning,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.models import Contact

GUESSES: Final = 100
"""Wrong codes a day for one address that are not yet remarked upon."""

_DAY: Final = 86400
_TOLD_ELSEWHERE: Final = {check_backend, check_urls}
_WARNINGS_THAT_KEEP_OUT: Final = {"piggy_verify.W008"}
_PLACEHOLDERS: Final = (
    *("change", "example", "your", "paste", "todo", "secret"),
    *("piggy_verify", "xxx", "<", "..."),
)
_LONG: Final = 40  # characters: a real token of this length has any letters in a row


def system_checks() -> Iterator[Finding]:
    """Run the system checks."""
    run = [each for each in checks.ALWAYS if each not in _TOLD_ELSEWHERE]
    if not settings.DEBUG:
        run += checks.ON_DEPLOY
    if found := checks.run(run):
        yield from map(_finding, found)
    else:
        yield good("The settings are complete and valid.")


def environment() -> Iterator[Finding]:
    """Look at what is meant for development only."""
    host = urlsplit(conf.base_url).hostname
    yield note(f"Calls to the API go to {host}.")
    if settings.DEBUG:
        yield note(
            "DEBUG is on, so what matters in production only is not examined.",
            "Run this where the site runs.",
        )
    elif str(settings.SECRET_KEY).startswith("django-insecure-"):
        yield warning(
            "SECRET_KEY is the one that startproject made.",
            "It signs sessions and logins in progress: make a new one, and keep it.",
        )


def credentials() -> Iterator[Finding]:
    """Look whether the key is one at all; it is not shown."""
    key = conf.api_key
    is_sandbox = urlsplit(conf.base_url).scheme == "http"
    if callable(key):
        if not list(check_credentials()):
            yield good("The key comes from a callable.")
    elif not key and conf.client_id:
        yield note("Client credentials are used, which the vendor calls deprecated.")
    elif not key or is_sandbox:
        return
    elif _reads_like_a_placeholder(str(key)):
        yield warning(
            "PIGGY_VERIFY_API_KEY reads like a placeholder.",
            "A personal access token: Apps > Integrations > Personal Access Tokens "
            "in the business dashboard.",
        )


def _reads_like_a_placeholder(key: str) -> bool:
    return len(key) < _LONG and any(each in key.lower() for each in _PLACEHOLDERS)


def openings() -> Iterator[Finding]:
    """Name the settings that open what is closed by default."""
    if conf.allow_staff:
        yield warning(
            "Staff and superusers may log in by code (PIGGY_VERIFY_ALLOW_STAFF).",
            "Whoever reads their mail is in the admin.",
        )
    if not conf.hide_unknown_contacts:
        yield warning(
            "Strangers are told that they are none "
            "(PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS).",
            "Anybody can find out who is a member.",
        )
    elif not conf.send_floor and not settings.DEBUG:
        yield warning(
            "PIGGY_VERIFY_SEND_FLOOR is 0.",
            "How long a send takes tells strangers from members.",
        )
    if conf.link_by_email:
        yield note("A new contact adopts the user with its address.")
    if conf.expose_auth_token:
        yield note("The auth token is handed to the browser.")


def guessing() -> Iterator[Finding]:
    """Work out how many codes may be guessed for one address."""
    names = ("check_recipient", "check_recipient_day")
    rates = [fixed_windows.parse_rate(str(conf.rate_limits[name])) for name in names]
    a_day = min(each.count * _DAY // min(each.period, _DAY) for each in rates)
    if a_day > GUESSES:
        yield warning(
            f"{a_day} wrong codes a day are let through for one address.",
            "By default it is 20. A six-digit code is then met once in "
            f"{10**6 // a_day} days: see PIGGY_VERIFY_RATE_LIMITS.",
        )


def backends() -> Iterator[Finding]:
    """Look who is asked to authenticate."""
    try:
        loaded = list(get_backends())
    except ImportError as error:
        yield problem(
            f"AUTHENTICATION_BACKENDS names what cannot be imported: {error}.",
            "Ours is 'django_piggy_verify.backends.PiggyBackend'.",
        )
        return
    ours = [each for each in loaded if isinstance(each, PiggyBackend)]
    if not ours:
        yield problem(
            "AUTHENTICATION_BACKENDS has no PiggyBackend: no code is ever checked.",
            "Add 'django_piggy_verify.backends.PiggyBackend' or a subclass.",
        )
        return
    if len(ours) > 1:
        yield warning(
            f"AUTHENTICATION_BACKENDS has {len(ours)} PiggyBackends.",
            "A wrong code is asked for and counted by each: keep one.",
        )
    elif earlier := loaded[: loaded.index(ours[0])]:
        yield note(
            f"Asked before {_names(ours)}, and able to turn a login away: "
            f"{_names(earlier)}.",
        )
    else:
        yield good(f"{_names(ours)} is the first to be asked.")
    if not conf.create_users:
        yield _without_new_users(ours[0])
    if not any(isinstance(each, ModelBackend) for each in loaded):
        yield note(
            "There is no ModelBackend: nobody has permissions.",
            "Staff need it, or another one, to log in by password.",
        )


def _without_new_users(backend: PiggyBackend) -> Finding:
    finds_others = type(backend).find_user is not PiggyBackend.find_user
    if finds_others or conf.link_by_email or locking.primary_rows(Contact).exists():
        return note("Contacts without a user are turned away: none are created.")
    return problem(
        "No user is a contact's, and none are created: nobody can be logged in.",
        "Turn PIGGY_VERIFY_CREATE_USERS on, or find users in a backend of your own.",
    )


def _finding(message: CheckMessage) -> Finding:
    is_problem = message.level >= ERROR or message.id in _WARNINGS_THAT_KEEP_OUT
    make = problem if is_problem else warning
    text = f"{message.msg} ({message.id})"
    return make(f"{message.obj}: {text}" if message.obj else text, message.hint or "")


def _names(backends: list[Any]) -> str:
    return ", ".join(type(each).__name__ for each in backends)
