"""Delete what has expired: auth tokens, and tallies whose window is over."""

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
"""Seconds that a statement should take: whoever wants one of its rows waits for it."""

BREATH: Final = 0.1
"""
Seconds between two statements on SQLite, which lets one write at a time.

Whoever waits there looks every 0.1 seconds whether it is their turn.
"""

FIRST: Final = 1000
"""Rows of the first statement; then it is known how fast the database is."""

MOST: Final = 200_000
"""Rows of one statement, at most."""

_TABLES: Final[dict[str, tuple[type[Model], str]]] = {
    "auth tokens": (AuthToken, "expires_at"),
    "counts": (Tally, "ends_at"),
}


class Command(BaseCommand):
    """Deletes in chunks, each a statement of its own; stopping it loses nothing."""

    help = "Deletes expired auth tokens and spent counts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the size of a chunk, and whether this is a rehearsal."""
        chunks.add_argument(parser, default=MOST)
        parser.add_argument(
            "--dry-run", action="store_true", help="count, but delete nothing"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Purge both tables and say how many rows went."""
        now, is_rehearsal = timezone.now(), options["dry_run"]
        line = progress.Line(self.stdout, is_wanted=options["verbosity"] > 0)
        with interrupts.heeded() as heard:
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
                number = _add_up(steps, name, line, heard)
                if options["verbosity"]:
                    done = "to be deleted" if is_rehearsal else "deleted"
                    self.stdout.write(f"{number} expired {name} {done}")
                if heard:
                    raise interrupts.Stopped(heard[0])


def _add_up(
    steps: Iterator[int], name: str, line: progress.Line, heard: list[int]
) -> int:
    """Answer the sum of what is deleted, until a signal is heard."""
    total = 0
    try:
        for number in steps:
            total += number
            line.show(f"{total} expired {name} so far")
            if heard:
                break
    finally:
        line.clear()
    return total


class _Chunk:
    """How many rows one statement may delete: as many as take `SPAN` seconds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = min(FIRST, most)

    def delete(self, rows: QuerySet[Model]) -> int:
        """Delete `rows`, and learn from how long that took."""
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
    Delete by ranges of `field`, and yield how many rows went with each.

    A range of an index costs a tenth of a list of keys. Its end is read where the
    chunk ends; where all the chunk is of one time, those of that time go by ranges
    of the primary key. Never back, so that it ends whatever the traffic does.

    A range has one upper end, or SQLite may look at all that is before the other.
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
    """Answer the value of `field` in the row at this position, or None."""
    values = rows.order_by(field).values_list(field, flat=True)
    return next(iter(values[position : position + 1]), None)


@retries.retry_on_conflict
def _delete_spent(rows: QuerySet[Model]) -> int:
    """
    Delete `rows`, where they are still spent when it is their turn.

    They are locked as they are found. To do so in order would cost ten times as
    much; and the traffic seldom wants two spent rows just now, in another order.
    No receiver of a project's is told: Django would read the rows first, and then
    delete by their keys what is in use again.
    """
    return rows._raw_delete(using=rows.db)
