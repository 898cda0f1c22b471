"""The checks of the project: backends, databases, middleware, other apps."""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_backends, get_user_model
from django.core.checks import CheckMessage, Error, Warning as Caution
from django.core.checks.security.base import REFERRER_POLICY_VALUES
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.middleware.locale import LocaleMiddleware
from django.middleware.security import SecurityMiddleware
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.checks.accounts import anybody_can_log_in
from django_piggy_verify.login import redirects
from django_piggy_verify.models import AuthToken, Contact

_ID = "piggy_verify."
_INFORMAL = "-x-informal"


def check_backend() -> Iterator[CheckMessage]:
    """
    E002: Without the backend or a subclass of it, nobody can log in.

    A provider that cannot log in needs no backend.
    """
    if not anybody_can_log_in():
        return
    try:
        is_there = any(isinstance(each, PiggyBackend) for each in get_backends())
    except (ImportError, ImproperlyConfigured):
        is_there = False
    if not is_there:
        yield Error(
            "AUTHENTICATION_BACKENDS has no PiggyBackend.",
            hint="Add 'django_piggy_verify.backends.PiggyBackend' or a subclass.",
            id=f"{_ID}E002",
        )


def check_sandbox() -> Iterator[CheckMessage]:
    """E010: The sandbox shows all codes to everybody."""
    if not settings.DEBUG and _has_mailbox():
        yield Error(
            "The URLs of the sandbox are installed, but DEBUG is off.",
            hint="Remove django_piggy_verify.sandbox.urls from the URLconf. Without "
            "DEBUG, the sandbox answers every request with 404.",
            id=f"{_ID}E010",
        )


def check_databases() -> Iterator[CheckMessage]:
    """
    E012: Users, contacts and auth tokens must be in the same database.

    Foreign keys connect them, and a foreign key cannot point to another database.
    """
    models = (get_user_model(), Contact, AuthToken)
    homes = {router.db_for_write(model) for model in models}
    if len(homes) > 1:
        yield Error(
            "Users, contacts and auth tokens are in different databases.",
            hint="Let your DATABASE_ROUTERS send them to the same database, because "
            "foreign keys connect them. The counters may be in another database.",
            id=f"{_ID}E012",
        )


def check_redirect() -> Iterator[CheckMessage]:
    """
    W007: ``LOGIN_REDIRECT_URL`` must not lead to a login page.

    A login page sends on a visitor who is logged in. So there would be a redirect loop.
    """
    if not anybody_can_log_in():
        return
    try:
        start = reverse("piggy_verify:email")
        url = urljoin(start, resolve_url(settings.LOGIN_REDIRECT_URL))
    except NoReverseMatch:
        return
    hops = (url, redirects.next_in(url) or url)
    if not urlsplit(url).netloc and all(map(redirects.sends_on, hops)):
        yield Caution(
            "LOGIN_REDIRECT_URL leads to a login page.",
            hint="A login page redirects members who are logged in to "
            "LOGIN_REDIRECT_URL. Set it to the first page for members.",
            id=f"{_ID}W007",
        )


def check_axes() -> Iterator[CheckMessage]:
    """
    W004: By default, django-axes counts each spelling of an address separately.

    A callable of your own is accepted, because it can call the one of this package.
    With a provider that cannot log in, axes counts no codes.
    """
    is_named = getattr(settings, "AXES_USERNAME_CALLABLE", None)
    if apps.is_installed("axes") and not is_named and anybody_can_log_in():
        yield Caution(
            "django-axes is installed, but AXES_USERNAME_CALLABLE is not set.",
            hint="Set AXES_USERNAME_CALLABLE = 'django_piggy_verify.lockout.username', "
            "so that axes counts wrong codes by address. A callable of your own may "
            "call this one.",
            id=f"{_ID}W004",
        )


def check_referrer_policy() -> Iterator[CheckMessage]:
    """
    W008: With the policy ``no-referrer``, nobody can log in.

    Browsers then post every form with ``Origin: null``, and Django's CSRF check refuses
    it. Of several policies, a browser uses the last one that it knows.

    Source: the Fetch standard, "append a request `Origin` header".
    """
    if _referrer_policy() == "no-referrer" and _has_middleware(SecurityMiddleware):
        yield Caution(
            "With this SECURE_REFERRER_POLICY, Django refuses every login.",
            hint="With 'no-referrer', browsers send 'Origin: null'. Django's CSRF "
            "check refuses that. Use another policy, such as Django's default, "
            "'same-origin'.",
            id=f"{_ID}W008",
        )


def check_form_of_address() -> Iterator[CheckMessage]:
    """
    W011: ``LocaleMiddleware`` chooses a language from ``LANGUAGES`` only.

    It takes ``nl`` in place of ``nl-x-informal`` if only ``nl`` is in ``LANGUAGES``, as
    it is by default.
    """
    code = settings.LANGUAGE_CODE
    is_listed = code in dict(settings.LANGUAGES)
    if code.endswith(_INFORMAL) and not is_listed and _has_middleware(LocaleMiddleware):
        yield Caution(
            f"LANGUAGE_CODE is {code!r}, but LANGUAGES does not contain it.",
            hint="LocaleMiddleware chooses from LANGUAGES only, so visitors are "
            "addressed formally. Set LANGUAGES to the languages of your site, with "
            f"{code!r} among them.",
            id=f"{_ID}W011",
        )


def _referrer_policy() -> str | None:
    """Return the last policy that browsers know."""
    setting = getattr(settings, "SECURE_REFERRER_POLICY", None) or ""
    text = setting if isinstance(setting, str) else ",".join(setting)
    policies = [each.strip().lower() for each in text.split(",")]
    known = [each for each in policies if each in REFERRER_POLICY_VALUES]
    return known[-1] if known else None


def _has_middleware(kind: type) -> bool:
    for path in settings.MIDDLEWARE:
        with suppress(ImportError):  # Django itself says so when it serves a request
            found = import_string(path)
            if isinstance(found, type) and issubclass(found, kind):
                return True
    return False


def _has_mailbox() -> bool:
    try:
        reverse("piggy_verify_sandbox:mailbox")
    except NoReverseMatch:
        return False
    return True
