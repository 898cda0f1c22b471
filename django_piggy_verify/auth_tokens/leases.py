"""
Lease the right to fetch a contact's token to one caller of all processes and hosts.

A lease is two columns of the contact's row. They are written by compare-and-set, so no
database lock is held during the call. If the holder dies, the lease expires. The same
columns remember a failure for a few seconds. So a provider that is down is not called
again and again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    ContactUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.models import Contact, FetchState

MEMORY: Final = 3
"""Seconds for which a failed fetch is not tried again."""

_ENOUGH: Final = 0.9
"""The part of its time that a lease must still have when the call begins."""

_JUST_NOW = "the last call failed a moment ago, and it is too early for another"
_ERRORS: Final = {
    FetchState.UNKNOWN: ContactUnknown,
    FetchState.REFUSED: ProviderRefused,
    FetchState.UNAVAILABLE: ProviderUnavailable,
}


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fetch the token of one contact, until it expires."""

    contact: Contact
    """The contact that the token belongs to."""

    until: datetime
    """When another caller may fetch. It also tells this lease from all others."""

    def end(self, state: FetchState = FetchState.IDLE, *, lasting: int = 0) -> bool:
        """Store `state` for `lasting` seconds; return False if the lease was lost."""
        until = timezone.now() + timedelta(seconds=lasting)
        return _change(self.contact, self.until, FetchState.FETCHING, until, state)


def is_free(contact: Contact) -> bool:
    """Return whether a fetch may begin, according to the row that was read."""
    return not _is_running(contact)


def is_busy(contact: Contact) -> bool:
    """Return whether a fetch is running, according to the row that was read."""
    return _is_running(contact) and contact.fetch_state == FetchState.FETCHING


def raise_remembered(contact: Contact) -> None:
    """Raise the failure of the last fetch again, if it is too early for another one."""
    error = _ERRORS.get(FetchState(contact.fetch_state))
    if error and _is_running(contact):
        raise error(_JUST_NOW)


def take(contact: Contact) -> Lease | None:
    """
    Return the lease, or None if the row has changed since `contact` was read.

    Storing a fetched token ends a lease. So with the lease, a token that was read
    together with the contact has not changed either, unless a login has brought one.
    """
    until = timezone.now() + timedelta(seconds=conf.timeout)
    is_ours = _change(
        contact, contact.fetch_until, contact.fetch_state, until, FetchState.FETCHING
    )
    return Lease(contact, until) if is_ours else None


def resumed(contact: Contact) -> Lease | None:
    """
    Return the lease that the caller holds since an earlier statement.

    A lease has to last as long as the call. So it is taken again if much of its time is
    over. Return None if the row has changed since `contact` was read.
    """
    needed = timezone.now() + timedelta(seconds=_ENOUGH * conf.timeout)
    if contact.fetch_until is not None and contact.fetch_until > needed:
        return Lease(contact, contact.fetch_until)
    return take(contact)


def columns() -> dict[str, Any]:
    """
    Return the columns of a lease for a statement that writes the contact's row.

    An earlier lease ends with this statement.
    """
    until = timezone.now() + timedelta(seconds=conf.timeout)
    return {"fetch_until": until, "fetch_state": FetchState.FETCHING}


def cancel(**lookups: Any) -> None:
    """End the leases on the contacts that these look-ups find."""
    Contact.objects.filter(**lookups).update(
        fetch_until=timezone.now(), fetch_state=FetchState.IDLE
    )


@contextmanager
def held(lease: Lease) -> Iterator[None]:
    """Hold `lease` while a token is fetched, and remember a failure for `MEMORY`."""
    try:
        yield
    except (ContactUnknown, ProviderError) as error:
        lease.end(_state_of(error), lasting=MEMORY)
        raise
    except BaseException:
        lease.end()
        raise


def _state_of(error: Exception) -> FetchState:
    return next(
        (state for state, each in _ERRORS.items() if isinstance(error, each)),
        FetchState.UNAVAILABLE,
    )


def _is_running(contact: Contact) -> bool:
    return contact.fetch_until is not None and contact.fetch_until > timezone.now()


def _change(
    contact: Contact,
    until: datetime | None,
    state: str,
    new_until: datetime,
    new_state: FetchState,
) -> bool:
    unchanged = Contact.objects.filter(
        pk=contact.pk, fetch_until=until, fetch_state=state
    )
    return bool(unchanged.update(fetch_until=new_until, fetch_state=new_state))
