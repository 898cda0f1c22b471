"""The verification vendors, one module each, and the way to the configured one."""

from typing import cast

from django.utils.module_loading import import_string

from django_piggy_verify.conf import conf
from django_piggy_verify.providers.base import Provider


def get_provider() -> Provider:
    """Return a new instance of the provider that ``PIGGY_VERIFY_PROVIDER`` names."""
    factory = import_string(conf.provider)
    return cast("Provider", factory(**conf.provider_options))
