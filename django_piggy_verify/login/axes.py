"""
Tell django-axes the recipient of each login by code, and obey the lockouts of axes.

Axes is not a dependency. It is imported only after it has locked a visitor out.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from django_piggy_verify import recipients
from django_piggy_verify.exceptions import TooManyAttempts

_OURS: Final = {"recipient", "secret_code"}
_DAY: Final = 86400


def username(
    request: HttpRequest | None, credentials: Mapping[str, Any] | None = None
) -> Any:
    """
    Return the name under which axes counts a login, as ``AXES_USERNAME_CALLABLE``.

    For a login by code, the name is the address or the number in one spelling, or None
    for any other text. For every other login, it is the name that axes uses without
    this setting. Your own callable may call this one.

    Source: "Customizing username lookups" in the documentation of axes.
    """
    if credentials and credentials.keys() >= _OURS:
        return _key(credentials["recipient"])
    name = _by_default(request, credentials)
    proved_name, recipient = getattr(request, "_piggy_verify_proved", (None, None))
    return recipient if name == proved_name else name


def remember_success(
    request: HttpRequest | None, user: AbstractBaseUser, recipient: str
) -> None:
    """
    Store the user and the recipient on the request, so that axes resets its count.

    At a login, axes resets the count of ``user.get_username()``, which is not the
    recipient. If another user logs in with the same request, the name does not change.
    """
    if request is not None:
        proved = (user.get_username(), recipients.key(recipient))
        request._piggy_verify_proved = proved  # type: ignore[attr-defined]


def raise_if_locked_out(request: HttpRequest) -> None:
    """
    Raise TooManyAttempts if axes locks this visitor out.

    The page does not say whether the code was wrong or was not checked.
    """
    if getattr(request, "axes_locked_out", False):
        raise TooManyAttempts(limit="lockout", retry_after=_cool_off(request))


def keep_response(request: HttpRequest) -> None:
    """
    Keep the middleware of axes from replacing our JSON response with a plain text.

    If a project has set ``AXES_LOCKOUT_CALLABLE``, it still creates the response.
    """
    if not getattr(settings, "AXES_LOCKOUT_CALLABLE", None):
        request.axes_locked_out = False  # type: ignore[attr-defined]


def _key(recipient: str) -> str | None:
    try:
        return recipients.key(recipients.identify(recipient))
    except ValueError:
        return None


def _by_default(
    request: HttpRequest | None, credentials: Mapping[str, Any] | None
) -> Any:
    if not credentials:
        credentials = getattr(request, "data", getattr(request, "POST", {}))
    return credentials.get(getattr(settings, "AXES_USERNAME_FORM_FIELD", "username"))


def _cool_off(request: HttpRequest) -> int:
    """Return the longest lockout in seconds, or a day if lockouts do not end."""
    from axes.helpers import get_cool_off  # noqa: PLC0415  axes may not be there

    duration = get_cool_off(request)
    return ceil(duration.total_seconds()) if duration else _DAY
