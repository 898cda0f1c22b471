"""
The facts about a provider that other parts of the package need.

A provider has these facts in the optional attribute ``traits``.
"""

from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """A way on which a code reaches a person."""

    EMAIL = "email"
    SMS = "sms"
    LINK = "link"
    """A link in an e-mail, in place of a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The traits of a provider. The defaults are those of Piggy."""

    channels: frozenset[Channel] = frozenset({Channel.EMAIL})
    """The ways on which the provider can send codes."""

    can_log_in: bool = True
    """Whether a right code can log a person in.

    Otherwise it only proves an address or a number of somebody who is logged in. The
    login pages return 404 then. The connect pages use the provider.
    """

    knows_members: bool = True
    """Whether codes go to members only. Otherwise anybody can get a code, and log in.

    The check W005 warns then, and the doctor sends no code without ``--send``.
    """

    knows_people: bool = True
    """Whether the vendor has an id for each person. Otherwise the address is the id."""

    issues_tokens: bool = False
    """Whether a right code brings an auth token.

    A `TokenProvider` fetches tokens itself, and does not need this trait.
    """

    wants_client_address: bool = False
    """Whether the challenge should have the client address of the visitor."""

    wants_device: bool = False
    """Whether the challenge should have an id of the visitor's browser."""

    wants_user_access: bool = False
    """Whether the challenge should have the access token that the vendor gave a user.

    ``PIGGY_VERIFY_USER_ACCESS`` returns it.
    """

    consents: tuple[str, ...] = ()
    """The kinds of consents that the vendor wants before it sends a code.

    Examples are "terms" and "privacy". ``PIGGY_VERIFY_CONSENTS`` has the texts.
    """

    def way_to(self, kind: Channel) -> Channel | None:
        """
        Return the channel to an address (`EMAIL`) or a number (`SMS`), or None.

        It is `LINK` for an address if the provider mails links, but no codes.
        """
        ways = (kind, Channel.LINK) if kind is Channel.EMAIL else (kind,)
        return next((each for each in ways if each in self.channels), None)


def traits_of(provider: object) -> Traits:
    """Return the traits of a provider. One without ``traits`` is like Piggy."""
    traits: Traits = getattr(provider, "traits", Traits())
    return traits
