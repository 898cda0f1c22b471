"""
Get a link to the provider's portal that logs a contact in there.

The link is a credential. It is fetched for one visit and stored nowhere.
"""

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured

from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking
from django_piggy_verify.exceptions import ContactUnknown
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import PortalProvider
from django_piggy_verify.providers.call_log import logged_call
from django_piggy_verify.secret import Secret


def get_portal_url(user: AbstractBaseUser | AnonymousUser) -> str:
    """
    Return a URL that opens the portal with the contact of `user` logged in.

    The URL logs in anybody who has it. Redirect the contact's own browser to it, as
    `PortalView` does. Do not store, log or mail it. Each call fetches a new URL, with
    one query and one request. It opens no transaction.

    Raises ContactUnknown if the user is not a contact, or not any more. The cached auth
    token is then deleted. Raises ProviderRefused or ProviderUnavailable if the
    provider gives no URL. Raises ImproperlyConfigured if it has no portal.
    """
    return str(fetch(user))


async def aget_portal_url(user: AbstractBaseUser | AnonymousUser) -> str:
    """Return the same as `get_portal_url`, without blocking the event loop."""
    return await sync_to_async(get_portal_url)(user)


def fetch(user: AbstractBaseUser | AnonymousUser) -> Secret:
    """Return the same as `get_portal_url`, as a text whose ``repr`` is hidden."""
    provider = get_provider()
    if not isinstance(provider, PortalProvider):
        raise ImproperlyConfigured(f"{conf.provider} has no portal")
    contact = _find_contact(user.pk, provider.name)
    with cache.drop_if_refused(contact), logged_call("portal"):
        return provider.fetch_portal_url(contact.uid)


def _find_contact(user_id: Any, provider: str) -> Contact:
    rows = locking.primary_rows(Contact)
    contact = rows.filter(user_id=user_id, provider=provider).first()
    if contact is None:
        raise ContactUnknown("this user is no contact")
    return contact
