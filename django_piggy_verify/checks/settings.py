"""The checks of single settings: numbers, booleans, keys and limits."""

import math
from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Error

from django_piggy_verify import callables
from django_piggy_verify.checks.accounts import known_traits
from django_piggy_verify.conf import DEFAULT_RATE_LIMITS, conf
from django_piggy_verify.encryption import read_key
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.login import client_address, user_access
from django_piggy_verify.secret import Secret

_ID = "piggy_verify."


def check_numbers() -> Iterator[CheckMessage]:
    """
    E004: Durations must be positive numbers.

    Two settings may be 0: the send floor and the number of proxies.
    """
    least = {
        "TIMEOUT": (conf.timeout, 0.001),
        "SEND_FLOOR": (conf.send_floor, 0),
        "LOGIN_TTL": (conf.login_ttl, 1),
        "AUTH_TOKEN_TTL": (conf.auth_token_ttl, 1),
        "REFRESH_TOKEN_TTL": (conf.refresh_token_ttl, 1),
    }
    for name, (value, minimum) in least.items():
        if not _is_number(value) or value < minimum:
            yield _bad_value(name, "a positive number of seconds")
    count = conf.trusted_proxy_count
    if type(count) is not int or count < 0:
        yield _bad_value("TRUSTED_PROXY_COUNT", "a whole number, 0 or more")


def check_client_address() -> Iterator[CheckMessage]:
    """
    E017 and E018: The callable must return the address of each visitor.

    If it cannot be called, all visitors share the limits of one visitor. If both
    settings are set, the package ignores the number of proxies. Remove one of them.
    """
    if conf.client_address is None:
        return
    try:
        client_address.import_callable()
    except Exception as error:  # noqa: BLE001  an import may raise anything
        yield Error(
            "PIGGY_VERIFY_CLIENT_ADDRESS cannot be used: "
            f"{callables.why_unusable(conf.client_address, error)}.",
            hint="Set it to a callable, or to the dotted path of one, that takes the "
            "request and returns the visitor's address.",
            id=f"{_ID}E017",
        )
    if conf.trusted_proxy_count:
        yield Error(
            "PIGGY_VERIFY_CLIENT_ADDRESS and PIGGY_VERIFY_TRUSTED_PROXY_COUNT are "
            "both set.",
            hint="The callable is used, and the number is ignored. Remove one.",
            id=f"{_ID}E018",
        )


def check_user_access() -> Iterator[CheckMessage]:
    """
    E016: Some providers need the access of the user who is logged in.

    The callable, or its dotted path, must be set then. The check does not call it.
    """
    if not any(each.wants_user_access for each in known_traits()):
        return
    try:
        user_access.import_callable()
    except Exception as error:  # noqa: BLE001  an import may raise anything
        yield Error(
            "PIGGY_VERIFY_USER_ACCESS cannot be used: "
            f"{user_access.why_unusable(error)}.",
            hint="Set it to a callable, or to the dotted path of one, that takes the "
            "request and returns the UserAccess of the user, or None.",
            id=f"{_ID}E016",
        )


def check_encryption_keys() -> Iterator[CheckMessage]:
    """E005: With a key that cannot be read, nothing stored can be decrypted."""
    if not _are_keys(conf.encryption_keys):
        yield Error(
            "PIGGY_VERIFY_ENCRYPTION_KEYS is not a list of keys.",
            hint="Each key is a text: 32 bytes in URL-safe base64. "
            "Fernet.generate_key().decode() returns such a text.",
            id=f"{_ID}E005",
        )


def check_rate_limits() -> Iterator[CheckMessage]:
    """E006: A limit with a wrong name or value protects nobody."""
    if not isinstance(getattr(settings, "PIGGY_VERIFY_RATE_LIMITS", {}), dict):
        yield Error("PIGGY_VERIFY_RATE_LIMITS is not a dictionary.", id=f"{_ID}E006")
        return
    for name, value in conf.rate_limits.items():
        if name not in DEFAULT_RATE_LIMITS or not _is_limit(name, value):
            yield Error(
                f"PIGGY_VERIFY_RATE_LIMITS[{name!r}] is not a limit.",
                hint="Write 'N/[n]unit' with the units s, m, h and d, such as '3/15m'. "
                "check_login is a whole number, and send_day may be None. The names "
                "are: "
                f"{', '.join(DEFAULT_RATE_LIMITS)}.",
                id=f"{_ID}E006",
            )


def check_flags() -> Iterator[CheckMessage]:
    """
    E011: The value must be True or False.

    A text from the environment, such as ``"False"``, would count as true.
    """
    flags = {
        "BACKGROUND": conf.background,
        "CREATE_USERS": conf.create_users,
        "LINK_BY_EMAIL": conf.link_by_email,
        "ALLOW_STAFF": conf.allow_staff,
        "CONNECT": conf.connect,
        "HIDE_UNKNOWN_CONTACTS": conf.hide_unknown_contacts,
        "EXPOSE_AUTH_TOKEN": conf.expose_auth_token,
        "FORGET_TOKEN_ON_LOGOUT": conf.forget_token_on_logout,
    }
    for name, value in flags.items():
        if type(value) is not bool:
            yield Error(f"PIGGY_VERIFY_{name} is not a boolean.", id=f"{_ID}E011")


def _are_keys(keys: object) -> bool:
    return isinstance(keys, (list, tuple)) and all(map(_is_key, keys))


def _is_key(text: object) -> bool:
    return isinstance(text, str) and _can_be_read(Secret(text))


def _can_be_read(key: Secret) -> bool:
    try:
        return bool(read_key(key))
    except ValueError:
        return False


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and math.isfinite(float(str(value)))


def _is_limit(name: str, value: object) -> bool:
    if name == "check_login":
        return type(value) is int and value > 0
    if name == "send_day" and value is None:
        return True
    try:
        fixed_windows.parse_rate(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False
    return True


def _bad_value(name: str, wanted: str) -> Error:
    return Error(f"PIGGY_VERIFY_{name} is not {wanted}.", id=f"{_ID}E004")
