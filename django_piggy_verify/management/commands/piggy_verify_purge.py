"""Delete expired auth tokens, codes on their way, and counters."""

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.db import connections
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking, retries
from django_piggy_verify.management import chunks, interrupts, progress
from django_piggy_verify.models import AuthToken, OpenChallenge, Tally

SPAN: Final = 0.15
"""Seconds that one statement should take. Other users of its rows wait for it."""

BREATH: Final = 0.1
"""
Seconds between two statements on SQLite, which allows one writer at a time.

A waiting writer tries again every 0.1 seconds.
"""

FIRST: Final = 1000
"""Rows of the first statement. It shows how fast the database is."""

MOST: Final = 200_000
"""The maximum number of rows of one statement."""

_TABLES: Final[dict[str, tuple[type[Model], str]]] = {
    "auth tokens": (AuthToken, "expires_at"),
    "codes": (OpenChallenge, "ends_at"),
    "counts": (Tally, "ends_at"),
}


def _of_no_use(model: type[Model], now: datetime) -> Q:
    """
    Return the condition for the expired rows that nobody needs.

    An expired auth token is renewed with its refresh token. How long the vendor accepts
    a refresh token is not known.
    """
    if model is not AuthToken:
        return Q()
    oldest = now - timedelta(seconds=conf.refresh_token_ttl)
    return Q(refresh_ciphertext=None) | Q(fetched_at__lte=oldest)


class Command(BaseCommand):
    """Each chunk is deleted in one statement. You can stop the command at any time."""

    help = "Deletes expired auth tokens, expired codes and old counts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for the size of a chunk and for a dry run."""
        chunks.add_argument(parser, default=MOST)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only count the rows, and delete nothing",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Delete from all tables, and print the number of rows."""
        now, is_rehearsal = timezone.now(), options["dry_run"]
        line = progress.Line(self.stdout, is_wanted=options["verbosity"] > 0)
        with interrupts.first_signal() as received:
            for name, (model, field) in _TABLES.items():
                rows = locking.primary_rows(model)
                is_spent = Q(**{f"{field}__lte": now})
                is_useless = _of_no_use(model, now)
                chunk = _Chunk(max(1, options["chunk"]), is_useless)
                steps = (
                    _count(rows.filter(is_spent, is_useless))
                    if is_rehearsal
                    else _delete(rows, is_spent, field, chunk)
                )
                number = _add_up(steps, name, line, received)
                if options["verbosity"]:
                    done = "to be deleted" if is_rehearsal else "deleted"
                    self.stdout.write(f"{number} expired {name} {done}")
                if received:
                    raise interrupts.Stopped(received[0])


def _add_up(
    steps: Iterator[int], name: str, line: progress.Line, received: list[int]
) -> int:
    """Return the number of deleted rows. Stop after a signal."""
    total = 0
    try:
        for number in steps:
            total += number
            line.show(f"{total} expired {name} so far")
            if received:
                break
    finally:
        line.clear()
    return total


class _Chunk:
    """The number of expired rows that one statement handles in about `SPAN` seconds."""

    def __init__(self, most: int, is_useless: Q) -> None:
        self.most = most
        self.size = min(FIRST, most)
        self._is_useless = is_useless

    def delete(self, rows: QuerySet[Model]) -> int:
        """Delete those of `rows` that nobody needs, and adapt the size."""
        began = time.perf_counter()
        deleted = _delete_spent(rows.filter(self._is_useless))
        # A range with rows to keep takes its time too.
        if deleted or self._is_useless:
            fitting = int(self.size * SPAN / (time.perf_counter() - began))
            self.size = max(1, self.size // 2, min(fitting, self.size * 4, self.most))
        return deleted


def _count(rows: QuerySet[Model]) -> Iterator[int]:
    yield rows.count()


def _delete(
    rows: QuerySet[Model], is_spent: Q, field: str, chunk: _Chunk
) -> Iterator[int]:
    """
    Delete ranges of `field`, and yield the number of deleted rows for each range.

    A range of an index costs a tenth of a list of keys. The value in the last row of a
    chunk ends the range. Rows to keep count too, because the database reads them. If
    all rows of a chunk have the same value, the range does not move. Then the rows with
    this value are deleted by ranges of the primary key. So the loop ends, whatever
    other processes do.

    A range has only one upper end. With two, SQLite may read all rows below the other
    end.
    """
    start, last = Q(), None
    while True:
        end = _value_at(rows.filter(start, is_spent), field, chunk.size)
        if end is None:
            yield chunk.delete(rows.filter(start, is_spent))
            return
        if end == last:
            yield from _delete(rows.filter(**{field: end}), Q(), "pk", chunk)
            start = Q(**{f"{field}__gt": end})
        else:
            yield chunk.delete(rows.filter(start, **{f"{field}__lt": end}))
            start = Q(**{f"{field}__gte": end})
        last = end
        if connections[rows.db].vendor == "sqlite":
            time.sleep(BREATH)


@retries.retry_on_conflict
def _value_at(rows: QuerySet[Model], field: str, position: int) -> Any:
    """Return the value of `field` in the row at this position, or None."""
    values = rows.order_by(field).values_list(field, flat=True)
    return next(iter(values[position : position + 1]), None)


@retries.retry_on_conflict
def _delete_spent(rows: QuerySet[Model]) -> int:
    """
    Delete those of `rows` that are still expired when the database reaches them.

    The database locks the rows in the order in which it finds them. A fixed order
    would cost ten times as much. Requests seldom need two expired rows at the same
    time, so deadlocks are rare. Django's `delete` is not used: it reads the rows first,
    and would then delete rows that are in use again. So no `post_delete` is sent.
    """
    return rows._raw_delete(using=rows.db)
