"""
The cache of auth tokens: get, store, forget.

No request of a visitor and no vendor's word lives here; what a token opens is
nobody's business but the provider's.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router, transaction
from django.utils import timezone

from django_piggy_verify import conflicts, encryption, leases, signals
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    ContactUnknown,
    ProviderError,
    ProviderUnavailable,
)
from django_piggy_verify.flights import Flights
from django_piggy_verify.leases import Lease
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.providers import get_provider, log_failure
from django_piggy_verify.providers.base import TokenProvider
from django_piggy_verify.secret import Secret

logger = logging.getLogger("django_piggy_verify")

REFRESH_AHEAD: Final = 30
"""Seconds before its expiry at which a token is refreshed, or a tenth of its life."""

_SHORTEST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An auth token and how long it serves."""

    token: Secret
    """What the provider issued."""

    fetched_at: datetime
    """When it was asked for."""

    expires_at: datetime
    """When the cache stops using it; the provider names no expiry."""

    @property
    def is_due(self) -> bool:
        """Whether one caller should fetch the next one, while it still serves."""
        ahead = min(REFRESH_AHEAD, conf.auth_token_ttl / 10)
        return self.expires_at - timezone.now() < timedelta(seconds=ahead)


_flights: Final[Flights[Served]] = Flights()
_calls: Final[Flights[Served]] = Flights()


def get_auth_token(
    user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False
) -> str:
    """
    Answer the auth token of the contact that `user` stands for.

    A cached one that has not expired costs one query. Otherwise, or with
    `refresh`, it is fetched and stored: one request goes out, however many
    threads and processes ask, and the others wait for it. Shortly before it
    expires one caller fetches the next, and the others go on with it.

    A fetch that failed is not tried again for `leases.MEMORY` seconds, but with
    `refresh`. While the old token is valid it serves when the fetch fails.

    In a transaction of the caller's own, threads of one process share a request,
    processes do not: what others store is not seen there, nor is a lock taken.

    Raises ContactUnknown if the user is no contact, or no more; ProviderRefused
    or ProviderUnavailable if there is neither a new token nor a valid old one.

    Source: GET contact-verification/auth-token/{contact_uuid}, Piggy API v3.
    """
    return str(serve(user, refresh=refresh).token)


async def aget_auth_token(
    user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False
) -> str:
    """Answer the same as `get_auth_token`, without blocking the event loop."""
    return await sync_to_async(get_auth_token)(user, refresh=refresh)


def serve(user: AbstractBaseUser | AnonymousUser, *, refresh: bool = False) -> Served:
    """Answer the same as `get_auth_token`, with the time at which it expires."""
    provider = _token_provider()
    contact = _find_contact(user.pk, provider)
    cached = _open(contact)
    if cached and not refresh and not cached.is_due:
        return cached
    try:
        if cached and not refresh:
            return _refresh_ahead(provider, contact) or cached
        return _fetch_once(provider, contact, refresh=refresh)
    except ProviderError:
        # The old one may have been dropped meanwhile, and a new one be there.
        cached = _open(_find_contact(user.pk, provider))
        if cached is None:
            raise
    logger.info("The old auth token serves until %s", cached.expires_at)
    return cached


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
    """
    Drop the cached tokens of a user who logs out; receives `user_logged_out`.

    One that is being fetched at this moment will not be stored.
    """
    if user is None or not conf.forget_token_on_logout:
        return
    with transaction.atomic(using=_database()):
        leases.cancel(user.pk)
        AuthToken.objects.filter(contact__user_id=user.pk).delete()


def _token_provider() -> TokenProvider:
    provider = get_provider()
    if not isinstance(provider, TokenProvider):
        raise ImproperlyConfigured(f"{conf.provider} hands out no auth tokens")
    return provider


