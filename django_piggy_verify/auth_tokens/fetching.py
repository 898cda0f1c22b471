"""
Fetch a contact's auth token from the provider, with one request for all callers.

A provider that is a `TokenRefresher` only is asked for new tokens in exchange for the
stored refresh token. This counts as a fetch too.

Threads of one process share the call. Other processes wait for a lease, and then
read the stored token. `tokens` decides whether a token has to be fetched.
"""

import time
from datetime import datetime
from typing import Any, Final, TypeAlias

from django.db import router, transaction
from django.utils import timezone

from django_piggy_verify import events, signals
from django_piggy_verify.auth_tokens import cache, leases, refreshing
from django_piggy_verify.auth_tokens.cache import CachedToken, IssuedToken
from django_piggy_verify.auth_tokens.leases import Lease
from django_piggy_verify.auth_tokens.single_flight import SingleFlight
from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking, retries
from django_piggy_verify.exceptions import (
    ContactUnknown,
    LoginRequired,
    ProviderUnavailable,
)
from django_piggy_verify.models import Contact, FetchState
from django_piggy_verify.providers.base import Provider, TokenProvider, TokenRefresher
from django_piggy_verify.providers.call_log import logged_call

Issuer: TypeAlias = TokenProvider | TokenRefresher
"""A provider that can be asked for another token of a contact."""

_SHORTEST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.25

_fetches: Final[SingleFlight[CachedToken]] = SingleFlight()
_calls: Final[SingleFlight[IssuedToken]] = SingleFlight()


def fetch(provider: Issuer, user_id: Any, *, is_renewal: bool) -> CachedToken:
    """
    Fetch and store this user's token, or wait for another caller's fetch.

    With `is_renewal`, a stored token and a remembered failure are ignored.
    Raises ContactUnknown, LoginRequired, ProviderRefused or ProviderUnavailable.
    """
    contact = find_contact(user_id, provider)
    if not is_renewal and (stored := cache.find_with(contact)):
        # Another caller has stored it since this one has found none.
        return stored
    _require_means(provider, contact)
    key = (_database(), contact.pk)
    try:
        if is_in_transaction():
            return _fetch_in_transaction(provider, contact, key)
        # Two timeouts: one for the call of another process, and one for our own call.
        return _fetches.join(
            key,
            lambda: _fetch_in_turn(provider, contact, is_renewal=is_renewal),
            timeout=2 * conf.timeout,
        )[0]
    except TimeoutError:
        raise ProviderUnavailable("another thread still waits for its answer") from None


def fetch_unless_busy(provider: Issuer, user_id: Any) -> CachedToken | None:
    """
    Fetch and store the next token, or return the one that another caller has stored.

    Return None if a fetch is under way or has just failed, or if only another login
    brings a token.
    """
    if is_in_transaction():
        return None
    contact = find_contact(user_id, provider)
    if (stored := cache.find_with(contact)) and not stored.is_due:
        return stored
    try:
        _require_means(provider, contact)
    except LoginRequired:
        return None
    lease = leases.take(contact) if leases.is_free(contact) else None
    return _fetch(provider, lease) if lease else None


def fetch_under_lease(
    provider: TokenProvider, contact: Contact, lease_until: datetime
) -> None:
    """
    Fetch the token under a lease that was taken after `contact` was read.

    Store no token if the user has logged out or in again since, because that ends the
    lease. Do not even fetch it if the lease has expired and another caller has it.

    Raises ContactUnknown, ProviderRefused or ProviderUnavailable.
    """
    contact.fetch_until, contact.fetch_state = lease_until, FetchState.FETCHING
    if lease := leases.resumed(contact):
        _fetch(provider, lease)


def is_in_transaction() -> bool:
    """Return whether a transaction is open, in which a lease would lock the row."""
    return locking.is_in_transaction(_database())


def find_contact(user_id: Any, provider: Provider | Issuer) -> Contact:
    """Return the contact of this user, read together with its token."""
    rows = locking.primary_rows(Contact).filter(user_id=user_id, provider=provider.name)
    for contact in rows.select_related("auth_token"):
        return contact
    raise ContactUnknown("this user is no contact")


