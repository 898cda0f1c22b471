"""
System checks with stable ids: what is missing or unsafe in a project's settings.

One small function per check; the code that reads a setting does not validate it.
``piggy_verify.E...`` stops the server, ``piggy_verify.W...`` warns.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_backends, get_user_model
from django.core.checks import CheckMessage, Error, Warning as Caution
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.urls import NoReverseMatch, reverse

from django_piggy_verify import limits
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.conf import DEFAULT_RATE_LIMITS, conf
from django_piggy_verify.encryption import read_key
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.providers import get_provider

_ID = "piggy_verify."

_Check = Callable[..., Iterator[CheckMessage]]


def check_credentials() -> Iterator[CheckMessage]:
    """E001: without a key or client credentials no call can succeed."""
    key = conf.api_key
    has_key = key.strip() if isinstance(key, str) else key
    if has_key or (conf.client_id and conf.client_secret and conf.token_url):
        return
    yield Error(
        "There is no PIGGY_VERIFY_API_KEY.",
        hint="Make a personal access token in the business dashboard: Apps > "
        "Integrations > Personal Access Tokens.",
        id=f"{_ID}E001",
    )


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


def check_addresses() -> Iterator[CheckMessage]:
    """E003: the bearer token goes to https addresses without user or query only."""
    addresses = {
        "PIGGY_VERIFY_BASE_URL": conf.base_url,
        "PIGGY_VERIFY_TOKEN_URL": conf.token_url,
    }
    if conf.token_url is None:
        del addresses["PIGGY_VERIFY_TOKEN_URL"]
    for name, url in addresses.items():
        if not _is_safe_origin(url):
            yield Error(
                f"{name} is no plain https address.",
                hint="http serves with DEBUG only; no user, query or fragment.",
                id=f"{_ID}E003",
            )


def check_numbers() -> Iterator[CheckMessage]:
    """E004: durations are positive, the floor and the proxy count may be zero."""
    least = {
        "TIMEOUT": (conf.timeout, 0.001),
        "SEND_FLOOR": (conf.send_floor, 0),
        "LOGIN_TTL": (conf.login_ttl, 1),
        "AUTH_TOKEN_TTL": (conf.auth_token_ttl, 1),
    }
    for name, (value, minimum) in least.items():
        if not _is_number(value) or value < minimum:
            yield _bad_value(name, "a number of seconds, positive")
    count = conf.trusted_proxy_count
    if type(count) is not int or count < 0:
        yield _bad_value("TRUSTED_PROXY_COUNT", "a whole number, 0 or more")


def check_encryption_keys() -> Iterator[CheckMessage]:
    """E005: a key that cannot be read would make every token a cache miss."""
    keys = conf.encryption_keys
    if not isinstance(keys, (list, tuple)) or not all(map(_is_key, keys)):
        yield Error(
            "PIGGY_VERIFY_ENCRYPTION_KEYS holds something that is no key.",
            hint="A list of url-safe base64 of 32 bytes, as Fernet.generate_key() "
            "makes.",
            id=f"{_ID}E005",
        )


def check_rate_limits() -> Iterator[CheckMessage]:
    """E006: a limit that is misspelled protects nobody."""
    if not isinstance(getattr(settings, "PIGGY_VERIFY_RATE_LIMITS", {}), dict):
        yield Error("PIGGY_VERIFY_RATE_LIMITS is no dictionary.", id=f"{_ID}E006")
        return
    for name, value in conf.rate_limits.items():
        if name not in DEFAULT_RATE_LIMITS or not _is_limit(name, value):
            yield Error(
                f"PIGGY_VERIFY_RATE_LIMITS[{name!r}] is no limit.",
                hint="Write 'N/[n]unit' with the units s, m, h and d, as in '3/15m'; "
                "check_login is a whole number. The names are: "
                f"{', '.join(DEFAULT_RATE_LIMITS)}.",
                id=f"{_ID}E006",
            )


def check_provider() -> Iterator[CheckMessage]:
    """E007: the provider must be there and take its options."""
    try:
        get_provider()
    except Exception as error:  # noqa: BLE001  a project's own constructor may raise anything
        yield Error(
            f"PIGGY_VERIFY_PROVIDER cannot be used: {type(error).__name__}.",
            hint="It is a dotted path; PIGGY_VERIFY_PROVIDER_OPTIONS are the keyword "
            "arguments of its constructor.",
            id=f"{_ID}E007",
        )


def check_route() -> Iterator[CheckMessage]:
    """E008 and E009: the files and addresses of the way to the provider."""
    if conf.ca_bundle is not None and not Path(str(conf.ca_bundle)).is_file():
        yield Error("PIGGY_VERIFY_CA_BUNDLE is no file.", id=f"{_ID}E008")
    if conf.proxy is not None and not _is_proxy(conf.proxy):
        yield Error("PIGGY_VERIFY_PROXY is no http or https address.", id=f"{_ID}E009")


def check_sandbox() -> Iterator[CheckMessage]:
    """E010: the sandbox shows codes to everybody."""
    if not settings.DEBUG and _is_routed("piggy_verify_sandbox:mailbox"):
        yield Error(
            "The sandbox is mounted, but DEBUG is off.",
            hint="Take django_piggy_verify.sandbox.urls out of the URLconf; it "
            "refuses to serve here anyway.",
            id=f"{_ID}E010",
        )


def check_flags() -> Iterator[CheckMessage]:
    """E011: a text is no flag: "False", from an environment, would mean yes."""
    flags = {
        "CREATE_USERS": conf.create_users,
        "LINK_BY_EMAIL": conf.link_by_email,
        "ALLOW_STAFF": conf.allow_staff,
        "HIDE_UNKNOWN_CONTACTS": conf.hide_unknown_contacts,
        "EXPOSE_AUTH_TOKEN": conf.expose_auth_token,
        "FORGET_TOKEN_ON_LOGOUT": conf.forget_token_on_logout,
    }
    for name, value in flags.items():
        if type(value) is not bool:
            yield Error(f"PIGGY_VERIFY_{name} is not a boolean.", id=f"{_ID}E011")


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


def check_cookies() -> Iterator[CheckMessage]:
    """W002, with ``--deploy``: cookies that are sent over http can be stolen."""
    if not settings.SESSION_COOKIE_SECURE or not settings.CSRF_COOKIE_SECURE:
        yield Caution(
            "SESSION_COOKIE_SECURE or CSRF_COOKIE_SECURE is off.",
            hint="The login cookie is as secure as the session cookie.",
            id=f"{_ID}W002",
        )


def check_proxies() -> Iterator[CheckMessage]:
    """W003, with ``--deploy``: behind a proxy all visitors share one address."""
    if settings.SECURE_PROXY_SSL_HEADER and not conf.trusted_proxy_count:
        yield Caution(
            "There is a proxy in front, but PIGGY_VERIFY_TRUSTED_PROXY_COUNT is 0.",
            hint="All visitors come from the proxy's address and share its limits. "
            "Set how many proxies of your own append to X-Forwarded-For.",
            id=f"{_ID}W003",
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


ALWAYS: Final[Sequence[_Check]] = (
    check_credentials,
    check_backend,
    check_addresses,
    check_numbers,
    check_encryption_keys,
    check_rate_limits,
    check_provider,
    check_route,
    check_sandbox,
    check_flags,
    check_databases,
    check_urls,
    check_axes,
)


ON_DEPLOY: Final[Sequence[_Check]] = (check_cookies, check_proxies)


def run(checks: Sequence[_Check]) -> list[CheckMessage]:
    """Answer what these checks have to say."""
    return [message for check in checks for message in check()]


def _is_safe_origin(url: object) -> bool:
    try:
        parts = urlsplit(str(url))
        is_plain = (
            isinstance(url, str)
            and bool(parts.hostname)
            and not (parts.username or parts.password or parts.query or parts.fragment)
        )
    except ValueError:
        return False
    allowed = {"https", "http"} if settings.DEBUG else {"https"}
    return is_plain and parts.scheme in allowed


def _is_key(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(read_key(text))
    except ValueError:
        return False


def _is_proxy(url: object) -> bool:
    try:
        parts = urlsplit(str(url))
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and math.isfinite(float(str(value)))


def _is_limit(name: str, value: object) -> bool:
    if name == "check_login":
        return type(value) is int and value > 0
    try:
        limits.parse_rate(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False
    return True


def _is_routed(name: str) -> bool:
    try:
        reverse(name)
    except NoReverseMatch:
        return False
    return True


def _bad_value(name: str, wanted: str) -> Error:
    return Error(f"PIGGY_VERIFY_{name} is not {wanted}.", id=f"{_ID}E004")
