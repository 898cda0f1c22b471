"""The verification vendors, one module each, and the way to the configured one."""

from collections.abc import Iterator
from typing import cast

from django.utils.module_loading import import_string

from django_piggy_verify.conf import conf
from django_piggy_verify.providers.base import MultiAccountProvider, Provider


def get_provider() -> Provider:
    """Return a new instance of the provider that ``PIGGY_VERIFY_PROVIDER`` names."""
    factory = import_string(conf.provider)
    return cast("Provider", factory(**conf.provider_options))


def base_url() -> str:
    """Return the URL of the API: the setting, or the provider's own."""
    if conf.base_url is not None:
        return conf.base_url
    return getattr(get_provider(), "base_url", "")


def each_account() -> Iterator[str]:
    """
    Make each account of the configured provider the current one, and yield its name.

    A provider that is no `MultiAccountProvider` has one account. Its name is "" here.
    """
    factory = import_string(conf.provider)
    if isinstance(factory, MultiAccountProvider):
        yield from factory.each_account()
    else:
        yield ""
