"""Check what only a deployment needs: ``manage.py check --deploy``."""

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Warning as Caution

from django_piggy_verify.conf import conf

_ID = "piggy_verify."


def check_proxies() -> Iterator[CheckMessage]:
    """W003, with ``--deploy``: behind a proxy all visitors share one address."""
    is_counted = conf.trusted_proxy_count or conf.client_address is not None
    if settings.SECURE_PROXY_SSL_HEADER and not is_counted:
        yield Caution(
            "There is a proxy in front, but PIGGY_VERIFY_TRUSTED_PROXY_COUNT is 0.",
            hint="All visitors come from the proxy's address and share its limits. "
            "Set how many proxies of your own append to X-Forwarded-For, or set "
            "PIGGY_VERIFY_CLIENT_ADDRESS.",
            id=f"{_ID}W003",
        )
