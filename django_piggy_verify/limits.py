"""
Counting: fixed windows in the database, one row per limit and subject.

Who is counted, and when, is decided by `verification`. Rows are found by keyed
hashes, so that no address is stored.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce, wraps
from math import ceil
from operator import or_
from typing import Final, ParamSpec, TypeVar

from django.db import OperationalError, connections, router, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.crypto import salted_hmac

from django_piggy_verify.conf import conf
from django_piggy_verify.models import Tally

_SALT: Final = "django_piggy_verify.limits"
_RATE: Final = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,5})?([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ATTEMPTS: Final = 10
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

_P = ParamSpec("_P")
_R = TypeVar("_R")


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
    text = f"{limit}\0{subject}"
    key = salted_hmac(_SALT, text, algorithm="sha256").hexdigest()
    rate = rate or parse_rate(str(conf.rate_limits[limit]))
    return Claim(limit=limit, key=key, rate=rate, retry_after=retry_after)


class Exhausted(Exception):
    """Nothing was counted: `waits` has the seconds to wait, by limit."""

    def __init__(self, waits: dict[str, int]) -> None:
        super().__init__(", ".join(waits))
        self.waits = waits


def _deadlocks_tried_again(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """
    Call `function` again when the database turned it away to end a deadlock.

    It has done nothing then. Inside a caller's transaction, all of which is
    lost, the error is theirs to handle.
    """

    @wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        database = connections[router.db_for_write(Tally)]
        is_final = database.in_atomic_block or database.vendor == "sqlite"
        for _attempt in range(0 if is_final else _ATTEMPTS):
            with suppress(OperationalError):
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    return wrapper


@_deadlocks_tried_again
def take(claims: Sequence[Claim]) -> datetime:
    """
    Count every claim, or none, and answer when.

    A refusal only reads, so that nobody fills the table with it.
    Otherwise the rows that are missing are made, and then all are counted in one
    conditional update, which is undone if one of them has no room.

    Raises Exhausted.
    """
    for _attempt in range(_ATTEMPTS):
        now = timezone.now()
        rows = _rows(claims)
        if exhausted := _waits(claims, rows, now):
            raise Exhausted(exhausted)
        if _count(claims, rows, now):
            return now
        # Somebody counted, or purged, between two statements.
    raise RuntimeError("the tallies are never at rest")


def waits(claims: Sequence[Claim]) -> dict[str, int]:
    """Answer which of the claims are exhausted, and their waits, counting nothing."""
    return _waits(claims, _rows(claims), timezone.now())


@_deadlocks_tried_again
def settle(
    taken_at: datetime,
    *,
    give_back: Iterable[Claim] = (),
    clear: Iterable[Claim] = (),
) -> None:
    """
    Uncount `give_back` and forget the counts of `clear`, in one statement.

    Only the windows that were counted in at `taken_at` are touched: what has
    been counted since in a new window stays.
    """
    returned = {each.key: _end(each, taken_at) for each in give_back}
    cleared = [each.key for each in clear]
    same_window = [Q(key=key, ends_at__lte=end) for key, end in returned.items()]
    touched = reduce(or_, same_window, Q(key__in=cleared))
    Tally.objects.filter(touched, count__gt=0).update(
        count=Case(When(key__in=cleared, then=Value(0)), default=F("count") - 1)
    )


@_deadlocks_tried_again
def forget(claims: Iterable[Claim]) -> int:
    """Delete the tallies of these claims, and answer how many there were."""
    return Tally.objects.filter(key__in=[each.key for each in claims]).delete()[0]


def _rows(claims: Sequence[Claim]) -> dict[str, Tally]:
    rows = Tally.objects.filter(key__in=_keys(claims))
    if connections[router.db_for_write(Tally)].in_atomic_block:
        # In a caller's transaction MariaDB would answer from an old snapshot.
        rows = rows.select_for_update()
    return {each.key: each for each in rows}


def _count(claims: Sequence[Claim], rows: Container[str], now: datetime) -> bool:
    missing = [key for key in _keys(claims) if key not in rows]
    if missing:
        # A new row's window is over for everybody, also for somebody whose `now`
        # is a moment older. Sorted, so that two who make the same rows do not
        # wait for each other in a circle.
        fresh = [Tally(key=key, count=0, ends_at=_LONG_AGO) for key in missing]
        Tally.objects.bulk_create(fresh, ignore_conflicts=True)
    database = router.db_for_write(Tally)
    with transaction.atomic(using=database):
        is_counted = _count_where_room_is(claims, now) == len(claims)
        if not is_counted:
            transaction.set_rollback(True, using=database)
    return is_counted


def _count_where_room_is(claims: Sequence[Claim], now: datetime) -> int:
    is_over = Q(ends_at__lte=now)
    rooms = (Q(is_over | Q(count__lt=e.rate.count), key=e.key) for e in claims)
    ends = (When(key=each.key, then=Value(_end(each, now))) for each in claims)
    # `count` goes first: MariaDB assigns from left to right, and it needs the
    # old `ends_at`.
    return Tally.objects.filter(reduce(or_, rooms), key__in=_keys(claims)).update(
        count=Case(When(is_over, then=Value(1)), default=F("count") + 1),
        ends_at=Case(When(is_over, then=Case(*ends)), default=F("ends_at")),
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
