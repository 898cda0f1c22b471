"""
The way into the provider's portal, for whoever sends a contact there.

An address that logs in whoever opens it: it is fetched for one visit, and kept
nowhere. No request of a visitor and no vendor's word lives here.
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
from django_piggy_verify.providers.calls import logged_call
from django_piggy_verify.secret import Secret


def get_portal_url(user: AbstractBaseUser | AnonymousUser) -> str:
    """
    Answer an address that opens the portal with the contact of `user` logged in.

    Whoever has it is in: lead the contact's own browser there, as `PortalView`
    does, and neither store, log nor mail it. Each call fetches another one, in
    one query and one request, outside of any transaction but the caller's.

    Raises ContactUnknown if the user is no contact, or no more, which drops the
    cached auth token as well; ProviderRefused or ProviderUnavailable if there is
    no address to be had; ImproperlyConfigured if the provider has no portal.

    Source: GET contacts-portal/auth-url, Piggy API v3.
    """
    return str(fetch(user))


async def aget_portal_url(user: AbstractBaseUser | AnonymousUser) -> str:
    """Answer the same as `get_portal_url`, without blocking the event loop."""
    return await sync_to_async(get_portal_url)(user)


def fetch(user: AbstractBaseUser | AnonymousUser) -> Secret:
    """Answer the same as `get_portal_url`, as a text that does not show itself."""
    provider = get_provider()
    if not isinstance(provider, PortalProvider):
        raise ImproperlyConfigured(f"{conf.provider} has no portal")
    contact = _find_contact(user.pk, provider.name)
    with cache.voided_by_refusal(contact), logged_call("portal"):
        return provider.fetch_portal_url(contact.uid)


def _find_contact(user_id: Any, provider: str) -> Contact:
    rows = locking.primary_rows(Contact)
    contact = rows.filter(user_id=user_id, provider=provider).first()
    if contact is None:
        raise ContactUnknown("this user is no contact")
    return contact
