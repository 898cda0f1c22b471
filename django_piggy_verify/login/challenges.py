"""Make the challenge that a provider gets, at the send and at the check."""

from collections.abc import Iterable
from dataclasses import replace

from django.http import HttpRequest

from django_piggy_verify.login import browsers, client_address
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge, Stateful, Visitor
from django_piggy_verify.traits import Traits, traits_of


def traits() -> Traits:
    """Return the traits of the configured provider. Forms and views see no provider."""
    return traits_of(get_provider())


def of(
    provider: object,
    recipient: str,
    request: HttpRequest | None,
    *,
    consents: Iterable[str] = (),
) -> Challenge:
    """Return the challenge for a code of `recipient`, as the provider wants it."""
    found = _visitor(traits_of(provider), recipient, request)
    visitor = found if found.address or found.device else None
    return Challenge(recipient=recipient, visitor=visitor, consents=frozenset(consents))


def with_state(provider: object, challenge: Challenge) -> Challenge:
    """Return `challenge` with the new state of a provider that has one."""
    if not isinstance(provider, Stateful):
        return challenge
    return replace(challenge, state=provider.new_state(challenge))


def _visitor(wanted: Traits, recipient: str, request: HttpRequest | None) -> Visitor:
    address = None
    if request and wanted.wants_client_address:
        address = client_address.find(request)
    device = browsers.device_of(request, recipient) if wanted.wants_device else ""
    return Visitor(address=str(address or ""), device=device)
