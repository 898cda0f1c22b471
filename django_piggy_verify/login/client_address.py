"""
Find the client address of a request, for the limits that count by client address.

`rate_limits` decides which requests are counted.
"""

import re
from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv6Address,
    ip_address,
    ip_network,
)
from typing import Final

from django.http import HttpRequest

from django_piggy_verify import callables, events
from django_piggy_verify.conf import conf

UNKNOWN: Final = "unknown"
"""The name for all visitors whose address cannot be read. They share their limits."""

_WITH_PORT: Final = re.compile(
    r"(?:([\d.]+)|\[([^\]]+)\])(?::(\d{1,5}))?",
    re.ASCII,
)
_LAST_PORT: Final = 65535
_SHOWN: Final = 40
"""The number of masked characters of an unreadable address in the log."""


def of(request: HttpRequest) -> str:
    """
    Return the client address that `send_ip` and `check_ip` count.

    It is an IPv4 address, or the /64 network of an IPv6 address. It is `UNKNOWN` if
    the address cannot be read.
    """
    address = find(request)
    return _subject(address) if address else UNKNOWN


def find(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """
    Return the client address, or None if it cannot be read. The log says so.

    The address has no zone. An IPv4 address that is written as IPv6 is returned as
    IPv4.
    """
    source, found = _find(request)
    try:
        return _plain(_parse(found))
    except ValueError:
        events.CLIENT_ADDRESS_UNKNOWN.log(source=source, found=_masked(found))
        return None


def import_callable() -> Callable[[HttpRequest], object]:
    """
    Return the callable that ``PIGGY_VERIFY_CLIENT_ADDRESS`` names.

    Raises TypeError if it is not callable. Errors of the import are not caught.
    """
    return callables.imported(conf.client_address)


def _find(request: HttpRequest) -> tuple[str, object]:
    """
    Return the source of the address, and the value that was found there.

    With ``PIGGY_VERIFY_TRUSTED_PROXY_COUNT`` = n, the value is the n-th entry of
    ``X-Forwarded-For`` from the right. Visitors can invent the entries before it.
    """
    if conf.client_address is not None:
        return "PIGGY_VERIFY_CLIENT_ADDRESS", _ask_project(request)
    count = conf.trusted_proxy_count
    if not count:
        return "REMOTE_ADDR", str(request.META.get("REMOTE_ADDR", ""))
    hops = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    return "X-Forwarded-For", hops[-count] if count <= len(hops) else ""


def _ask_project(request: HttpRequest) -> object:
    """Return the result of the project's callable, or the exception that it raises."""
    try:
        return import_callable()(request)
    except Exception as error:  # noqa: BLE001  a project's own code may raise anything
        return error


def _parse(found: object) -> IPv4Address | IPv6Address:
    """
    Return the address in a text that may end with a port.

    Some gateways write ``203.0.113.7:51234`` and ``[2001:db8::1]:443``. Raises
    ValueError if the text is not an address.
    """
    if not isinstance(found, str):
        raise ValueError("not a text")  # noqa: TRY004  one error for all that is unreadable
    text = found.strip()
    match = _WITH_PORT.fullmatch(text)
    if match is None:
        return ip_address(text)
    ipv4, ipv6, port = match.groups()
    if port and int(port) > _LAST_PORT:
        raise ValueError("not a port")
    return IPv6Address(ipv6) if ipv6 else IPv4Address(ipv4)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the address without its zone, which a visitor may choose: any text."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(address.packed)
    return address


def _subject(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv6Address):
        return str(ip_network((address.packed, 64), strict=False))
    return str(address)


def _masked(found: object) -> str:
    """Return the shape of an unreadable address, without its digits and letters."""
    if not isinstance(found, str):
        return type(found).__name__
    return re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "a", found.strip()[:_SHOWN]))
