"""Log each call to a provider: how it ended, and after how many seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from django_piggy_verify import events
from django_piggy_verify.events import Event
from django_piggy_verify.exceptions import (
    CodeRejected,
    ConsentMissing,
    ContactTaken,
    ContactUnknown,
    LoginRefused,
    LoginRequired,
    ProviderError,
    ProviderRefused,
    RecipientRefused,
)

_ANSWERS: Final = (
    *(CodeRejected, ConsentMissing, ContactTaken, ContactUnknown),
    *(LoginRefused, LoginRequired, RecipientRefused),
)
"""The errors by which a provider answers the question. No operator has to act."""


@contextmanager
def logged_call(verb: str) -> Iterator[None]:
    """Log how the call ended. The level tells who must act on a failure."""
    began = monotonic()
    try:
        yield
    except ProviderError as error:
        _event_of(verb, error).log(
            verb=verb,
            cause=str(error),
            status=error.status,
            api_code=error.api_code,
            duration=monotonic() - began,
        )
        raise
    except _ANSWERS:
        events.PROVIDER_ANSWERED.log(verb=verb, duration=monotonic() - began)
        raise
    events.PROVIDER_ANSWERED.log(verb=verb, duration=monotonic() - began)


def _event_of(verb: str, error: ProviderError) -> Event:
    if verb == "send" and error.may_depend_on_contact:
        # The visitor is not told about this failure, so nobody else will report it.
        return events.SEND_UNCERTAIN
    if isinstance(error, ProviderRefused):
        return events.PROVIDER_REFUSED
    return events.PROVIDER_UNAVAILABLE
