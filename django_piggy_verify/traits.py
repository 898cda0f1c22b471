"""
The facts about a provider that other parts of the package need.

A provider has these facts in the optional attribute ``traits``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The traits of a provider. The defaults are those of Piggy."""

    knows_members: bool = True
    """Whether codes go to members only. Otherwise anybody can get a code, and log in.

    The check W005 warns then, and the doctor sends no code without ``--send``.
    """

    knows_people: bool = True
    """Whether the vendor has an id for each person. Otherwise the address is the id."""

    issues_tokens: bool = False
    """Whether a right code brings an auth token that only another login can replace.

    A `TokenProvider` fetches tokens itself, and does not need this trait.
    """

    wants_client_address: bool = False
    """Whether the challenge should have a `visitor`."""


def traits_of(provider: object) -> Traits:
    """Return the traits of a provider. One without ``traits`` is like Piggy."""
    traits: Traits = getattr(provider, "traits", Traits())
    return traits
