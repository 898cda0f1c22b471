"""Examine the settings and the authentication backends."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_backends
from django.contrib.auth.backends import ModelBackend
from django.core.checks import ERROR, CheckMessage

from django_piggy_verify import checks
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.checks.accounts import anybody_can_log_in
from django_piggy_verify.checks.pages import check_urls
from django_piggy_verify.checks.project import check_backend
from django_piggy_verify.checks.provider import check_credentials
from django_piggy_verify.checks.routes import serves_logins
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
from django_piggy_verify.providers import base_url
from django_piggy_verify.secret import Secret

GUESSES: Final = 100
"""The doctor warns if one address may have more wrong codes than this in a day."""

_DAY: Final = 86400
_TOLD_ELSEWHERE: Final = {check_backend, check_urls}
_PLACEHOLDERS: Final = (
    *("change", "example", "your", "paste", "todo", "secret"),
    *("piggy_verify", "xxx", "<", "..."),
)
_LONG: Final = 40  # characters: a real token of this length can contain such a word


def system_checks() -> Iterator[Finding]:
    """Run the system checks."""
    run = [each for each in checks.ALWAYS if each not in _TOLD_ELSEWHERE]
    if not settings.DEBUG:
        run += checks.ON_DEPLOY
    if found := [each for each in checks.run(run) if not _is_settled(each)]:
        yield from map(_finding, found)
    else:
        yield good("The settings are complete and valid.")


def environment() -> Iterator[Finding]:
    """Look for settings that are for development only."""
    if host := urlsplit(base_url()).hostname:
        yield note(f"Calls to the API go to {host}.")
    if settings.DEBUG:
        yield note(
            "DEBUG is on, so this run skips what matters in production only.",
            "Run the doctor on the server of the site.",
        )
    elif str(settings.SECRET_KEY).startswith("django-insecure-"):
        yield warning(
            "SECRET_KEY is the key that startproject generated.",
            "It signs sessions and logins in progress. Generate a new key and store it "
            "safely.",
        )


def credentials() -> Iterator[Finding]:
    """Look at the kind of key, without showing the key."""
    key = conf.api_key if callable(conf.api_key) else Secret(conf.api_key or "")
    is_sandbox = urlsplit(base_url()).scheme == "http"
    if callable(key):
        if not list(check_credentials()):
            yield good("The key comes from a callable.")
    elif not key and conf.client_id and conf.token_url:
        yield note("Client credentials are in use, in place of a key.")
    elif not key or is_sandbox:
        return
    elif _reads_like_a_placeholder(key):
        yield warning(
            "PIGGY_VERIFY_API_KEY looks like a placeholder.",
            "Use the key that the vendor has given you.",
        )


def _reads_like_a_placeholder(key: str) -> bool:
    return len(key) < _LONG and any(each in key.lower() for each in _PLACEHOLDERS)


def openings() -> Iterator[Finding]:
    """Look for settings that are less strict than the defaults."""
    can_log_in = serves_logins()
    if conf.allow_staff and can_log_in:
        yield warning(
            "Staff and superusers may log in by code (PIGGY_VERIFY_ALLOW_STAFF).",
            "Anybody who can read their mail can enter the admin.",
        )
    if not conf.hide_unknown_contacts:
        yield warning(
            "The pages tell strangers that they are not members "
            "(PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS).",
            "So anybody can find out who is a member.",
        )
    elif not conf.background and not conf.send_floor and not settings.DEBUG:
        yield warning(
            "PIGGY_VERIFY_BACKGROUND is off, and PIGGY_VERIFY_SEND_FLOOR is 0.",
            "The end of the connection shows whether an address belongs to a member.",
        )
    if can_log_in:
        yield from _ways_in()


def _ways_in() -> Iterator[Finding]:
    if conf.connect:
        yield note("Users can connect a contact, and then log in with it.")
    if conf.link_by_email:
        yield note("A new contact gets the user with the same address.")
    if conf.expose_auth_token:
        yield note("Scripts in the browser can read the auth token.")


def guessing() -> Iterator[Finding]:
    """Calculate how many codes somebody can guess for one address."""
    names = ("check_recipient", "check_recipient_day")
    rates = [fixed_windows.parse_rate(str(conf.rate_limits[name])) for name in names]
    a_day = min(each.count * _DAY // min(each.period, _DAY) for each in rates)
    if a_day > GUESSES:
        yield warning(
            f"The limits allow {a_day} wrong codes a day for one address.",
            "The default is 20. With your limits, somebody can guess a code of six "
            f"digits once in {10**6 // a_day} days. See PIGGY_VERIFY_RATE_LIMITS.",
        )


def backends() -> Iterator[Finding]:
    """Look at the authentication backends and their order."""
    try:
        loaded = list(get_backends())
    except ImportError as error:
        yield problem(
            f"A backend of AUTHENTICATION_BACKENDS cannot be imported: {error}.",
            "The backend of this package is "
            "'django_piggy_verify.backends.PiggyBackend'.",
        )
        return
    if anybody_can_log_in():
        yield from _backend_for_codes(loaded)
    else:
        yield note("The provider cannot log anybody in, so it needs no backend.")
    if not any(isinstance(each, ModelBackend) for each in loaded):
        yield note(
            "There is no ModelBackend, so nobody has permissions.",
            "Staff need it, or another backend, to log in with a password.",
        )


def _backend_for_codes(loaded: list[Any]) -> Iterator[Finding]:
    ours = [each for each in loaded if isinstance(each, PiggyBackend)]
    if not ours:
        yield problem(
            "AUTHENTICATION_BACKENDS has no PiggyBackend, so no code is checked.",
            "Add 'django_piggy_verify.backends.PiggyBackend' or a subclass.",
        )
        return
    if len(ours) > 1:
        yield warning(
            f"AUTHENTICATION_BACKENDS has {len(ours)} PiggyBackends.",
            "Each of them checks and counts a wrong code. Keep only one.",
        )
    elif earlier := loaded[: loaded.index(ours[0])]:
        yield note(
            f"Django asks {_names(earlier)} before {_names(ours)}. An earlier backend "
            "can refuse a login.",
        )
    else:
        yield good(f"Django asks {_names(ours)} first.")
    if not conf.create_users:
        yield _without_new_users(ours[0])


def _without_new_users(backend: PiggyBackend) -> Finding:
    finds_others = type(backend).find_user is not PiggyBackend.find_user
    if finds_others or conf.link_by_email or locking.primary_rows(Contact).exists():
        return note("Contacts without a user cannot log in: no users are created.")
    return problem(
        "Nobody can log in: no contact has a user, and no users are created.",
        "Turn PIGGY_VERIFY_CREATE_USERS on, or override find_user in your backend.",
    )


def _finding(message: CheckMessage) -> Finding:
    make = problem if _is_problem(message) else warning
    text = f"{message.msg} ({message.id})"
    return make(f"{message.obj}: {text}" if message.obj else text, message.hint or "")


def _is_settled(message: CheckMessage) -> bool:
    """Return whether the operator has silenced the message. A problem stays one."""
    return message.is_silenced() and not _is_problem(message)


def _is_problem(message: CheckMessage) -> bool:
    return message.level >= ERROR or _keeps_everybody_out(message)


def _keeps_everybody_out(warning: CheckMessage) -> bool:
    is_off = warning.id == "piggy_verify.W006" and not conf.connect
    return is_off or warning.id == "piggy_verify.W008"


def _names(backends: list[Any]) -> str:
    return ", ".join(type(each).__name__ for each in backends)
