"""The providers that the checks examine."""

from collections.abc import Iterator

from django_piggy_verify.providers import each_account, get_provider
from django_piggy_verify.providers.base import Provider


def usable_providers() -> Iterator[tuple[str, Provider]]:
    """Yield the provider of each account, until one cannot be created: see E007."""
    accounts = each_account()
    while True:
        try:
            account, provider = next(accounts), get_provider()
        except Exception:  # noqa: BLE001  `check_provider` names it
            return
        yield account, provider
