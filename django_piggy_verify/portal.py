"""
Get a link to the provider's portal that logs a contact in there.

The link is a credential. It is fetched for one visit and stored nowhere.
"""

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured

from django_piggy_verify.conf import conf
from django_piggy_verify.contact_calls import call_about
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import PortalProvider
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
    with call_about(user, provider=provider.name, verb="portal") as uid:
        return provider.fetch_portal_url(uid)
