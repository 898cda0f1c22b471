"""
What django-axes must know of a login by code; how it works stands nowhere else.

Axes is no dependency: nothing of it is imported before it locks somebody out.
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
    Answer the name that axes counts a login under, as ``AXES_USERNAME_CALLABLE``.

    For a login by code it is the recipient, in the spelling that all others
    share; None for what is no address. For every other login it is what axes
    would take if this were not set. A callable of your own may call this one.

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
    Note whose code was right, since axes forgets the wrong ones by user name.

    It does so under ``user.get_username()``, which is no address, when the user
    is logged in; any other user who is logged in by the same request keeps
    their own name.
    """
    if request is not None:
        proved = (user.get_username(), recipients.key(recipient))
        request._piggy_verify_proved = proved  # type: ignore[attr-defined]


def raise_if_locked_out(request: HttpRequest) -> None:
    """
    Raise TooManyAttempts if axes locks this visitor out, whatever was typed.

    Whether a code was wrong, or was not even looked at, is then not to be said.
    """
    if getattr(request, "axes_locked_out", False):
        raise TooManyAttempts(limit="lockout", retry_after=_cool_off(request))


def keep_response(request: HttpRequest) -> None:
    """
    Have the middleware of axes leave our answer to this request as it is.

    It would put a text in the place of our JSON. A project that words all its
    lockouts with ``AXES_LOCKOUT_CALLABLE`` goes on doing so.
    """
    if not getattr(settings, "AXES_LOCKOUT_CALLABLE", None):
        request.axes_locked_out = False  # type: ignore[attr-defined]


def _key(recipient: str) -> str | None:
    try:
        return recipients.key(recipients.normalise(recipient))
    except ValueError:
        return None


def _by_default(
    request: HttpRequest | None, credentials: Mapping[str, Any] | None
) -> Any:
    if not credentials:
        credentials = getattr(request, "data", getattr(request, "POST", {}))
    return credentials.get(getattr(settings, "AXES_USERNAME_FORM_FIELD", "username"))


def _cool_off(request: HttpRequest) -> int:
    """Answer for how many seconds axes locks out: at most, and a day if for ever."""
    from axes.helpers import get_cool_off  # noqa: PLC0415  axes may not be there

    duration = get_cool_off(request)
    return ceil(duration.total_seconds()) if duration else _DAY
