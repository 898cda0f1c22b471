"""
The seam between verification and a vendor: two verbs, one value between them.

A provider is one module that holds all of its vendor's words: paths, fields,
error numbers. It gets no request and touches no database.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from django_piggy_verify.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A code on its way."""

    recipient: str
    """The address it goes to, in the one spelling of `recipients.normalise`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a right code proved."""

    provider: str
    """The provider's `name`: ids of different providers never meet."""

    uid: str
    """The provider's stable id of the contact: opaque text, compared exactly."""

    email: str
    """The address the code was mailed to."""


class Provider(Protocol):
    """A vendor that mails codes and judges them."""

    name: str
    """Stored beside each uid; never change it for a vendor account in use."""

    def send_code(self, recipient: str) -> Challenge:
        """
        Have a code mailed to `recipient`, once: this call is never repeated.

        Raises ContactUnknown, ProviderUnavailable or ProviderRefused.
        """

    def check_code(self, challenge: Challenge, code: str) -> Identity:
        """
        Trade a code for the identity it was mailed to, once, without repeats.

        Raises CodeRejected when the code was judged and found wrong,
        ProviderUnavailable or ProviderRefused when nobody was judged.
        """


@runtime_checkable
class TokenProvider(Protocol):
    """A vendor that also hands out a token per contact."""

    name: str
    """The same as in `Provider`."""

    def fetch_auth_token(self, uid: str) -> Secret:
        """
        Answer a new auth token for the contact `uid`.

        Raises ContactUnknown, ProviderUnavailable or ProviderRefused.
        """


@runtime_checkable
class TokenExaminer(Protocol):
    """A vendor whose answers have been seen in several shapes."""

    def examine_auth_token(self, uid: str) -> str:
        """
        Fetch a token as `TokenProvider` does, and answer in a word what it came in.

        For `piggy_verify_doctor` alone. Raises the same errors.
        """


@runtime_checkable
class PortalProvider(Protocol):
    """A vendor that also has a portal, and lets a contact in without another login."""

    name: str
    """The same as in `Provider`."""

    def fetch_portal_url(self, uid: str) -> Secret:
        """
        Answer an address that opens the portal with the contact `uid` logged in.

        It is a credential, and plain ASCII: https, with a host and without user
        info. Raises ContactUnknown, ProviderUnavailable or ProviderRefused.
        """
