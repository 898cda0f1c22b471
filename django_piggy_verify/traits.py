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


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The traits of a provider. The defaults are those of Piggy."""

    channels: frozenset[Channel] = frozenset({Channel.EMAIL})
    """The ways on which the provider can send codes."""

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

    consents: tuple[str, ...] = ()
    """The kinds of consents that the vendor wants before it sends a code.

    Examples are "terms" and "privacy". ``PIGGY_VERIFY_CONSENTS`` has the texts.
    """


def traits_of(provider: object) -> Traits:
    """Return the traits of a provider. One without ``traits`` is like Piggy."""
    traits: Traits = getattr(provider, "traits", Traits())
    return traits
