"""
The process of one contestant, which logs members in.

It reads orders from the lines of stdin, and writes answers to stdout as lines of JSON.
A contestant is a module in this folder. It has these names:

* `urlpatterns`;
* `prepare(members)`, which creates its rows for the members;
* `log_in(member)`, which returns the browser, after all work for the login was done;
* optionally `user_in(browser)`, if the login has no session;
* optionally `add(first, last)`, which adds rows that only make the tables larger;
* optionally `rest()`, which makes time pass between two rounds.
"""

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from statistics import mean
from typing import Any, Final
from unittest import mock

if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.contestants.settings"
    django.setup()

from django.conf import settings
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.test.utils import setup_databases, teardown_databases

from benchmarks.contestants import wsgi
from benchmarks.contestants.browser import MEMBERS, Browser, Member, Stuck, address_of

FRAMING: Final = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}
FIRST_STRANGER: Final = 1_000_000
"""The number of the first member who never logs in."""


class Worker:
    """A contestant with its members, who take turns."""

    def __init__(self) -> None:
        self._contestant, members = prepare(MEMBERS)
        self._user_in = getattr(self._contestant, "user_in", wsgi.user_in)
        self._turns = cycle(members)

    def fill(self, rows: int) -> dict[str, Any]:
        """Add `rows` rows of each kind, as a site has after years of use."""
        self._contestant.add(FIRST_STRANGER, FIRST_STRANGER + rows - 1)
        if connection.vendor == "postgresql":
            # In production, autovacuum does this.
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
        return {}

    def run(self, logins: int) -> dict[str, Any]:
        """
        Return the CPU time of one login, and how long each of its requests takes.

        All are in seconds. The CPU time includes the work after the responses, and the
        time of the browser.
        """
        members = self._next(logins)
        gc.collect()
        cpu = time.process_time()
        browsers = [self._contestant.log_in(member) for member in members]
        cpu = time.process_time() - cpu
        self._check(members, browsers)
        waits = zip(*(browser.waits for browser in browsers), strict=True)
        return {"cpu": cpu / logins, "waits": list(map(mean, waits))}

    def count(self, logins: int) -> dict[str, Any]:
        """Return the most SQL statements and write transactions of one login."""
        members = self._next(logins)
        counted = [self._count(member) for member in members]
        if hasattr(self._contestant, "rest"):
            self._contestant.rest(keeps_rows=True)
            counted += [self._count(member) for member in members]
        return {
            "sql": max(each.statements for each in counted),
            "writes": max(each.writes for each in counted),
        }

    def _count(self, member: Member) -> "Counter":
        with Counter().listening() as counter:
            self._contestant.log_in(member)
        return counter

    def _next(self, logins: int) -> list[Member]:
        mail.outbox = []
        getattr(self._contestant, "rest", lambda: None)()
        return list(islice(self._turns, logins))

    def _check(self, members: Sequence[Member], browsers: Sequence[Browser]) -> None:
        """Raise Stuck unless each member is logged in as the right user."""
        for member, browser in zip(members, browsers, strict=True):
            if self._user_in(browser) != member.user_id:
                raise Stuck(f"{member.email} is not logged in")


def prepare(count: int) -> tuple[Any, list[Member]]:
    """Create so many members, and return the module of the contestant and them."""
    contestant = importlib.import_module(settings.ROOT_URLCONF)
    User.objects.bulk_create(
        User(username=f"member{number}", email=address_of(number), password="!")  # noqa: S106
        for number in range(count)
    )
    keys = User.objects.order_by("pk").values_list("pk", flat=True)
    members = [Member(number, key) for number, key in enumerate(keys)]
    contestant.prepare(members)
    return contestant, members


class Counter:
    """Counts the SQL of all threads."""

    def __init__(self) -> None:
        self.statements = 0
        """The statements, without BEGIN and its like."""

        self.writes = 0
        """The transactions that write. Without BEGIN, a statement is one."""

        self._begun: set[BaseDatabaseWrapper] = set()

    @contextmanager
    def listening(self) -> Iterator["Counter"]:
        """Count during a `with` block."""
        execute = CursorWrapper._execute_with_wrappers  # type: ignore[attr-defined]

        def count_and_execute(cursor: Any, sql: str, *args: Any, **kwargs: Any) -> Any:
            self._note(cursor.db, sql.split(maxsplit=1)[0])
            return execute(cursor, sql, *args, **kwargs)

        # `execute_wrapper` of Django sees only the statements of one thread.
        with mock.patch.object(
            CursorWrapper, "_execute_with_wrappers", count_and_execute
        ):
            yield self

    def _note(self, database: BaseDatabaseWrapper, word: str) -> None:
        if word in FRAMING:
            return
        self.statements += 1
        if word == "SELECT" or database in self._begun:
            return
        self.writes += 1
        if database.in_atomic_block:
            self._begun.add(database)
            database.on_commit(lambda: self._begun.discard(database))


@contextmanager
def database() -> Iterator[None]:
    """Create a database, and drop it after the `with` block."""
    created = create_database()
    try:
        yield
    finally:
        drop_database(created)


def create_database() -> Any:
    """Create a database. Return what `drop_database` needs."""
    return setup_databases(verbosity=0, interactive=False)


def drop_database(created: Any) -> None:
    """Drop the database, even if other threads are connected with it."""
    if connection.vendor == "postgresql":
        _disconnect_others()
    teardown_databases(created, verbosity=0)


def _disconnect_others() -> None:
    """Close the connections of other threads, which keep the database from a drop."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def main() -> None:
    """Carry out the orders on stdin. Each is the name of a method and a number."""
    answers, sys.stdout = sys.stdout, sys.stderr
    with database():
        worker = Worker()
        print(json.dumps({}), file=answers, flush=True)
        for line in sys.stdin:
            order, number = line.split()
            answer = getattr(worker, order)(int(number))
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
