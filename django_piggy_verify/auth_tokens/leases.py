"""
Who may fetch a contact's token now: one caller over all processes and hosts.

A lease is two columns of the contact's row, changed by compare and set, so that
no lock is held while a call is under way, and whoever dies holding one is
waited for until it expires and no longer. A failure leaves a short memory in the
same columns, so that a provider that is down is not asked over and over.
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

_JUST_NOW = "it failed a moment ago, and is not asked again yet"
_ERRORS: Final = {
    FetchState.UNKNOWN: ContactUnknown,
    FetchState.REFUSED: ProviderRefused,
    FetchState.UNAVAILABLE: ProviderUnavailable,
}


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fetch the token of one contact, until it expires."""

    contact: Contact
    """Whose token it is."""

    until: datetime
    """When somebody else may fetch; what tells this lease from any other."""

    def end(self, state: FetchState = FetchState.IDLE, *, lasting: int = 0) -> bool:
        """Leave `state` behind for `lasting` seconds, unless the lease is lost."""
        until = timezone.now() + timedelta(seconds=lasting)
        return _change(self.contact, self.until, FetchState.FETCHING, until, state)


def is_free(contact: Contact) -> bool:
    """Whether nobody is fetching, nor has just failed to, by what was read."""
    return not _is_running(contact)


def is_busy(contact: Contact) -> bool:
    """Whether somebody is fetching, by what was read."""
    return _is_running(contact) and contact.fetch_state == FetchState.FETCHING


def raise_remembered(contact: Contact) -> None:
    """Raise the failure that is not to be tried again yet, if there is one."""
    error = _ERRORS.get(FetchState(contact.fetch_state))
    if error and _is_running(contact):
        raise error(_JUST_NOW)


def take(contact: Contact) -> Lease | None:
    """
    Answer the lease, unless the row has changed since `contact` was read.

    What is read together with the contact, such as its token, is then as it
    was, too: who stores a token ends a lease.
    """
    until = timezone.now() + timedelta(seconds=conf.timeout)
    is_ours = _change(
        contact, contact.fetch_until, contact.fetch_state, until, FetchState.FETCHING
    )
    return Lease(contact, until) if is_ours else None


def cancel(**whose: Any) -> None:
    """Take the leases on these contacts, found by look-ups, from whoever has them."""
    Contact.objects.filter(**whose).update(
        fetch_until=timezone.now(), fetch_state=FetchState.IDLE
    )


@contextmanager
def held(lease: Lease) -> Iterator[None]:
    """Keep `lease` while a token is fetched; a failure is remembered."""
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
