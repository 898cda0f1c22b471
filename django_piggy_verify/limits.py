"""
Counting: fixed windows in the database, one row per limit and subject.

Who is counted, and when, is decided by `verification`. Rows are found by keyed
hashes, so that no address is stored.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from math import ceil
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, Value, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import TooManyAttempts
from django_piggy_verify.models import Tally

_SALT: Final = "django_piggy_verify.limits"
_RATE: Final = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,5})?([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHARED_ADDRESS: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so long."""

    count: int
    """How many are let through in one window."""

    period: int
    """The window's length in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One subject's wish to be counted under one limit."""

    limit: str
    """The limit's name."""

    subject: str = field(repr=False)
    """Whose tally it is; only a keyed hash of it is stored."""

    rate: Rate
    """How many are let through."""

    retry_after: int | None = None
    """Seconds to report where waiting for the window's end is not what helps."""

    @property
    def key(self) -> str:
        """The tally's primary key: 64 hexadecimal digits."""
        text = f"{self.limit}\0{self.subject}"
        return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()


def parse_rate(text: str) -> Rate:
    """Read ``N/[n]unit`` with the units s, m, h and d; raise ValueError otherwise."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError("a rate is written like 3/15m or 20/h")
    count, number, unit = match.groups()
    return Rate(int(count), int(number or 1) * _SECONDS[unit])


def claim(limit: str, subject: str) -> Claim:
    """Answer the claim of `subject` under the configured limit of this name."""
    return Claim(
        limit=limit, subject=subject, rate=parse_rate(str(conf.rate_limits[limit]))
    )


def take(claims: Sequence[Claim]) -> None:
    """
    Count every claim, or none.

    Raises TooManyAttempts with the longest wait of those that are exhausted.
    """
    now = timezone.now()
    taken = [each for each in claims if _count(each, now)]
    if len(taken) == len(claims):
        return
    give_back(taken)
    waits = {each.limit: _reported_wait(each) for each in claims if each not in taken}
    limit = max(waits, key=lambda name: waits[name])
    raise TooManyAttempts(limit=limit, retry_after=max(waits[limit], 1))


def give_back(claims: Iterable[Claim]) -> None:
    """Uncount what led to no verdict."""
    keys = [each.key for each in claims]
    Tally.objects.filter(key__in=keys, count__gt=0).update(count=F("count") - 1)


def clear(claims: Iterable[Claim]) -> None:
    """Forget the tallies of these claims altogether."""
    Tally.objects.filter(key__in=[each.key for each in claims]).delete()


def wait(claim: Claim) -> int:
    """Answer in how many whole seconds the claim can be counted; 0 means now."""
    now = timezone.now()
    tally = Tally.objects.filter(key=claim.key, ends_at__gt=now).first()
    if tally is None or tally.count < claim.rate.count:
        return 0
    return ceil((tally.ends_at - now).total_seconds())


def _reported_wait(claim: Claim) -> int:
    return wait(claim) if claim.retry_after is None else claim.retry_after


def client_address(request: HttpRequest) -> str:
    """
    Answer whom `send_ip` and `check_ip` count: an IPv4 address or an IPv6 /64.

    With ``PIGGY_VERIFY_TRUSTED_PROXY_COUNT`` = n it is the n-th entry of
    ``X-Forwarded-For`` from the right: those before it are the visitor's own
    invention. Whatever cannot be read shares one subject.
    """
    try:
        address = ip_address(_claimed_address(request))
    except (ValueError, IndexError):
        return _SHARED_ADDRESS
    if address.version == 4:  # noqa: PLR2004
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address.packed, 64), strict=False))


def _claimed_address(request: HttpRequest) -> str:
    count = conf.trusted_proxy_count
    if not count:
        return str(request.META.get("REMOTE_ADDR", ""))
    hops = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    return hops[-count].strip()


def _count(claim: Claim, now: datetime) -> bool:
    if _count_again(claim, now):
        return True
    tally = Tally(key=claim.key, count=1, ends_at=_end(claim, now))
    try:
        with transaction.atomic():
            tally.save(force_insert=True)
    except IntegrityError:
        # The row is there: exhausted, or made by somebody else this instant.
        return _count_again(claim, now)
    return True


def _count_again(claim: Claim, now: datetime) -> bool:
    """Count in the row that is there, beginning its window anew if that is over."""
    is_over = Q(ends_at__lte=now)
    has_room = is_over | Q(count__lt=claim.rate.count)
    return bool(
        Tally.objects.filter(has_room, key=claim.key).update(
            count=Case(When(is_over, then=Value(1)), default=F("count") + 1),
            ends_at=Case(
                When(is_over, then=Value(_end(claim, now))), default=F("ends_at")
            ),
        )
    )


def _end(claim: Claim, now: datetime) -> datetime:
    return now + timedelta(seconds=claim.rate.period)
