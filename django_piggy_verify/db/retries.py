"""Retry database work that lost a conflict with another process."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from django.db import OperationalError, connections

PATIENCE: Final = 10
"""Work that was tried `TRIES` times is retried for at most this many seconds."""

TRIES: Final = 10
"""The minimum number of tries. On a busy database, one try may take very long."""

_LONGEST_PAUSE: Final = 0.02
"""
Seconds between two tries.

Each pause is random, so that the same two processes do not collide again.
"""

_CODES: Final = frozenset({"40001", "40P01", 1020, 1213})
"""
The error codes of a transaction that the database has undone to end a conflict.

PostgreSQL: serialization_failure, deadlock_detected.
MariaDB: ER_CHECKREAD, ER_LOCK_DEADLOCK.
"""

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Conflict(Exception):
    """Another process changed the rows between two statements. Nothing was written."""


def retry_on_conflict(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """
    Call `function` again, for `PATIENCE` seconds, if a conflict has undone its work.

    Inside a transaction of the caller, the conflict undoes the whole transaction. The
    caller then gets the error.
    """

    @wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        deadline = time.monotonic() + PATIENCE
        tries = 0
        while True:
            tries += 1
            try:
                return function(*args, **kwargs)
            except (Conflict, OperationalError) as error:
                is_over = tries >= TRIES and time.monotonic() > deadline
                if is_over or not _can_be_retried(error):
                    raise
            time.sleep(random.uniform(0, _LONGEST_PAUSE))  # noqa: S311

    return wrapper


def _can_be_retried(error: Exception) -> bool:
    if isinstance(error, Conflict):
        return True
    # psycopg has `sqlstate`, psycopg2 `pgcode`, and mysqlclient a first argument.
    codes = {getattr(error.__cause__, name, None) for name in ("sqlstate", "pgcode")}
    is_conflict = not _CODES.isdisjoint({*codes, *error.args[:1]})
    used = connections.all(initialized_only=True)
    return is_conflict and not any(each.in_atomic_block for each in used)
