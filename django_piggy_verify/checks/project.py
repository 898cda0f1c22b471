"""Check the project around the app: backends, databases, routes, other apps."""

from collections.abc import Iterator
from contextlib import suppress

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_backends, get_user_model
from django.core.checks import CheckMessage, Error, Warning as Caution
from django.core.checks.security.base import REFERRER_POLICY_VALUES
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.middleware.security import SecurityMiddleware
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.models import AuthToken, Contact

_ID = "piggy_verify."


def check_backend() -> Iterator[CheckMessage]:
    """E002: nobody can be logged in without the backend or a subclass of it."""
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
    """E010: the sandbox shows codes to everybody."""
    if not settings.DEBUG and _is_routed("piggy_verify_sandbox:mailbox"):
        yield Error(
            "The sandbox is mounted, but DEBUG is off.",
            hint="Take django_piggy_verify.sandbox.urls out of the URLconf; it "
            "refuses to serve here anyway.",
            id=f"{_ID}E010",
        )


def check_databases() -> Iterator[CheckMessage]:
    """E012: contacts refer to users, and tokens to contacts, within a database."""
    models = (get_user_model(), Contact, AuthToken)
    homes = {router.db_for_write(model) for model in models}
    if len(homes) > 1:
        yield Error(
            "Users, contacts and auth tokens are in different databases.",
            hint="Have your DATABASE_ROUTERS send them to one: foreign keys do not "
            "reach further. Counts of attempts may be elsewhere.",
            id=f"{_ID}E012",
        )


def check_urls() -> Iterator[CheckMessage]:
    """W001: without the URLs there is no page to log in on."""
    if not _is_routed("piggy_verify:email"):
        yield Caution(
            "The pages are not routed.",
            hint="Add path('login/', include('django_piggy_verify.urls')), outside "
            "of any other namespace.",
            id=f"{_ID}W001",
        )


def check_axes() -> Iterator[CheckMessage]:
    """
    W004: by itself axes counts each spelling apart, and keeps what it counted.

    A callable of the project's own may well call ours: it is its business.
    """
    is_named = getattr(settings, "AXES_USERNAME_CALLABLE", None)
    if apps.is_installed("axes") and not is_named:
        yield Caution(
            "django-axes is installed, but AXES_USERNAME_CALLABLE is not set.",
            hint="AXES_USERNAME_CALLABLE = 'django_piggy_verify.lockout.username' "
            "counts wrong codes by address; a callable of your own may call it.",
            id=f"{_ID}W004",
        )


def check_referrer_policy() -> Iterator[CheckMessage]:
    """
    W008: With the policy ``no-referrer``, nobody can log in.

    Browsers then post every form with ``Origin: null``, and Django's CSRF check refuses
    it. Of several policies, a browser uses the last one that it knows.

    Source: the Fetch standard, "append a request `Origin` header".
    """
    if _referrer_policy() == "no-referrer" and _has_security_middleware():
        yield Caution(
            "SECURE_REFERRER_POLICY makes browsers hide where a form comes from.",
            hint="Django's CSRF check then refuses all forms. Use 'same-origin', "
            "Django's default, or another policy than 'no-referrer'.",
            id=f"{_ID}W008",
        )


def _referrer_policy() -> str | None:
    """Return the last policy that browsers know."""
    setting = getattr(settings, "SECURE_REFERRER_POLICY", None) or ""
    text = setting if isinstance(setting, str) else ",".join(setting)
    policies = [each.strip().lower() for each in text.split(",")]
    known = [each for each in policies if each in REFERRER_POLICY_VALUES]
    return known[-1] if known else None


def _has_security_middleware() -> bool:
    for path in settings.MIDDLEWARE:
        with suppress(ImportError):  # Django itself says so when it serves a request
            found = import_string(path)
            if isinstance(found, type) and issubclass(found, SecurityMiddleware):
                return True
    return False


def _is_routed(name: str) -> bool:
    try:
        reverse(name)
    except NoReverseMatch:
        return False
    return True
