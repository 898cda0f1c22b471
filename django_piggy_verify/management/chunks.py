"""Read a table of any size in chunks."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

_M = TypeVar("_M", bound=Model)


def add_argument(parser: ArgumentParser, default: int = 500) -> None:
    """Add the option for the size of a chunk."""
    parser.add_argument(
        "--chunk",
        type=int,
        default=default,
        help="the maximum number of rows for each statement",
    )


def in_chunks(rows: QuerySet[_M], size: int) -> Iterator[list[_M]]:
    """
    Yield `rows` in lists of at most `size`. Each list is read when it is needed.

    The rows are read in the order of their primary key, and never twice. So the loop
    ends, even if rows are added meanwhile. No cursor stays open, because MariaDB's
    client would read all rows of a cursor at once.
    """
    rows = rows.order_by("pk")
    chunk = list(rows[: max(1, size)])
    while chunk:
        yield chunk
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[: max(1, size)])
