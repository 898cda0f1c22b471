"""
Counting: fixed windows in the database, one row per limit and subject.

Who is counted, and when, is decided by `verification`. Rows are found by keyed
hashes, so that no address is stored.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from math import ceil
from operator import or_
from typing import Final, TypeAlias

from django.db import connections
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.crypto import salted_hmac

from django_piggy_verify import conflicts
from django_piggy_verify.conf import conf
from django_piggy_verify.conflicts import Overtaken
from django_piggy_verify.models import Tally
from django_piggy_verify.secret import Secret

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
    """The tally's primary key: a keyed hash of limit and subject, hexadecimal."""

    rate: Rate
    """How many are let through."""

    retry_after: int | None = None
    """Seconds to report where waiting for the window's end is not what helps."""


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
    key = salted_hmac(_SALT, text, algorithm="sha256").hexdigest()
    rate = rate or parse_rate(str(conf.rate_limits[limit]))
    return Claim(limit=limit, key=key, rate=rate, retry_after=retry_after)


class Exhausted(Exception):
    """Nothing was counted: `waits` has the seconds to wait, by limit."""

    def __init__(self, waits: dict[str, int]) -> None:
        super().__init__(", ".join(waits))
        self.waits = waits


@conflicts.tried_again
def take(claims: Sequence[Claim]) -> Windows:
    """
    Count every claim, or none, and answer the windows that they are counted in.

    A refusal only reads, so that nobody fills the table with it.
    Otherwise the rows that are missing are made, and then all are counted in one
    conditional update, which is undone if one of them has no room.

    Raises Exhausted.
    """
    now = timezone.now()
    rows = _rows(claims)
    if exhausted := _waits(claims, rows, now):
        raise Exhausted(exhausted)
    _add([key for key in _keys(claims) if key not in rows])
    running = {key: row.ends_at for key, row in rows.items() if row.ends_at > now}
    begun = {e.key: _end(e, now) for e in claims if e.key not in running}
    with conflicts.in_order(Tally, _keys(claims)) as tallies:
        room = reduce(or_, (_room(each, running, now) for each in claims))
        if _count(tallies.filter(room), begun) < len(claims):
            raise Overtaken("the tallies are never at rest")
    return running | begun


def waits(claims: Sequence[Claim]) -> dict[str, int]:
    """Answer which of the claims are exhausted, and their waits, counting nothing."""
    return _waits(claims, _rows(claims), timezone.now())


@conflicts.tried_again
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
    returned = [each.key for each in give_back]
    cleared = [each.key for each in clear]
    same_window = (Q(key=key, ends_at=windows[key]) for key in returned)
    touched = reduce(or_, same_window, Q(key__in=cleared))
    with conflicts.in_order(Tally, [*returned, *cleared]) as tallies:
        tallies.filter(touched).update(
            count=Case(When(key__in=cleared, then=Value(0)), default=F("count") - 1),
            ends_at=Case(
                When(key__in=cleared, then=Value(_long_ago())), default=F("ends_at")
            ),
        )


@conflicts.tried_again
def forget(claims: Sequence[Claim]) -> int:
    """Delete the tallies of these claims, and answer how many there were."""
    with conflicts.in_order(Tally, _keys(claims)) as tallies:
        return tallies.delete()[0]


def _rows(claims: Sequence[Claim]) -> dict[str, Tally]:
    rows = conflicts.current(Tally).filter(key__in=_keys(claims))
    if connections[rows.db].in_atomic_block:
        # In a caller's transaction MariaDB would answer from an old snapshot.
        rows = rows.order_by("key").select_for_update()
    return {each.key: each for each in rows}


def _add(keys: Iterable[str]) -> None:
    """
    Make the rows of `keys`, in this order, unless somebody else has made them.

    A new row's window is over for everybody, also for somebody whose `now` is a
    moment older.
    """
    fresh = [Tally(key=key, count=0, ends_at=_long_ago()) for key in keys]
    conflicts.current(Tally).bulk_create(fresh, ignore_conflicts=True)


def _room(claim: Claim, running: Windows, now: datetime) -> Q:
    """Answer where the claim has room, in the window that was read and no other."""
    if claim.key not in running:
        return Q(key=claim.key, ends_at__lte=now)
    in_window = Q(key=claim.key, ends_at=running[claim.key])
    return in_window & Q(count__lt=claim.rate.count)


def _count(tallies: QuerySet[Tally], begun: Windows) -> int:
    """Add one to each, or set it to one in those windows that are `begun`."""
    ends = (When(key=key, then=Value(end)) for key, end in begun.items())
    return tallies.update(
        count=Case(When(key__in=list(begun), then=Value(1)), default=F("count") + 1),
        ends_at=Case(*ends, default=F("ends_at")),
    )


def _waits(
    claims: Sequence[Claim], rows: Mapping[str, Tally], now: datetime
) -> dict[str, int]:
    """Answer the limits that are exhausted, with the seconds to wait for each."""
    running = ((each, rows[each.key]) for each in claims if each.key in rows)
    return {
        each.limit: _wait(each, tally, now)
        for each, tally in running
        if tally.ends_at > now and tally.count >= each.rate.count
    }


def _wait(claim: Claim, tally: Tally, now: datetime) -> int:
    left = ceil((tally.ends_at - now).total_seconds())
    return max(1, left if claim.retry_after is None else claim.retry_after)


def _keys(claims: Sequence[Claim]) -> list[str]:
    return sorted(each.key for each in claims)


def _end(claim: Claim, now: datetime) -> datetime:
    return now + timedelta(seconds=claim.rate.period)


def _long_ago() -> datetime:
    """Answer a time as `timezone.now` does: aware, but for ``USE_TZ = False``."""
    return datetime(1970, 1, 1, tzinfo=timezone.now().tzinfo)
