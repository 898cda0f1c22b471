"""
Return the client address of a request, for the limits that count by it.

Which requests are counted is decided by `rate_limits`.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from django.http import HttpRequest

from django_piggy_verify.conf import conf

UNKNOWN: Final = "unknown"
"""The one visitor that all requests without a readable address count as."""

_WITH_PORT: Final = re.compile(r"(?:([\d.]+)|\[([^\]]+)\])(?::(\d{1,5}))?", re.ASCII)
_LAST_PORT: Final = 65535


def of(request: HttpRequest) -> str:
    """
    Return the client address that `send_ip` and `check_ip` count.

    This is an IPv4 address, or the /64 network of an IPv6 address. All requests
    whose address cannot be read return `UNKNOWN`.
    """
    try:
        return _subject(_parse(_find(request)))
    except ValueError:
        return UNKNOWN


def _find(request: HttpRequest) -> str:
    """
    Return where the request says that it comes from.

    With ``PIGGY_VERIFY_TRUSTED_PROXY_COUNT`` = n this is the n-th entry of
    ``X-Forwarded-For`` from the right. Visitors can make up the entries before it.
    """
    count = conf.trusted_proxy_count
    if not count:
        return str(request.META.get("REMOTE_ADDR", ""))
    hops = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    return hops[-count] if count <= len(hops) else ""


def _parse(found: str) -> IPv4Address | IPv6Address:
    """
    Read an address, which may have a port after it.

    Some gateways write ``203.0.113.7:51234`` and ``[2001:db8::1]:443``.

    Raises ValueError.
    """
    text = found.strip()
    match = _WITH_PORT.fullmatch(text)
    if match is None:
        return ip_address(text)
    ipv4, ipv6, port = match.groups()
    if port and int(port) > _LAST_PORT:
        raise ValueError("not a port")
    return IPv6Address(ipv6) if ipv6 else IPv4Address(ipv4)


def _subject(address: IPv4Address | IPv6Address) -> str:
    """Return what is counted: all addresses of an IPv6 /64 may be one visitor's."""
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address.packed, 64), strict=False))
