"""
The auth tokens of contacts, for whoever needs one: from the cache, or fetched.

No request of a visitor and no vendor's word lives here; what a token opens is
nobody's business but the provider's.
"""

from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction

from django_piggy_verify import events
from django_piggy_verify.auth_tokens import cache, fetching, leases
from django_piggy_verify.auth_tokens.cache import CachedToken
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ContactUnknown, ProviderError
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import TokenProvider


def get_auth_token(
    user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False
) -> str:
    """
    Answer the auth token of the contact that `user` stands for.

    A cached one that has not expired costs one query. Otherwise, or with
    `refresh`, it is fetched and stored: one request goes out, however many
    threads and processes ask, and the others wait for it. Shortly before it
    expires one caller fetches the next, and the others go on with it.

    A fetch that failed is not tried again for three seconds, unless with
    `refresh`. While the old token is valid it serves when the fetch fails.

    In a transaction of the caller's own, threads of one process share a request,
    processes do not: what others store is not seen there, nor is a lock taken.

    Raises ContactUnknown if the user is no contact, or no more; ProviderRefused
    or ProviderUnavailable if there is neither a new token nor a valid old one;
    ImproperlyConfigured if the provider has no tokens.

    Source: GET contact-verification/auth-token/{contact_uuid}, Piggy API v3.
    """
    return str(get_with_expiry(user, refresh=refresh).token)


async def aget_auth_token(
    user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False
) -> str:
    """Answer the same as `get_auth_token`, without blocking the event loop."""
    return await sync_to_async(get_auth_token)(user, refresh=refresh)


def get_with_expiry(
    user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False
) -> CachedToken:
    """Answer the same as `get_auth_token`, with the time at which it expires."""
    if user.pk is None:
        raise ContactUnknown("nobody is no contact")
    provider = get_provider()
    cached = None if refresh else cache.find(user.pk, provider.name)
    if cached and not cached.is_due:
        return cached
    if not isinstance(provider, TokenProvider):
        raise ImproperlyConfigured(f"{conf.provider} hands out no auth tokens")
    try:
        if cached:
            return fetching.fetch_unless_busy(provider, user.pk) or cached
        return fetching.fetch(provider, user.pk, is_renewal=refresh)
    except ProviderError:
        # The old one may have been dropped meanwhile, and a new one be there.
        cached = cache.find(user.pk, provider.name)
        if cached is None:
            raise
    events.AUTH_TOKEN_KEPT.log(until=cached.expires_at)
    return cached


def fetch_at_login(user: AbstractBaseUser) -> None:
    """
    Fetch the token of a user who has just logged in, if the provider has tokens.

    Never raises: the login stands whatever happens here.
    """
    provider = get_provider()
    if not isinstance(provider, TokenProvider):
        return
    try:
        # What the provider fails at is in the log already.
        with suppress(ProviderError):
            fetching.fetch(provider, user.pk, is_renewal=True)
    except ContactUnknown:
        events.CONTACT_GONE.log(user_id=user.pk)
    except Exception:  # noqa: BLE001  an error page would keep the session from being saved
        events.AUTH_TOKEN_FAILED.log(user_id=user.pk, exc_info=True)


def forget_at_logout(user: AbstractBaseUser | None) -> None:
    """Drop the cached tokens of a user who logs out, as the settings want it."""
    if user is not None and conf.forget_token_on_logout:
        _forget(user_id=user.pk)


def forget(contact: Contact) -> int:
    """Drop the cached token of `contact`; answer how many there were, one or none."""
    return _forget(id=contact.pk)


def _forget(**whose: Any) -> int:
    """Drop the tokens of these contacts; one that is being fetched is not stored."""
    with transaction.atomic(using=router.db_for_write(Contact)):
        leases.cancel(**whose)
        return cache.drop(**{f"contact__{name}": whose[name] for name in whose})
