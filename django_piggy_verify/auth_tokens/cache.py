"""
Find, decrypt, store and delete the cached auth tokens: one row for each contact.

`fetching` gets new tokens, and `tokens` decides when a new one is needed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from django.db import connections, router
from django.db.models import Q, QuerySet, TextChoices
from django.utils import timezone
from django.utils.translation import pgettext_lazy

from django_piggy_verify import durations, encryption
from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking, retries
from django_piggy_verify.exceptions import ContactUnknown, ProviderError
from django_piggy_verify.models import AuthToken, Contact, binding
from django_piggy_verify.secret import Secret

REFRESH_AHEAD: Final = 30
"""A token is refreshed this many seconds before its expiry, or a tenth of its life."""

_STORED: Final = ("ciphertext", "refresh_ciphertext", "fetched_at", "expires_at")


class Freshness(TextChoices):
    """The state of a stored token, in a word."""

    NONE = "none", pgettext_lazy("auth token", "none")
    FRESH = "fresh", pgettext_lazy("auth token", "fresh")
    EXPIRING = "expiring", pgettext_lazy("auth token", "expiring")
    EXPIRED = "expired", pgettext_lazy("auth token", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedToken:
    """An auth token and how long it is used."""

    token: Secret
    """The token as the provider issued it."""

    expires_at: datetime
    """When the cache stops using it."""

    at_rest_from: datetime | None = field(default=None, compare=False)
    """Until when no other fetch may begin, after a running or failed one."""

    @property
    def is_due(self) -> bool:
        """Return whether this caller should fetch the next token ahead of expiry."""
        now = timezone.now()
        is_busy = self.at_rest_from is not None and self.at_rest_from > now
        return self.expires_at < _due_until(now) and not is_busy


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken(CachedToken):
    """An auth token that was just issued."""

    refresh: Secret | None = None
    """The refresh token that was issued with the token."""

    used: Secret | None = None
    """The refresh token that was exchanged for the token."""


def expiry(now: datetime, expires_in: int | None = None) -> datetime:
    """
    Return when a token that was issued `now` is used no longer.

    The setting decides, unless the provider has said how many seconds the token lives.
    """
    seconds = conf.auth_token_ttl
    if durations.is_believable(expires_in):
        seconds = expires_in
    return now + timedelta(seconds=seconds)


def freshness(expires_at: datetime | None) -> Freshness:
    """Return the state of a token with this expiry; None means no token."""
    now = timezone.now()
    if expires_at is None:
        return Freshness.NONE
    if expires_at <= now:
        return Freshness.EXPIRED
    return Freshness.EXPIRING if expires_at < _due_until(now) else Freshness.FRESH


def contacts_with(wanted: Freshness) -> Q:
    """Return the condition that finds the contacts whose token is in this state."""
    now = timezone.now()
    due_until = _due_until(now)
    return {
        Freshness.NONE: Q(auth_token=None),
        Freshness.EXPIRED: Q(auth_token__expires_at__lte=now),
        Freshness.EXPIRING: Q(
            auth_token__expires_at__gt=now, auth_token__expires_at__lt=due_until
        ),
        Freshness.FRESH: Q(auth_token__expires_at__gte=due_until),
    }[wanted]


def find(user_id: Any, provider: str) -> CachedToken | None:
    """
    Return the token of this user, if it is valid and can be decrypted.

    The primary database is read, so that a token deleted at log-out is gone at once.
    """
    rows = _rows().using(router.db_for_write(AuthToken))
    for sealed, expires_at, uid, fetch_until in rows.filter(
        contact__user_id=user_id, contact__provider=provider
    ):
        return _open(sealed, expires_at, binding(provider, uid), fetch_until)
    return None


def find_with(contact: Contact) -> CachedToken | None:
    """Return the token of a `contact` that was read together with its token."""
    row: AuthToken | None = getattr(contact, "auth_token", None)
    if row is None:
        return None
    return _open(row.ciphertext, row.expires_at, contact.binding, contact.fetch_until)


def refresh_token_of(contact: Contact) -> Secret | None:
    """
    Return the refresh token of a `contact` that was read together with its token.

    Return None if there is none, or if no key of the ring decrypts it.
    """
    return _open_refresh(getattr(contact, "auth_token", None), contact)


def store(contact: Contact, issued: IssuedToken, *, fetched_at: datetime) -> None:
    """
    Store the token of `contact` and its refresh token in place of older ones.

    If a refresh token was used for them, store nothing unless it is still stored.
    Otherwise the user has logged out, or has new tokens of another login. The caller
    has to open a transaction then.
    """
    if issued.used and not _is_stored(issued.used, contact):
        return
    row = AuthToken(
        contact=contact,
        ciphertext=encryption.encrypt(issued.token, bound_to=contact.binding),
        refresh_ciphertext=_seal_refresh(issued, contact),
        fetched_at=fetched_at,
        expires_at=issued.expires_at,
    )
    rows = locking.primary_rows(AuthToken)
    features = connections[rows.db].features
    rows.bulk_create(
        [row],
        update_conflicts=True,
        update_fields=_STORED,
        # MySQL takes every unique key into account, and accepts no list of fields.
        unique_fields=["contact"]
        if features.supports_update_conflicts_with_target
        else None,
    )


@retries.retry_on_conflict
def drop_spent(contact: Contact, used: Secret) -> bool:
    """
    Delete the token that was read together with `contact`, and its refresh token.

    Return False, and delete nothing, if the refresh token is not `used` any more.
    """
    row: AuthToken | None = getattr(contact, "auth_token", None)
    if row is None:
        return True
    if refresh_token_of(contact) != used:
        return False
    rows = locking.primary_rows(AuthToken).filter(
        pk=row.pk, refresh_ciphertext=row.refresh_ciphertext
    )
    # Django's `delete` may read the row first, and then delete another refresh token.
    return rows._raw_delete(using=rows.db) > 0


def drop(**lookups: Any) -> int:
    """Delete the stored tokens that these look-ups find; return how many."""
    return AuthToken.objects.filter(**lookups).delete()[0]


@contextmanager
def drop_if_refused(contact: Contact) -> Iterator[None]:
    """Delete the contact's token if the provider's refusal makes it void."""
    try:
        yield
    except ContactUnknown:
        drop(contact=contact)
        raise
    except ProviderError as error:
        if error.voids_token:
            drop(contact=contact)
        raise


def rest(life: timedelta) -> int:
    """
    Return for how many seconds a new token with this life is not refreshed ahead.

    `is_due` does not know how long a token lives. Without this rest, it would have a
    token that lives for less than `REFRESH_AHEAD` refreshed at each use.
    """
    seconds = life.total_seconds()
    return int(0.9 * seconds) if seconds / 10 < _ahead() else 0


def _due_until(now: datetime) -> datetime:
    """Return the time up to which expiring tokens are refreshed now."""
    return now + timedelta(seconds=_ahead())


def _ahead() -> float:
    return min(REFRESH_AHEAD, conf.auth_token_ttl / 10)


@cache
def _rows() -> QuerySet[AuthToken, Any]:
    """
    Return the query that `find` filters. It is never evaluated itself.

    To build the query each time, or to create instances, takes as long as the database.
    """
    return AuthToken.objects.values_list(
        "ciphertext", "expires_at", "contact__uid", "contact__fetch_until"
    )


def _is_stored(refresh: Secret, contact: Contact) -> bool:
    """Return whether this is still the refresh token of the contact. Lock its row."""
    rows = locking.primary_rows(AuthToken).select_for_update()
    return _open_refresh(rows.filter(contact=contact).first(), contact) == refresh


def _open_refresh(row: AuthToken | None, contact: Contact) -> Secret | None:
    if row is None or row.refresh_ciphertext is None:
        return None
    sealed = bytes(row.refresh_ciphertext)
    return encryption.decrypt(sealed, bound_to=contact.refresh_binding)


def _seal_refresh(issued: IssuedToken, contact: Contact) -> bytes | None:
    if not issued.refresh:
        return None
    return encryption.encrypt(issued.refresh, bound_to=contact.refresh_binding)


def _open(
    sealed: bytes | memoryview,
    expires_at: datetime,
    bound_to: str,
    at_rest_from: datetime | None,
) -> CachedToken | None:
    if expires_at <= timezone.now():
        return None
    token = encryption.decrypt(bytes(sealed), bound_to=bound_to)
    if token is None:
        return None
    return CachedToken(token=token, expires_at=expires_at, at_rest_from=at_rest_from)
