"""The providers that the checks examine."""

from collections.abc import Iterator

from django_piggy_verify.providers import each_account, get_provider
from django_piggy_verify.providers.base import Provider
from django_piggy_verify.traits import Traits, traits_of


def usable_providers() -> Iterator[tuple[str, Provider]]:
    """Yield the provider of each account, until one cannot be created: see E007."""
    accounts = each_account()
    while True:
        try:
            account, provider = next(accounts), get_provider()
        except Exception:  # noqa: BLE001  `check_provider` names it
            return
        yield account, provider


def known_traits() -> list[Traits]:
    """Return the traits of each account's provider. Without any, return Piggy's."""
    found = [traits_of(provider) for _account, provider in usable_providers()]
    return found or [Traits()]


def anybody_can_log_in() -> bool:
    """Return whether the provider of any account can log people in."""
    return any(each.can_log_in for each in known_traits())
