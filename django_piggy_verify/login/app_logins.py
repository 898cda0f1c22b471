"""
Remember which contact a code of an app has proved.

The response with the token may be lost on its way to the app, or the project may fail
to make the token. The app can then post the same code again.
"""

from typing import Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from django_piggy_verify.db import locking
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Rate
from django_piggy_verify.login import rate_limits
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.secret import Secret

_LARGEST: Final = 2**31 - 1
"""The largest count that every database can store."""


def remember(
    request: HttpRequest, recipient: str, code: Secret, user: AbstractBaseUser
) -> None:
    """
    Store the contact of `user`, whom `code` has logged in, with this login.

    Call it in the transaction of the login. Otherwise a second request with the code
    could find that the code was right, but not whose code it was.

    Nothing is stored if the user has no contact, because the project's own backend has
    chosen another user. Then the code cannot be posted again.
    """
    rows = locking.primary_rows(Contact)
    contact = rows.filter(user_id=user.pk, provider=get_provider().name).first()
    if contact is not None and contact.pk <= _LARGEST:
        claim = _claim(request, recipient, code, contact.pk)
        fixed_windows.exhaust([claim], windows={}, give_back=[])


def user_of(
    request: HttpRequest, recipient: str, code: Secret
) -> AbstractBaseUser | None:
    """
    Return the user whom `code` has logged in, in the same login in progress.

    Return None if there is none. The caller has to ask whether the user may still log
    in.
    """
    [usage] = fixed_windows.usage([_claim(request, recipient, code)])
    rows = locking.primary_rows(Contact).select_related("user")
    contact = rows.filter(pk=usage.number).first()
    return contact.user if contact else None


def _claim(
    request: HttpRequest, recipient: str, code: Secret, number: int = 1
) -> Claim:
    """
    Return the claim of a code in a login in progress.

    The primary key of the contact is stored as the count of its row.
    """
    _use, [in_login] = rate_limits.of_code(recipient, code, request)
    rate = Rate(number, in_login.rate.period)
    return fixed_windows.claim("app_contact", in_login.key, rate=rate)
