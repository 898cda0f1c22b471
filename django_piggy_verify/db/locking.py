"""
Read and lock rows so that no two processes block each other.

If a conflict still happens, `retries` repeats the work.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet

_M = TypeVar("_M", bound=Model)


def primary_rows(model: type[_M]) -> QuerySet[_M]:
    """Return all rows from the database that is written to, not from a replica."""
    return model._default_manager.using(router.db_for_write(model))


@contextmanager
def locked_in_key_order(model: type[_M], keys: Iterable[Any]) -> Iterator[QuerySet[_M]]:
    """
    Yield the rows with these primary keys, for one statement that changes them.

    Statements that change several rows have to lock them in one order, or two of
    them deadlock. MariaDB locks by the primary key anyway, and SQLite has one lock.
    PostgreSQL locks rows as it finds them, and detects a deadlock after a second.
    Only the purge does without this order, and its comment says why.
    """
    rows = primary_rows(model)
    named = rows.filter(pk__in=list(keys))
    if needs_key_order(connections[rows.db]):
        locked = named.order_by("pk").select_for_update()
        named = rows.filter(pk__in=locked.values("pk"))
    with transaction.atomic(using=rows.db):
        yield named


def is_in_transaction(alias: str) -> bool:
    """Return whether a lock lasts beyond its statement."""
    return not connections[alias].get_autocommit()


def needs_key_order(connection: BaseDatabaseWrapper) -> bool:
    """Return whether this database locks rows in the order in which it finds them."""
    return connection.vendor == "postgresql"
