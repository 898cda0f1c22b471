"""
Read and write the rate-limit counters. `fixed_windows` decides what is counted.

The update is written in SQL, because each login runs it three times. To compile it, the
ORM would take several times as long as the database takes to run it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.models.constants import OnConflict
from django.utils import timezone

from django_piggy_verify.db import locking
from django_piggy_verify.models import Tally


class Counted(NamedTuple):
    """The values of one row."""

    number: int
    """How many attempts are counted."""

    ends_at: datetime
    """When the window ends, or has ended."""


@dataclass(frozen=True, slots=True)
class Change:
    """An update of one row, made only if its columns meet a condition."""

    key: str
    where: str
    """SQL, with a placeholder for each of `values`."""

    values: Sequence[int | datetime]
    count: str
    """SQL of the new count."""

    ends_at: datetime


def begin(key: str, now: datetime, *, ends_at: datetime) -> Change:
    """
    Count the first attempt of a new window that lasts until `ends_at`.

    The last window is over, or all its attempts were given back.
    """
    return Change(key, "(ends_at <= %s OR count = 0)", [now], "1", ends_at)


def add(key: str, window: datetime, *, room: int) -> Change:
    """Count one more in the window that was read, while the count is below `room`."""
    return Change(
        key, "ends_at = %s AND count < %s", [window, room], "count + 1", window
    )


def give_back(key: str, window: datetime) -> Change:
    """Count one less in the window that was read."""
    return Change(key, "ends_at = %s", [window], "count - 1", window)


def release(key: str, window: datetime) -> Change:
    """Set the count to zero and end the window, if it is the window that was read."""
    return Change(key, "ends_at = %s", [window], "0", long_ago())


def put(key: str, window: datetime, *, number: int) -> Change:
    """Set the count to `number` in the window that was read."""
    return Change(key, "ends_at = %s", [window], str(number), window)


def fill(key: str, ends_at: datetime, *, number: int) -> Change:
    """Set the count to `number`, in a window that lasts until `ends_at`."""
    return Change(key, "1 = 1", [], str(number), ends_at)


def clear(key: str) -> Change:
    """Set the count to zero and end the window, even if a new window has begun."""
    return Change(key, "1 = 1", [], "0", long_ago())


def long_ago() -> datetime:
    """Return the window's end for a cleared row. It is naive if ``USE_TZ`` is off."""
    return datetime(1970, 1, 1, tzinfo=timezone.now().tzinfo)


def find(keys: Sequence[str]) -> Mapping[str, Counted]:
    """Return the values of the rows of `keys`, by key. Missing rows are left out."""
    rows = _rows().using(_database()).filter(key__in=keys)
    if locking.is_in_transaction(rows.db):
        # In a caller's transaction MariaDB would read from an old snapshot.
        rows = rows.order_by("key").select_for_update()
    return {key: Counted(number, ends_at) for key, number, ends_at in rows}


def make(windows: Mapping[str, datetime]) -> int:
    """
    Insert a row with count one for each key, with the end of its window.

    Rows are inserted in the order of their keys. Return how many were missing.
    """
    if not windows:
        return 0
    connection = connections[_database()]
    rows = ", ".join(["(%s, 1, %s)"] * len(windows))
    values = (value for row in sorted(windows.items()) for value in row)
    return _execute(connection, _insert(connection).format(rows), values)


def change(changes: Sequence[Change]) -> int:
    """
    Make the changes in one statement; return how many rows met their conditions.

    If a key has several changes, only the first one is made.
    """
    if not changes:
        return 0
    connection = connections[_database()]
    keys = [each.key for each in changes]
    values = [
        *keys,
        *(value for each in changes for value in (each.key, each.ends_at)),
        *(value for each in changes for value in (each.key, *each.values)),
    ]
    sql = _update(changes, connection)
    if locking.needs_key_order(connection):
        sql, values = (
            sql + _lock_in_key_order(connection, len(keys)),
            values + sorted(keys),
        )
    return _execute(connection, sql, values)


def _execute(connection: BaseDatabaseWrapper, sql: str, values: Iterable[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, [_adapted(each, connection) for each in values])
        return int(cursor.rowcount)


def _insert(connection: BaseDatabaseWrapper) -> str:
    """Return the statement that skips the rows that another process has inserted."""
    key, table = _names(connection)
    into = connection.ops.insert_statement(OnConflict.IGNORE)
    suffix = connection.ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])
    return f"{into} {table} ({key}, count, ends_at) VALUES {{}} {suffix}"


def _update(changes: Sequence[Change], connection: BaseDatabaseWrapper) -> str:
    key, table = _names(connection)
    counts = " ".join(f"WHEN %s THEN {each.count}" for each in changes)
    ends = " ".join("WHEN %s THEN %s" for _ in changes)
    rows = " OR ".join(f"{key} = %s AND {each.where}" for each in changes)
    return (  # only names of columns and the constant texts above
        f"UPDATE {table} SET count = CASE {key} {counts} END,"  # noqa: S608
        f" ends_at = CASE {key} {ends} END WHERE ({rows})"
    )


def _lock_in_key_order(connection: BaseDatabaseWrapper, count: int) -> str:
    key, table = _names(connection)
    marks = ", ".join(["%s"] * count)
    return (
        f" AND {key} IN (SELECT {key} FROM {table} WHERE {key} IN ({marks})"  # noqa: S608
        f" ORDER BY {key} FOR UPDATE)"
    )


def _names(connection: BaseDatabaseWrapper) -> tuple[str, str]:
    quote = connection.ops.quote_name
    return quote("key"), quote(Tally._meta.db_table)


def _adapted(value: Any, connection: BaseDatabaseWrapper) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


@cache
def _rows() -> QuerySet[Tally, Any]:
    """Return the query that `find` filters. It is never evaluated itself."""
    return Tally.objects.values_list("key", "count", "ends_at")


def _database() -> str:
    return router.db_for_write(Tally)
