"""
The system checks. They name settings that are missing, wrong or unsafe.

Each check is one small function with a stable id. The code that reads a setting does
not validate it. An error, such as ``piggy_verify.E001``, stops the server. A warning,
such as ``piggy_verify.W001``, does not.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from django.core.checks import CheckMessage

from django_piggy_verify.checks.consents import check_consents
from django_piggy_verify.checks.deployment import check_proxies
from django_piggy_verify.checks.look import (
    check_brand,
    check_code_inputmode,
    check_logo,
)
from django_piggy_verify.checks.pages import check_apps, check_connecting, check_urls
from django_piggy_verify.checks.phones import check_phones
from django_piggy_verify.checks.project import (
    check_axes,
    check_backend,
    check_databases,
    check_form_of_address,
    check_redirect,
    check_referrer_policy,
    check_sandbox,
)
from django_piggy_verify.checks.provider import (
    check_addresses,
    check_credentials,
    check_openness,
    check_options,
    check_provider,
    check_route,
)
from django_piggy_verify.checks.settings import (
    check_client_address,
    check_encryption_keys,
    check_flags,
    check_numbers,
    check_rate_limits,
    check_user_access,
)

_Check: TypeAlias = Callable[..., Iterator[CheckMessage]]

ALWAYS: Final[Sequence[_Check]] = (
    check_credentials,
    check_backend,
    check_addresses,
    check_numbers,
    check_client_address,
    check_user_access,
    check_encryption_keys,
    check_rate_limits,
    check_provider,
    check_options,
    check_consents,
    check_phones,
    check_openness,
    check_route,
    check_sandbox,
    check_flags,
    check_brand,
    check_logo,
    check_code_inputmode,
    check_databases,
    check_urls,
    check_connecting,
    check_apps,
    check_redirect,
    check_axes,
    check_referrer_policy,
    check_form_of_address,
)
"""The checks of every ``manage.py check``."""

ON_DEPLOY: Final[Sequence[_Check]] = (check_proxies,)
"""The checks that ``manage.py check --deploy`` adds."""


def run(checks: Sequence[_Check]) -> list[CheckMessage]:
    """Run these checks and return their messages."""
    return [message for check in checks for message in check()]
