"""
Counting: fixed windows in the database, one row per limit and subject.

Who is counted, and when, is decided by `verification`. Rows are found by keyed
hashes, so that no address is stored.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final, TypeAlias

from django.db import router, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking, retries
from django_piggy_verify.db.retries import Conflict
from django_piggy_verify.limits import counters
from django_piggy_verify.limits.counters import Change, Counted
from django_piggy_verify.models import Tally
from django_piggy_verify.secret import Secret

_DIGITS: Final = 44
"""Hexadecimal digits of a key: the longest name of a limit has room beside them."""

_SALT: Final = "django_piggy_verify.limits"
_RATE: Final = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,5})?([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Windows: TypeAlias = Mapping[str, datetime]
"""When the window of each key ends, by the clock of whoever began it."""


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

    key: str
    """The tally's primary key: a keyed hash of limit and subject, and the limit."""

    rate: Rate
    """How many are let through."""

    retry_after: int | None = None
    """Seconds to report where waiting for the window's end is not what helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How far one subject is under one limit."""

    limit: str
    """The limit's name."""

    number: int
    """How many are counted in the window that runs."""

    allowed: int
    """How many are let through in one window."""

    ends_at: datetime | None
    """When the window ends; None while none runs."""


def parse_rate(text: str) -> Rate:
    """Read ``N/[n]unit`` with the units s, m, h and d; raise ValueError otherwise."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError("a rate is written like 3/15m or 20/h")
    count, number, unit = match.groups()
    return Rate(int(count), int(number or 1) * _SECONDS[unit])


def claim(
    limit: str,
    subject: str,
    *,
    rate: Rate | None = None,
    retry_after: int | None = None,
) -> Claim:
    """Answer the claim of `subject`; without `rate`, that of the settings."""
    text = Secret(f"{limit}\0{subject}")  # a code may be in it
    digest = salted_hmac(_SALT, text, algorithm="sha256").hexdigest()
    # The hash comes first: rows are locked in the order of their keys, and only
    # that of digits and small letters is the same here and in every collation.
    key = f"{digest[:_DIGITS]}:{limit}"
    rate = rate or parse_rate(str(conf.rate_limits[limit]))
    return Claim(limit=limit, key=key, rate=rate, retry_after=retry_after)


def limit_of(key: str) -> str:
    """Answer the limit that a tally with this key counts under."""
    return key.partition(":")[2]


def allowed(limit: str) -> int | None:
    """Answer how many the settings let through; None for what they do not name."""
    written = conf.rate_limits.get(limit)
    return parse_rate(written).count if isinstance(written, str) else written


class Exhausted(Exception):
    """Nothing was counted: `waits` has the seconds to wait, by limit."""

    def __init__(self, waits: dict[str, int]) -> None:
        super().__init__(", ".join(waits))
        self.waits = waits


@retries.retry_on_conflict
def take(claims: Sequence[Claim]) -> Windows:
    """
    Count every claim, or none, and answer the windows that they are counted in.

    A refusal only reads, so that nobody fills the table with it.
    Otherwise the rows that are missing are made, and those that are there counted
    in one conditional update; both are undone if one of them has no room.

    Raises Exhausted.
    """
    now = timezone.now()
    rows = counters.find(_keys(claims))
    if exhausted := _waits(claims, rows, now):
        raise Exhausted(exhausted)
    new = {each.key: _end(each, now) for each in claims if each.key not in rows}
    known = [each for each in claims if each.key in rows]
    changes = [_counted(each, rows[each.key], now) for each in known]
    with transaction.atomic(using=router.db_for_write(Tally)):
        if counters.make(new) + counters.change(changes) < len(claims):
            raise Conflict("the tallies are never at rest")
    return new | {each.key: each.ends_at for each in changes}


def waits(claims: Sequence[Claim]) -> dict[str, int]:
    """Answer which of the claims are exhausted, and their waits, counting nothing."""
    return _waits(claims, counters.find(_keys(claims)), timezone.now())


def usage(claims: Sequence[Claim]) -> list[Usage]:
    """Answer how far the subject of each claim is, counting nothing."""
    rows, now = counters.find(_keys(claims)), timezone.now()
    return [_usage(each, rows.get(each.key), now) for each in claims]


@retries.retry_on_conflict
def settle(
    windows: Windows,
    *,
    give_back: Iterable[Claim] = (),
    clear: Iterable[Claim] = (),
) -> None:
    """
    Uncount `give_back` and forget the counts of `clear`, in one statement.

    Nothing is given back to another window than it was taken from: what has been
    counted in a new one stays. A window that is cleared is over.
    """
    cleared = [counters.clear(each.key) for each in clear]
    returned = [counters.give_back(each.key, windows[each.key]) for each in give_back]
    counters.change(cleared + returned)


@retries.retry_on_conflict
def forget(claims: Sequence[Claim]) -> int:
    """Delete the tallies of these claims, and answer how many there were."""
    with locking.locked_in_key_order(Tally, _keys(claims)) as rows:
        return rows.delete()[0]


def _counted(claim: Claim, row: Counted, now: datetime) -> Change:
    """Answer how to count the claim, in the window that was read and no other."""
    if row.ends_at > now:
        return counters.add(claim.key, row.ends_at, room=claim.rate.count)
    return counters.begin(claim.key, now, ends_at=_end(claim, now))


def _end(claim: Claim, now: datetime) -> datetime:
    return now + timedelta(seconds=claim.rate.period)


def _usage(claim: Claim, row: Counted | None, now: datetime) -> Usage:
    number, ends_at = row if row and row.ends_at > now else (0, None)
    return Usage(
        limit=claim.limit, number=number, allowed=claim.rate.count, ends_at=ends_at
    )


def _waits(
    claims: Sequence[Claim], rows: Mapping[str, Counted], now: datetime
) -> dict[str, int]:
    """Answer the limits that are exhausted, with the seconds to wait for each."""
    running = ((each, rows[each.key]) for each in claims if each.key in rows)
    return {
        each.limit: _wait(each, row, now)
        for each, row in running
        if row.ends_at > now and row.number >= each.rate.count
    }


def _wait(claim: Claim, row: Counted, now: datetime) -> int:
    left = ceil((row.ends_at - now).total_seconds())
    return max(1, left if claim.retry_after is None else claim.retry_after)


def _keys(claims: Sequence[Claim]) -> list[str]:
    return sorted(each.key for each in claims)
