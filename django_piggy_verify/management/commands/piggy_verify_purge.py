"""Delete expired auth tokens, and counters whose window has ended."""

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.db import connections
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from django_piggy_verify.db import locking, retries
from django_piggy_verify.management import chunks, interrupts, progress
from django_piggy_verify.models import AuthToken, Tally

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
    "counts": (Tally, "ends_at"),
}


class Command(BaseCommand):
    """Each chunk is deleted in one statement. You can stop the command at any time."""

    help = "Deletes expired auth tokens and old counts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for the size of a chunk and for a dry run."""
        chunks.add_argument(parser, default=MOST)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only count the rows, and delete nothing",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Delete from both tables, and print the number of rows."""
        now, is_rehearsal = timezone.now(), options["dry_run"]
        line = progress.Line(self.stdout, is_wanted=options["verbosity"] > 0)
        with interrupts.first_signal() as received:
            for name, (model, field) in _TABLES.items():
                rows, is_spent = (
                    locking.primary_rows(model),
                    Q(**{f"{field}__lte": now}),
                )
                chunk = _Chunk(max(1, options["chunk"]))
                steps = (
                    _count(rows.filter(is_spent))
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
    """The number of rows that one statement deletes in about `SPAN` seconds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = min(FIRST, most)

    def delete(self, rows: QuerySet[Model]) -> int:
        """Delete `rows`, and adapt the size to the duration."""
        began = time.perf_counter()
        deleted = _delete_spent(rows)
        if deleted:
            fitting = int(deleted * SPAN / (time.perf_counter() - began))
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
    chunk ends the range. If all rows of a chunk have the same value, these rows are
    deleted by ranges of the primary key. Ranges only move forward, so the loop ends,
    whatever other processes do.

    A range has only one upper end. With two, SQLite may read all rows below the other
    end.
    """
    start = Q()
    while True:
        end = _value_at(rows.filter(start, is_spent), field, chunk.size)
        if end is None:
            yield chunk.delete(rows.filter(start, is_spent))
            return
        deleted = chunk.delete(rows.filter(start, **{f"{field}__lt": end}))
        yield deleted
        if not deleted and field != "pk":
            yield from _delete(rows.filter(**{field: end}), Q(), "pk", chunk)
        start = Q(**{f"{field}__gte": end})
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
