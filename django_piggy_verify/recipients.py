"""
One spelling per address. No network, no database, no request.

Every alias of an address would be a limit of its own to spend, so what cannot
be brought to one spelling is refused.
"""

import re

MAX_LENGTH = 254
"""Characters of an address: RFC 5321 section 4.5.3.1.3 less the angle brackets."""

_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"({_LABEL}\.)+(?!\d+\Z){_LABEL}")


def normalise(typed: str) -> str:
    """
    Answer `typed` in the spelling that is sent and shown.

    White space around it is dropped and the domain brought to its lower-case
    ASCII form (UTS 46); the local part keeps its case, since only the mailbox's
    own server may fold it (RFC 5321 section 2.4).

    Raises ValueError for quoted or non-ASCII local parts, IP literals, hosts
    without a dot and anything longer than `MAX_LENGTH`.
    """
    local, at, domain = typed.strip().rpartition("@")
    if not at or len(typed) > 2 * MAX_LENGTH:
        raise ValueError("no address")
    address = f"{local}@{_ascii_domain(domain)}"
    if not _LOCAL.fullmatch(local) or len(local) > 64 or len(address) > MAX_LENGTH:  # noqa: PLR2004
        raise ValueError("not a plain local part")
    return address


def key(recipient: str) -> str:
    """Answer what all spellings of `recipient` share: what limits count by."""
    return recipient.lower()


def masked(recipient: str) -> str:
    """Answer enough of `recipient` to find a log line by, and no more."""
    local, _, domain = recipient.rpartition("@")
    return f"{local[:1]}***@{domain}"


def _ascii_domain(domain: str) -> str:
    if not domain.isascii():
        import idna  # noqa: PLC0415  its tables cost more than most processes need

        domain = idna.encode(domain, uts46=True).decode()
    domain = domain.lower()
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("not a public domain")
    return domain
