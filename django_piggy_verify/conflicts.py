"""
Several who change the same rows at once: who goes first, and who tries again.

What is changed, and why, is nobody's business here.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from django.db import OperationalError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet

PATIENCE: Final = 10
"""Seconds after which a conflict is not tried again, but for the first `TRIES`."""

TRIES: Final = 10
"""How often at least: on a busy database, waiting for a lock may take all the time."""

_NAP: Final = 0.02
"""Seconds between two tries, at most; they differ, lest the same two meet again."""

_CODES: Final = frozenset({"40001", "40P01", 1020, 1213})
"""
How a database says that it has undone one side to end a conflict.

PostgreSQL: serialization_failure, deadlock_detected.
MariaDB: ER_CHECKREAD, ER_LOCK_DEADLOCK.
"""

_P = ParamSpec("_P")
_R = TypeVar("_R")
_M = TypeVar("_M", bound=Model)


class Overtaken(Exception):
    """Somebody changed the rows between two statements; nothing is done."""


def current(model: type[_M]) -> QuerySet[_M]:
    """Answer all rows as they are where they are written: a replica may lag behind."""
    return model._default_manager.using(router.db_for_write(model))


@contextmanager
def in_order(model: type[_M], keys: Iterable[Any]) -> Iterator[QuerySet[_M]]:
    """
    Hand out the rows with these primary keys, for one statement that changes them.

    All who change several rows have to lock them in one order, or they wait for
    each other in a circle. MariaDB goes by the primary key anyway, and SQLite has
    one lock. PostgreSQL goes as it finds them, and notices a circle after a second.
    Only the purge goes without, and says why.
    """
    rows = current(model)
    named = rows.filter(pk__in=list(keys))
    if has_to_lock_in_order(connections[rows.db]):
        locked = named.order_by("pk").select_for_update()
        named = rows.filter(pk__in=locked.values("pk"))
    with transaction.atomic(using=rows.db):
        yield named


def is_in_transaction(alias: str) -> bool:
    """Whether what is locked now stays so: in a block, or with autocommit off."""
    return not connections[alias].get_autocommit()


def has_to_lock_in_order(connection: BaseDatabaseWrapper) -> bool:
    """Whether this database would lock rows as it finds them: see `in_order`."""
    return connection.vendor == "postgresql"


def tried_again(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """
    Call `function` again, for `PATIENCE` seconds, when a conflict undid what it did.

    Inside a caller's transaction, all of which is undone then, the conflict is
    the caller's to handle.
    """

    @wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        deadline = time.monotonic() + PATIENCE
        tries = 0
        while True:
            tries += 1
            try:
                return function(*args, **kwargs)
            except (Overtaken, OperationalError) as error:
                is_over = tries >= TRIES and time.monotonic() > deadline
                if is_over or not _may_be_tried_again(error):
                    raise
            time.sleep(random.uniform(0, _NAP))  # noqa: S311

    return wrapper


def _may_be_tried_again(error: Exception) -> bool:
    if isinstance(error, Overtaken):
        return True
    # psycopg has `sqlstate`, psycopg2 `pgcode`, and mysqlclient a first argument.
    codes = {getattr(error.__cause__, name, None) for name in ("sqlstate", "pgcode")}
    is_conflict = not _CODES.isdisjoint({*codes, *error.args[:1]})
    used = connections.all(initialized_only=True)
    return is_conflict and not any(each.in_atomic_block for each in used)
