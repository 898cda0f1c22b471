"""The checks that run with ``manage.py check --deploy`` only."""

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Warning as Caution

from django_piggy_verify.conf import conf

_ID = "piggy_verify."


def check_proxies() -> Iterator[CheckMessage]:
    """
    W003: Behind a proxy that is not counted, all visitors share one client address.

    They then share the limits of one visitor, and lock each other out.
    """
    is_counted = conf.trusted_proxy_count or conf.client_address is not None
    if settings.SECURE_PROXY_SSL_HEADER and not is_counted:
        yield Caution(
            "There seems to be a proxy, but PIGGY_VERIFY_TRUSTED_PROXY_COUNT is 0.",
            hint="SECURE_PROXY_SSL_HEADER is set. Behind a proxy, all visitors have "
            "its address and share its limits. Set the number of your own proxies that "
            "append to X-Forwarded-For, or set PIGGY_VERIFY_CLIENT_ADDRESS.",
            id=f"{_ID}W003",
        )
