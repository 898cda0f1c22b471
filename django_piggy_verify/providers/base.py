"""
The interface of a verification vendor: send a code, and check a code.

A provider is one module that knows its vendor's paths, fields and error numbers.
It gets no request and uses no database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from django_piggy_verify.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A code on its way."""

    recipient: str
    """The address that it goes to, as `recipients.normalise` spells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The contact that a right code proved."""

    provider: str
    """The provider's `name`. It keeps the ids of different providers apart."""

    uid: str
    """The provider's stable id of the contact: opaque text, compared exactly."""

    email: str
    """The address that the code was mailed to."""


class Provider(Protocol):
    """A vendor that mails codes and checks them."""

    name: str
    """Stored beside each uid. Never change it for a vendor account in use."""

    def send_code(self, recipient: str) -> Challenge:
        """
        Have one code mailed to `recipient`. This call is never repeated.

        Raises ContactUnknown, ProviderUnavailable or ProviderRefused.
        """

    def check_code(self, challenge: Challenge, code: str) -> Identity:
        """
        Exchange a code for the identity of the contact that it was mailed to.

        This call is never repeated. Raises CodeRejected if the code is wrong.
        Raises ProviderUnavailable or ProviderRefused if the code was not checked.
        """


@runtime_checkable
class TokenProvider(Protocol):
    """A vendor that also issues a token for each contact."""

    name: str
    """The same as in `Provider`."""

    def fetch_auth_token(self, uid: str) -> Secret:
        """
        Return a new auth token for the contact `uid`.

        Raises ContactUnknown, ProviderUnavailable or ProviderRefused.
        """


@runtime_checkable
class TokenExaminer(Protocol):
    """A vendor whose auth-token answers have several shapes."""

    def examine_auth_token(self, uid: str) -> str:
        """
        Fetch a token as `TokenProvider` does, and return the shape in one word.

        Only `piggy_verify_doctor` calls it. Raises the same errors.
        """


@runtime_checkable
class PortalProvider(Protocol):
    """A vendor with a portal that a contact can open without another login."""

    name: str
    """The same as in `Provider`."""

    def fetch_portal_url(self, uid: str) -> Secret:
        """
        Return a URL that opens the portal with the contact `uid` logged in.

        The URL is a credential: keep it secret. It is plain ASCII, uses https, has a
        host and no user info.
        Raises ContactUnknown, ProviderUnavailable or ProviderRefused.
        """


@runtime_checkable
class MultiAccountProvider(Protocol):
    """A provider class that chooses one of several accounts when it is created."""

    @staticmethod
    def each_account() -> Iterator[str]:
        """
        Make each account the current one, and yield its name.

        The system checks and the doctor look at the key and the provider of each
        account. They call this method on the class.
        """
