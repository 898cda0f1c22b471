"""The verification vendors, one module each, and the way to the configured one."""

import logging
from typing import cast

from django.utils.module_loading import import_string

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ProviderError, ProviderRefused
from django_piggy_verify.providers.base import Provider

logger = logging.getLogger("django_piggy_verify")


def get_provider() -> Provider:
    """Answer the provider that ``PIGGY_VERIFY_PROVIDER`` names, made anew."""
    factory = import_string(conf.provider)
    return cast("Provider", factory(**conf.provider_options))


def log_failure(verb: str, error: ProviderError, *, is_hidden: bool = False) -> None:
    """
    Log why a call led to nothing, at the level of who must act.

    A refusal is an operator's to mend, and so is a failure that the visitor is
    not told of: nobody else will report it.
    """
    is_error = is_hidden or isinstance(error, ProviderRefused)
    logger.log(
        logging.ERROR if is_error else logging.WARNING,
        "%s failed: %s (status %s, code %s)",
        verb,
        error,
        error.status,
        error.api_code,
    )
