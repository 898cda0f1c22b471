"""How the commands read a table of any size. What they do with it is theirs."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

_M = TypeVar("_M", bound=Model)


def add_argument(parser: ArgumentParser, default: int = 500) -> None:
    """Take the size of a chunk."""
    parser.add_argument(
        "--chunk", type=int, default=default, help="rows a statement, at most"
    )


def in_chunks(rows: QuerySet[_M], size: int) -> Iterator[list[_M]]:
    """
    Yield `rows` in lists of `size` at most, each read when it is asked for.

    By primary key and never back, so that it ends whatever happens to the rows
    meanwhile. No cursor is kept open, and MariaDB's client would read all of it.
    """
    rows = rows.order_by("pk")
    chunk = list(rows[: max(1, size)])
    while chunk:
        yield chunk
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[: max(1, size)])
