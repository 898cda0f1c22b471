"""Make the challenge that a provider gets, at the send and at the check."""

from django.http import HttpRequest

from django_piggy_verify.login import client_address
from django_piggy_verify.providers.base import Challenge, Visitor
from django_piggy_verify.traits import traits_of


def of(provider: object, recipient: str, request: HttpRequest | None) -> Challenge:
    """Return the challenge for a code of `recipient`, as the provider wants it."""
    wants_visitor = traits_of(provider).wants_client_address
    visitor = _visitor(request) if request and wants_visitor else None
    return Challenge(recipient=recipient, visitor=visitor)


def _visitor(request: HttpRequest) -> Visitor | None:
    address = client_address.find(request)
    return Visitor(address=str(address)) if address else None