def announce(provider: object, contact: Contact, issued: IssuedToken) -> None:
    """Log and signal that a token of `contact` was issued and stored."""
    events.AUTH_TOKEN_FETCHED.log(until=issued.expires_at)
    signals.auth_token_fetched.send_robust(
        type(provider), contact=contact, expires_at=issued.expires_at
    )


def _require_means(provider: Issuer, contact: Contact) -> None:
    """Raise LoginRequired if the provider cannot be asked for a token of `contact`."""
    if not isinstance(provider, TokenProvider):
        refreshing.token_of(contact)


def _fetch_in_turn(
    provider: Issuer, contact: Contact, *, is_renewal: bool
) -> CachedToken:
    """Fetch under a lease, or wait for the token that its holder stores."""
    known, began = cache.find_with(contact), time.monotonic()
    if not is_renewal:
        leases.raise_remembered(contact)
    while True:
        waited = time.monotonic() - began
        if leases.is_busy(contact) and waited < conf.timeout:
            time.sleep(min(max(_SHORTEST_PAUSE, waited / 8), _LONGEST_PAUSE))
        elif lease := leases.take(contact):
            return _fetch(provider, lease)
        contact = find_contact(contact.user_id, provider)
        if (news := cache.find_with(contact)) and news != known:
            return news
        leases.raise_remembered(contact)
        _require_means(provider, contact)


def _fetch(provider: Issuer, lease: Lease) -> CachedToken:
    contact, asked_at = lease.contact, timezone.now()
    with leases.held(lease):
        try:
            issued = _call_provider(provider, contact, asked_at)
        except LoginRequired:
            current = find_contact(contact.user_id, provider)
            found = refreshing.after_refusal(contact, current)
            lease.end()
            return found
        _store(lease, issued, asked_at)
    announce(provider, contact, issued)
    return issued


@retries.retry_on_conflict
def _store(lease: Lease, issued: IssuedToken, asked_at: datetime) -> None:
    """
    Store the fetched token, unless the user has logged out meanwhile.

    After a refresh, the lease does not decide about that. If it has expired, the old
    refresh token is spent all the same, so the new one must not be lost.
    """
    rest = cache.rest(issued.expires_at - asked_at)
    with transaction.atomic(using=_database()):
        if lease.end(lasting=rest) or issued.used:
            cache.store(lease.contact, issued, fetched_at=asked_at)


def _fetch_in_transaction(
    provider: Issuer, contact: Contact, key: object
) -> CachedToken:
    """
    Fetch without a lease: inside a transaction, a lease would lock the row.

    Threads share only the call, not the storing. A thread that waits for the storing
    could hold a lock that the other thread needs.

    Another process may use the same refresh token at the same time. So a refusal does
    not tell that a login is needed, and nothing is deleted.
    """
    asked_at = timezone.now()
    try:
        issued, is_own = _calls.join(
            key,
            lambda: _call_provider(provider, contact, asked_at),
            timeout=conf.timeout,
        )
    except LoginRequired:
        events.REFRESH_REFUSED.log(user_id=contact.user_id)
        cause = "the refresh token was refused, perhaps because it has just been used"
        raise ProviderUnavailable(cause) from None
    if is_own and Contact.objects.select_for_update().filter(pk=contact.pk).first():
        cache.store(contact, issued, fetched_at=asked_at)
        announce(provider, contact, issued)
    return issued


def _call_provider(
    provider: Issuer, contact: Contact, asked_at: datetime
) -> IssuedToken:
    if not isinstance(provider, TokenProvider):
        return refreshing.refresh(provider, contact, asked_at)
    with cache.drop_if_refused(contact), logged_call("fetch"):
        token = provider.fetch_auth_token(contact.uid)
    return IssuedToken(token=token, expires_at=cache.expiry(asked_at))


def _database() -> str:
    return router.db_for_write(Contact)
