"""
The cache of auth tokens: get, store, forget.

No request of a visitor and no vendor's word lives here; what a token opens is
nobody's business but the provider's.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.utils import timezone

from django_piggy_verify import encryption, signals
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    ContactUnknown,
    ProviderError,
)
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.providers import get_provider, log_failure
from django_piggy_verify.providers.base import TokenProvider
from django_piggy_verify.secret import Secret

logger = logging.getLogger("django_piggy_verify")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An auth token and how long it serves."""

    token: Secret
    """What the provider issued."""

    expires_at: datetime
    """When the cache stops using it; the provider names no expiry."""


def get_auth_token(
    user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False
) -> str:
    """
    Answer the auth token of the contact that `user` stands for.

    A cached one that has not expired costs one query; otherwise, or with
    `refresh`, it is fetched and stored. While the old one is valid it serves
    when the fetch fails.

    Raises ContactUnknown if the user is no contact, or no more; ProviderRefused
    or ProviderUnavailable if there is neither a new token nor a valid old one.

    Source: GET contact-verification/auth-token/{contact_uuid}, Piggy API v3.
    """
    return str(serve(user, refresh=refresh).token)


def serve(user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False) -> Served:
    """Answer the same as `get_auth_token`, with the time at which it expires."""
    provider = _token_provider()
    contact = _find_contact(user, provider)
    cached = _open(contact)
    if cached and not refresh:
        return cached
    try:
        return _fetch(provider, contact)
    except ContactUnknown:
        forget(contact)
        raise
    except ProviderError as error:
        log_failure("fetch", error)
        if error.voids_token:
            forget(contact)
        elif cached:
            logger.info("The old auth token serves until %s", cached.expires_at)
            return cached
        raise


def prepare(user: AbstractBaseUser) -> None:
    """
    Fetch the token of a user who has just logged in, if the provider has tokens.

    Never raises: the login stands whatever happens here.
    """
    if not isinstance(get_provider(), TokenProvider):
        return
    try:
        get_auth_token(user, refresh=True)
    except ProviderError:
        logger.debug("The login stands without an auth token")
    except ContactUnknown:
        logger.warning("No auth token at login: the contact is not found any more")
    except Exception:
        # An error page would keep the session from being saved.
        logger.exception("No auth token at login")


def forget(contact: Contact) -> None:
    """Drop the cached token of `contact`."""
    AuthToken.objects.filter(contact=contact).delete()


def forget_at_logout(user: AbstractBaseUser | None, **_kwargs: Any) -> None:
    """Drop the cached tokens of a user who logs out; receives `user_logged_out`."""
    if user is not None and conf.forget_token_on_logout:
        AuthToken.objects.filter(contact__user_id=user.pk).delete()


def _token_provider() -> TokenProvider:
    provider = get_provider()
    if not isinstance(provider, TokenProvider):
        raise ImproperlyConfigured(f"{conf.provider} hands out no auth tokens")
    return provider


def _find_contact(
    user: AbstractBaseUser | AnonymousUser, provider: TokenProvider
) -> Contact:
    if user.pk is None:
        raise ContactUnknown("nobody is no contact")
    contact = (
        Contact.objects.filter(user_id=user.pk, provider=provider.name)
        .select_related("auth_token")
        .first()
    )
    if contact is None:
        raise ContactUnknown("this user is no contact")
    return contact


def _open(contact: Contact) -> Served | None:
    """Answer the cached token if it is valid and can be decrypted."""
    cached: AuthToken | None = getattr(contact, "auth_token", None)
    if cached is None or cached.expires_at <= timezone.now():
        return None
    token = encryption.decrypt(bytes(cached.ciphertext), bound_to=_binding(contact))
    return Served(token=token, expires_at=cached.expires_at) if token else None


def _fetch(provider: TokenProvider, contact: Contact) -> Served:
    fetched_at = timezone.now()
    token = provider.fetch_auth_token(contact.uid)
    expires_at = fetched_at + timedelta(seconds=conf.auth_token_ttl)
    values = {
        "ciphertext": encryption.encrypt(token, bound_to=_binding(contact)),
        "fetched_at": fetched_at,
        "expires_at": expires_at,
    }
    if not AuthToken.objects.filter(contact=contact).update(**values):
        _insert(AuthToken(contact=contact, **values))
    signals.auth_token_fetched.send_robust(
        type(provider), contact=contact, expires_at=expires_at
    )
    return Served(token=token, expires_at=expires_at)


def _insert(row: AuthToken) -> None:
    try:
        # Somebody else may store one this instant; theirs is as good.
        AuthToken.objects.bulk_create([row], ignore_conflicts=True)
    except IntegrityError:
        raise ContactUnknown("the contact was deleted meanwhile") from None


def _binding(contact: Contact) -> str:
    return f"{contact.provider}\0{contact.uid}"
