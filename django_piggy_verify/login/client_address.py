"""Which client address a request comes from, for the limits that count by it."""

from ipaddress import ip_address, ip_network
from typing import Final

from django.http import HttpRequest

from django_piggy_verify.conf import conf

_SHARED_ADDRESS: Final = "unknown"


def of(request: HttpRequest) -> str:
    """
    Answer whom `send_ip` and `check_ip` count: an IPv4 address or an IPv6 /64.

    With ``PIGGY_VERIFY_TRUSTED_PROXY_COUNT`` = n it is the n-th entry of
    ``X-Forwarded-For`` from the right: those before it are the visitor's own
    invention. Whatever cannot be read shares one subject.
    """
    try:
        claimed = ip_address(_claimed_address(request))
    except (ValueError, IndexError):
        return _SHARED_ADDRESS
    if claimed.version == 4:  # noqa: PLR2004
        return str(claimed)
    if claimed.ipv4_mapped:
        return str(claimed.ipv4_mapped)
    return str(ip_network((claimed.packed, 64), strict=False))


def _claimed_address(request: HttpRequest) -> str:
    count = conf.trusted_proxy_count
    if not count:
        return str(request.META.get("REMOTE_ADDR", ""))
    hops = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    return hops[-count].strip()
