"""
The stored auth tokens: find, open, store, drop. Encrypted, one row a contact.

Where a token comes from, and when to get another, is decided above.
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

from django_piggy_verify.auth_tokens import encryption
from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking
from django_piggy_verify.exceptions import ContactUnknown, ProviderError
from django_piggy_verify.models import AuthToken, Contact, binding
from django_piggy_verify.secret import Secret

REFRESH_AHEAD: Final = 30
"""Seconds before its expiry at which a token is refreshed, or a tenth of its life."""


class Freshness(TextChoices):
    """How long a stored token will serve, in a word."""

    NONE = "none", pgettext_lazy("auth token", "none")
    FRESH = "fresh", pgettext_lazy("auth token", "fresh")
    EXPIRING = "expiring", pgettext_lazy("auth token", "expiring")
    EXPIRED = "expired", pgettext_lazy("auth token", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedToken:
    """An auth token and how long it serves."""

    token: Secret
    """What the provider issued."""

    expires_at: datetime
    """When the cache stops using it; the provider names no expiry."""

    at_rest_from: datetime | None = field(default=None, compare=False)
    """When a fetch that is under way, or has just failed, is over."""

    @property
    def is_due(self) -> bool:
        """Whether this caller should fetch the next one, while it still serves."""
        now = timezone.now()
        is_busy = self.at_rest_from is not None and self.at_rest_from > now
        return self.expires_at < _due_until(now) and not is_busy


def freshness(expires_at: datetime | None) -> Freshness:
    """Answer that of a token which expires then; of none, that there is none."""
    now = timezone.now()
    if expires_at is None:
        return Freshness.NONE
    if expires_at <= now:
        return Freshness.EXPIRED
    return Freshness.EXPIRING if expires_at < _due_until(now) else Freshness.FRESH


def contacts_with(wanted: Freshness) -> Q:
    """Answer the same as a condition on contacts."""
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
    Answer the token of this user, if it is valid and can be decrypted.

    Read where it is written: what a log-out has dropped is gone at once.
    """
    rows = _rows().using(router.db_for_write(AuthToken))
    for sealed, expires_at, uid, fetch_until in rows.filter(
        contact__user_id=user_id, contact__provider=provider
    ):
        return _open(sealed, expires_at, binding(provider, uid), fetch_until)
    return None


def find_with(contact: Contact) -> CachedToken | None:
    """Answer the same from a `contact` that was read together with its token."""
    row: AuthToken | None = getattr(contact, "auth_token", None)
    if row is None:
        return None
    return _open(row.ciphertext, row.expires_at, contact.binding, contact.fetch_until)


def store(contact: Contact, served: CachedToken, *, fetched_at: datetime) -> None:
    """Keep the token of `contact`, in the place of an older one."""
    row = AuthToken(
        contact=contact,
        ciphertext=encryption.encrypt(served.token, bound_to=contact.binding),
        fetched_at=fetched_at,
        expires_at=served.expires_at,
    )
    rows = locking.primary_rows(AuthToken)
    features = connections[rows.db].features
    rows.bulk_create(
        [row],
        update_conflicts=True,
        update_fields=["ciphertext", "fetched_at", "expires_at"],
        # MySQL takes any key that is in conflict, and may not be told which.
        unique_fields=["contact"]
        if features.supports_update_conflicts_with_target
        else None,
    )


def drop(**whose: Any) -> int:
    """Delete the stored tokens that these look-ups find; answer how many."""
    return AuthToken.objects.filter(**whose).delete()[0]


@contextmanager
def voided_by_refusal(contact: Contact) -> Iterator[None]:
    """Drop the contact's token if the provider says that there is none to serve."""
    try:
        yield
    except ContactUnknown:
        drop(contact=contact)
        raise
    except ProviderError as error:
        if error.voids_token:
            drop(contact=contact)
        raise


def _due_until(now: datetime) -> datetime:
    """Answer up to which expiry a token is to be refreshed now."""
    ahead = min(REFRESH_AHEAD, conf.auth_token_ttl / 10)
    return now + timedelta(seconds=ahead)


@cache
def _rows() -> QuerySet[AuthToken, Any]:
    """
    Answer the query that `find` narrows down; never evaluated itself.

    Building it anew, or making instances, would cost as much as asking the database.
    """
    return AuthToken.objects.values_list(
        "ciphertext", "expires_at", "contact__uid", "contact__fetch_until"
    )


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