def _find_contact(user_id: Any, provider: TokenProvider) -> Contact:
    if user_id is None:
        raise ContactUnknown("nobody is no contact")
    contact = (
        conflicts.current(Contact)
        .filter(user_id=user_id, provider=provider.name)
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
    token = encryption.decrypt(bytes(cached.ciphertext), bound_to=contact.binding)
    if token is None:
        return None
    return Served(
        token=token, fetched_at=cached.fetched_at, expires_at=cached.expires_at
    )


def _refresh_ahead(provider: TokenProvider, contact: Contact) -> Served | None:
    """Fetch the next token, if this caller is the one to do so."""
    if _in_transaction() or not leases.is_free(contact):
        return None
    lease = leases.take(contact)
    return _fetch(provider, lease) if lease else None


def _fetch_once(provider: TokenProvider, contact: Contact, *, refresh: bool) -> Served:
    """Fetch, or get what another thread or process is fetching."""
    key = (_database(), contact.pk)
    try:
        if _in_transaction():
            return _fetch_in_transaction(provider, contact, key)
        # As long as another process may take, and then this one.
        return _flights.join(
            key,
            lambda: _fetch_in_turn(provider, contact, refresh=refresh),
            timeout=2 * conf.timeout,
        )[0]
    except TimeoutError:
        raise ProviderUnavailable("another thread still waits for its answer") from None


def _fetch_in_turn(
    provider: TokenProvider, contact: Contact, *, refresh: bool
) -> Served:
    """Fetch under a lease, or wait for what its holder gets."""
    known, began = _open(contact), time.monotonic()
    if not refresh:
        leases.raise_remembered(contact)
    while True:
        waited = time.monotonic() - began
        if leases.is_busy(contact) and waited < conf.timeout:
            time.sleep(min(max(_SHORTEST_PAUSE, waited / 8), _LONGEST_PAUSE))
        elif lease := leases.take(contact):
            return _fetch(provider, lease)
        contact = _find_contact(contact.user_id, provider)
        if (news := _open(contact)) and news != known:
            return news
        leases.raise_remembered(contact)


def _fetch(provider: TokenProvider, lease: Lease) -> Served:
    contact = lease.contact
    with leases.held(lease):
        served = _ask(provider, contact)
        row = _row_of(contact, served)
        with transaction.atomic(using=_database()):
            # Not if the user has logged out meanwhile.
            if lease.end():
                _store(row)
    _tell(provider, row)
    return served


def _fetch_in_transaction(
    provider: TokenProvider, contact: Contact, key: object
) -> Served:
    """
    Fetch without a lease, which here would be a lock on its row.

    What is shared ends with the call: whoever waits for more than that may hold
    a lock that the other needs.
    """
    served, is_own = _calls.join(
        key, lambda: _ask(provider, contact), timeout=conf.timeout
    )
    if is_own and Contact.objects.select_for_update().filter(pk=contact.pk).first():
        _store(row := _row_of(contact, served))
        _tell(provider, row)
    return served


def _ask(provider: TokenProvider, contact: Contact) -> Served:
    asked_at = timezone.now()
    try:
        token = provider.fetch_auth_token(contact.uid)
    except ContactUnknown:
        forget(contact)
        raise
    except ProviderError as error:
        log_failure("fetch", error)
        if error.voids_token:
            forget(contact)
        raise
    expires_at = asked_at + timedelta(seconds=conf.auth_token_ttl)
    return Served(token=token, fetched_at=asked_at, expires_at=expires_at)


def _row_of(contact: Contact, served: Served) -> AuthToken:
    return AuthToken(
        contact=contact,
        ciphertext=encryption.encrypt(served.token, bound_to=contact.binding),
        fetched_at=served.fetched_at,
        expires_at=served.expires_at,
    )


def _store(row: AuthToken) -> None:
    features = connections[_database()].features
    AuthToken.objects.bulk_create(
        [row],
        update_conflicts=True,
        update_fields=["ciphertext", "fetched_at", "expires_at"],
        # MySQL takes any key that is in conflict, and may not be told which.
        unique_fields=["contact"]
        if features.supports_update_conflicts_with_target
        else None,
    )


def _tell(provider: TokenProvider, row: AuthToken) -> None:
    signals.auth_token_fetched.send_robust(
        type(provider), contact=row.contact, expires_at=row.expires_at
    )


def _in_transaction() -> bool:
    return connections[_database()].in_atomic_block


def _database() -> str:
    return router.db_for_write(Contact)
