"""
Get what the provider knows of a contact, such as the points.

The answer is personal data. Each call fetches it again, and nothing stores it.
"""

from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured

from django_piggy_verify.conf import conf
from django_piggy_verify.contact_calls import call_about
from django_piggy_verify.exceptions import ProviderUnavailable
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import ContactProvider
from django_piggy_verify.secret import Secret, SecretFloat, SecretInt

_DEEPEST: Final = 32
"""The most levels of lists and objects in an answer. Python limits recursion."""


def fetch_contact(user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """
    Return what the provider knows of the contact that belongs to `user`.

    With Piggy, the dictionary has members such as ``email`` and ``credit_balance``. The
    points are ``contact["credit_balance"]["balance"]``. The package checks only that
    the answer is a JSON object. Each member may be missing, None or of another type.

    Each call makes one query and one request. It opens no transaction. Nothing is
    cached or stored.

    Raises ContactUnknown if the user is not a contact, or not any more. The cached auth
    token is then deleted. Raises ProviderRefused or ProviderUnavailable if the
    provider gives no such answer. Raises ImproperlyConfigured if it has no such call.
    """
    provider = get_provider()
    if not isinstance(provider, ContactProvider):
        raise ImproperlyConfigured(f"{conf.provider} tells nothing about contacts")
    with call_about(user, provider=provider.name, verb="contact") as uid:
        # In one expression, because an error report would show a local variable.
        return {
            name: _plain(value, 1)
            for name, value in provider.fetch_contact(uid).items()
        }


async def afetch_contact(user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """Return the same as `fetch_contact`, without blocking the event loop."""
    return await sync_to_async(fetch_contact)(user)


def _plain(value: object, depth: int) -> Any:
    """
    Return the value without the types that hide texts and numbers.

    Such types would surprise a project, and would get into its cache.

    Raises ProviderUnavailable if lists and objects have more than `_DEEPEST` levels.
    """
    if depth > _DEEPEST:
        raise ProviderUnavailable("the answer cannot be read: it is too deep")
    match value:
        case dict():
            return {name: _plain(each, depth + 1) for name, each in value.items()}
        case list():
            return [_plain(each, depth + 1) for each in value]
        case Secret():
            return str(value)
        case SecretInt():
            return int(value)
        case SecretFloat():
            return float(value)
    return value
