"""The verification vendors, one module each, and the way to the configured one."""

from collections.abc import Iterator
from typing import cast

from django.utils.module_loading import import_string

from django_piggy_verify import events
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ProviderRefused
from django_piggy_verify.providers.base import MultiAccountProvider, Provider


def get_provider() -> Provider:
    """
    Return a new instance of the provider that ``PIGGY_VERIFY_PROVIDER`` names.

    Raises ProviderRefused, and logs it, if the options do not fit the constructor.
    """
    factory = import_string(conf.provider)
    try:
        return cast("Provider", factory(**conf.provider_options))
    except TypeError as error:
        cause = "the provider cannot be created with its options"
        refusal = ProviderRefused(cause, may_depend_on_contact=False)
        events.PROVIDER_REFUSED.log(
            verb="create", cause=cause, status=None, api_code=None, duration=0
        )
        raise refusal from error


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
