"""Run one call of the provider about the contact of a user."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.db import locking
from django_piggy_verify.exceptions import ContactUnknown
from django_piggy_verify.models import Contact
from django_piggy_verify.providers.call_log import logged_call


@contextmanager
def call_about(
    user: AbstractBaseUser | AnonymousUser, *, provider: str, verb: str
) -> Iterator[str]:
    """
    Yield the `uid` of the user's contact of this provider, for one call about it.

    Log how the call ended, under the name `verb`. Delete the contact's cached auth
    token if the provider's refusal makes the token void. No transaction is opened.

    Raises ContactUnknown if the user is not a contact.
    """
    contact = _find_contact(user.pk, provider)
    with cache.drop_if_refused(contact), logged_call(verb):
        yield contact.uid


def _find_contact(user_id: Any, provider: str) -> Contact:
    rows = locking.primary_rows(Contact)
    contact = rows.filter(user_id=user_id, provider=provider).first()
    if contact is None:
        raise ContactUnknown("this user is no contact")
    return contact
