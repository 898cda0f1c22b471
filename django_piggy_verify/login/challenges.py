"""Make the challenge that a provider gets, at the send and at the check."""

from collections.abc import Iterable
from dataclasses import replace

from django.http import HttpRequest
from django.urls import reverse

from django_piggy_verify import recipients
from django_piggy_verify.login import browsers, client_address, user_access
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge, Stateful, Visitor
from django_piggy_verify.traits import Channel, Traits, traits_of


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
    """
    Return the challenge for a code of `recipient`, as the provider wants it.

    Raises LoginRequired if the provider wants the user's access, and there is none.
    """
    traits = traits_of(provider)
    found = _visitor(traits, recipient, request)
    is_link = way_to(recipient, traits) is Channel.LINK
    return Challenge(
        recipient=recipient,
        visitor=found if found.address or found.device else None,
        consents=frozenset(consents),
        access=user_access.find(request) if traits.wants_user_access else None,
        return_url=_return_url(request) if request and is_link else "",
    )


def channel_to(recipient: str) -> Channel:
    """Return the channel on which the configured provider reaches `recipient`."""
    return way_to(recipient, traits()) or recipients.channel_of(recipient)


def way_to(recipient: str, traits: Traits) -> Channel | None:
    """Return the channel on which a provider reaches `recipient`, or None."""
    return traits.way_to(recipients.channel_of(recipient))


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


def _return_url(request: HttpRequest) -> str:
    match = request.resolver_match
    namespace = match.namespace if match else None
    url = reverse("piggy_verify:connect-link", current_app=namespace)
    return request.build_absolute_uri(url)
