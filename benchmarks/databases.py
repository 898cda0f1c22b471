"""
Create a database for a measurement, fill it by SQL, and drop it afterwards.

DATABASE chooses the database, as for the tests. Without it, the measurement runs on all
databases in turn, each in its own process. Importing this module sets Django up.
"""

import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import django
from django.apps import apps
from django.db import DatabaseError, connection
from django.test.utils import setup_databases, teardown_databases

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
if not apps.ready:
    django.setup()

NAME: Final = os.environ.get("DATABASE", "sqlite")
"""The database of this process."""

NUMBERS: Final = (
    "WITH RECURSIVE numbers(n) AS "
    "(SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
)

_BY_VENDOR: Final = {
    "sqlite": {
        "after": "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now', ({0}) || ' seconds')",
        "random": "(abs(random()) %% 1000000 / 1000000.0)",
        "hash": "lower(hex(randomblob(32)))",
        "bytes": "randomblob(150)",
    },
    "postgresql": {
        "after": "now() + ({0}) * interval '1 second'",
        "random": "random()",
        "hash": "encode(sha256(random()::text::bytea), 'hex')",
        "bytes": "decode(repeat('5a', 150), 'hex')",
    },
    "mysql": {
        "after": "utc_timestamp(6) + INTERVAL ({0}) SECOND",
        "random": "rand()",
        "hash": "sha2(concat(rand(), uuid()), 256)",
        "bytes": "random_bytes(150)",
    },
}


def run(measure: Callable[[bool], None], names: Sequence[str], purpose: str) -> int:
    """
    Call `measure` on each of these databases, and return the exit code.

    `measure` gets True for a quick run. Only a quick run may leave out a database whose
    server does not answer.
    """
    parser = ArgumentParser(description=purpose)
    parser.add_argument("--quick", action="store_true", help="small and fast")
    is_quick = parser.parse_args().quick
    if name := os.environ.get("DATABASE"):
        return _measure(measure, name, is_quick=is_quick)
    codes = [_in_a_process(name) for name in names]
    return int(any(codes))


def _in_a_process(name: str) -> int:
    environment = os.environ | {"DATABASE": name}
    command = [sys.executable, *sys.argv]
    return subprocess.run(command, env=environment, check=False).returncode


def _measure(measure: Callable[[bool], None], name: str, *, is_quick: bool) -> int:
    if error := _silence():
        print(f"{name} does not answer: {error}", file=sys.stderr)
        return 0 if is_quick else 1
    with _scratch():
        measure(is_quick)
    return 0


def _silence() -> str:
    """Return why the server does not answer, or a blank text if it does."""
    if connection.vendor == "sqlite":
        return ""
    try:
        with connection._nodb_cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return str(error)
    return ""


@contextmanager
def _scratch() -> Iterator[None]:
    made = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        teardown_databases(made, verbosity=0)


def sql(text: str, *values: Any) -> int:
    """Execute a statement, and return the number of changed rows."""
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return int(cursor.rowcount)


def fill(table: str, first: int, last: int, **columns: str) -> None:
    """
    Insert a row for each number `n`. `columns` are SQL expressions of `n`.

    ``{random}``, ``{hash}`` and ``{bytes}`` become the expressions of the database. An
    expression ``after(x)`` is the time in x seconds.
    """
    if connection.vendor == "mysql":
        sql(f"SET SESSION max_recursive_iterations = {last}")
    numbers = NUMBERS.format(first=first, last=last)
    names = ", ".join(map(connection.ops.quote_name, columns))
    values = ", ".join(map(_expression, columns.values()))
    sql(f"INSERT INTO {table} ({names}) {numbers} SELECT {values} FROM numbers")  # noqa: S608


def _expression(text: str) -> str:
    words = _BY_VENDOR[connection.vendor]
    if text.startswith("after("):
        text = words["after"].format(text.removeprefix("after(").removesuffix(")"))
    return text.format(**words)


def fill_users(first: int, last: int) -> None:
    """Insert users with these numbers."""
    flags = {"is_staff": "false", "is_active": "true", "is_superuser": "false"}
    blank = dict.fromkeys(["password", "first_name", "last_name", "email"], "''")
    own = {"id": "n", "username": "n", "date_joined": "after(0)"}
    fill("auth_user", first, last, **own, **flags, **blank)


def fill_contacts(first: int, last: int, **columns: str) -> None:
    """Insert contacts with these numbers, and with further `columns`."""
    times = dict.fromkeys(["created_at", "verified_at"], "after(0)")
    blank = dict.fromkeys(["email", "phone", "fetch_state"], "''")
    columns = {**times, **blank, **columns}
    fill("piggy_verify_contact", first, last, id="n", **columns)


def copy(source: str, target: str) -> None:
    """Copy all rows into another table. Create the table if it is missing."""
    if target in connection.introspection.table_names():
        sql(f"INSERT INTO {target} SELECT * FROM {source}")  # noqa: S608
    else:
        sql(f"CREATE TABLE {target} AS SELECT * FROM {source}")  # noqa: S608


def empty(table: str) -> None:
    """Delete all rows, the fast way."""
    is_sqlite = connection.vendor == "sqlite"  # SQLite has no TRUNCATE.
    sql(f"DELETE FROM {table}" if is_sqlite else f"TRUNCATE {table}")  # noqa: S608


def settle() -> None:
    """Let the database update its statistics and finish its pending writes."""
    if connection.vendor == "postgresql":
        sql("VACUUM ANALYZE")
        sql("CHECKPOINT")
    elif connection.vendor == "sqlite":
        sql("ANALYZE")
