"""The verification vendors, one module each, and the way to the configured one."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import cast

from django.utils.module_loading import import_string

from django_piggy_verify import events
from django_piggy_verify.conf import conf
from django_piggy_verify.events import Event
from django_piggy_verify.exceptions import (
    CodeRejected,
    ContactUnknown,
    ProviderError,
    ProviderRefused,
)
from django_piggy_verify.providers.base import Provider


def get_provider() -> Provider:
    """Answer the provider that ``PIGGY_VERIFY_PROVIDER`` names, made anew."""
    factory = import_string(conf.provider)
    return cast("Provider", factory(**conf.provider_options))


@contextmanager
def watched(verb: str) -> Iterator[None]:
    """Log how a call has ended, and after how long, at the level of who must act."""
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
    except (CodeRejected, ContactUnknown):
        events.PROVIDER_ANSWERED.log(verb=verb, duration=monotonic() - began)
        raise
    events.PROVIDER_ANSWERED.log(verb=verb, duration=monotonic() - began)


def _event_of(verb: str, error: ProviderError) -> Event:
    if verb == "send" and error.may_depend_on_contact:
        # The visitor is not told of it, and so nobody else will report it.
        return events.SEND_UNCERTAIN
    if isinstance(error, ProviderRefused):
        return events.PROVIDER_REFUSED
    return events.PROVIDER_UNAVAILABLE
