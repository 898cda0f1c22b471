"""
Count attempts in fixed windows, with one database row per limit and subject.

`login.rate_limits` decides which subjects are counted. Rows are found by keyed
hashes, so that no address is stored.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final, TypeAlias, TypeVar

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
"""Hexadecimal digits of a key. The longest name of a limit fits in beside them."""

_SALT: Final = "django_piggy_verify.limits"
_RATE: Final = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,5})?([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_Name = TypeVar("_Name")

Windows: TypeAlias = Mapping[str, datetime]
"""When the window of each key ends, by the clock of the process that began it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of attempts in a number of seconds."""

    count: int
    """How many attempts one window lets through."""

    period: int
    """The window's length in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One attempt of one subject, to be counted under one limit."""

    limit: str
    """The limit's name."""

    key: str
    """The row's primary key: a keyed hash of limit and subject, and the limit."""

    rate: Rate
    """How many attempts are let through."""

    retry_after: int | None = None
    """Seconds to report where waiting for the end of the window does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many attempts of one subject are counted under one limit."""

    limit: str
    """The limit's name."""

    number: int
    """How many attempts are counted in the current window."""

    allowed: int
    """How many attempts one window lets through."""

    ends_at: datetime | None
    """When the current window ends; None if there is no current window."""


def parse_rate(text: str) -> Rate:
    """Parse ``N/[n]unit`` with the units s, m, h and d; raise ValueError otherwise."""
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
    """Return the claim of `subject`. Without `rate`, the settings' rate is used."""
    text = Secret(f"{limit}\0{subject}")  # a code may be in it
    digest = salted_hmac(_SALT, text, algorithm="sha256").hexdigest()
    # The hash comes first, because rows are locked in the order of their keys. Only the
    # order of digits and small letters is the same here and in every collation.
    key = f"{digest[:_DIGITS]}:{limit}"
    rate = rate or parse_rate(str(conf.rate_limits[limit]))
    return Claim(limit=limit, key=key, rate=rate, retry_after=retry_after)


def limit_of(key: str) -> str:
    """Return the name of the limit in the key of a row."""
    return key.partition(":")[2]


def allowed(limit: str) -> int | None:
    """Return how many attempts a limit allows; None if it is off or unknown."""
    written = conf.rate_limits.get(limit)
    return parse_rate(written).count if isinstance(written, str) else written


class Exhausted(Exception):
    """
    Nothing was counted, because at least one limit is reached.

    By limit, `waits` has the seconds to wait, and `rows` has the count and the end of
    the window.
    """

    def __init__(self, waits: dict[str, int], rows: dict[str, Counted]) -> None:
        super().__init__(", ".join(waits))
        self.waits = waits
        self.rows = rows

    @property
    def numbers(self) -> dict[str, int]:
        """The counts by limit."""
        return {limit: row.number for limit, row in self.rows.items()}


@retries.retry_on_conflict
def take(claims: Sequence[Claim], *, unless: Sequence[Claim] = ()) -> Windows:
    """
    Count every claim or none, and return the windows that they are counted in.

    Nothing is counted if a claim in `unless` is exhausted. These claims are only read.

    A refusal only reads, so that refused attempts do not fill the table. Otherwise
    missing rows are inserted and existing rows are counted in one conditional
    update. Both are undone if one limit is reached.

    Raises Exhausted.
    """
    now = timezone.now()
    read = [*claims, *unless]
    rows = counters.find(_keys(read))
    if exhausted := _waits(read, rows, now):
        full = (each for each in read if each.limit in exhausted)
        raise Exhausted(exhausted, {each.limit: rows[each.key] for each in full})
    new = {each.key: _end(each, now) for each in claims if each.key not in rows}
    known = [each for each in claims if each.key in rows]
    changes = [_counted(each, rows[each.key], now) for each in known]
    with transaction.atomic(using=router.db_for_write(Tally)):
        if counters.make(new) + counters.change(changes) < len(claims):
            raise Conflict("other processes keep changing the counters")
    return new | {each.key: each.ends_at for each in changes}


def waits(claims: Sequence[Claim]) -> dict[str, int]:
    """Return the seconds to wait for each exhausted limit. Nothing is counted."""
    return _waits(claims, counters.find(_keys(claims)), timezone.now())


def longest_waits(groups: Mapping[_Name, Sequence[Claim]]) -> dict[_Name, int]:
    """
    Return the seconds until no limit of a group is exhausted, for each group.

    The seconds are 0 if none is. Nothing is counted. Makes one query.
    """
    claims = [each for group in groups.values() for each in group]
    rows, now = counters.find(_keys(claims)), timezone.now()
    return {
        name: max(_waits(group, rows, now).values(), default=0)
        for name, group in groups.items()
    }


def usage(claims: Sequence[Claim]) -> list[Usage]:
    """Return the usage of each claim's subject. Nothing is counted."""
    rows, now = counters.find(_keys(claims)), timezone.now()
    return [_usage(each, rows.get(each.key), now) for each in claims]


@retries.retry_on_conflict
def settle(
    windows: Windows,
    *,
    give_back: Iterable[Claim] = (),
    clear: Iterable[Claim] = (),
    release: Iterable[Claim] = (),
    put: Iterable[tuple[Claim, int]] = (),
) -> None:
    """
    Uncount the claims in `give_back` and reset those in `clear`, in one statement.

    A claim is uncounted only in the window that it was counted in. A cleared window
    is over. Each claim in `put` gets the given count, in the same window. The window
    of each claim in `release` is over too, unless another window has begun since.
    """
    cleared = [counters.clear(each.key) for each in clear]
    returned = [counters.give_back(each.key, windows[each.key]) for each in give_back]
    released = [counters.release(each.key, windows[each.key]) for each in release]
    numbered = [
        counters.put(each.key, windows[each.key], number=number) for each, number in put
    ]
    counters.change(cleared + returned + released + numbered)


@retries.retry_on_conflict
def exhaust(
    claims: Sequence[Claim], *, windows: Windows, give_back: Sequence[Claim]
) -> None:
    """Exhaust `claims` for one period from now, and uncount those in `give_back`."""
    now = timezone.now()
    ends = {each.key: _end(each, now) for each in claims}
    filled = [
        counters.fill(each.key, ends[each.key], number=each.rate.count)
        for each in claims
    ]
    returned = [counters.give_back(each.key, windows[each.key]) for each in give_back]
    with transaction.atomic(using=router.db_for_write(Tally)):
        counters.make(ends)
        counters.change(filled + returned)


@retries.retry_on_conflict
def forget(claims: Sequence[Claim]) -> int:
    """Delete the rows of these claims; return how many there were."""
    with locking.locked_in_key_order(Tally, _keys(claims)) as rows:
        return rows.delete()[0]


def _counted(claim: Claim, row: Counted, now: datetime) -> Change:
    """
    Return the change that counts the claim, only in the window that was read.

    A window begins with the first attempt that is not given back. So the cooldown after
    a failed send and its repetition is as long as after any other send.
    """
    if row.ends_at > now and row.number:
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
    """Return the limits that are exhausted, with the seconds to wait for each."""
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
