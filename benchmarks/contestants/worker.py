"""
The process of one contestant, which logs members in.

It reads orders from the lines of stdin, and writes answers to stdout as lines of JSON.
A contestant is a module in this folder. It has these names:

* `urlpatterns`;
* `prepare(members)`, which creates its rows for the members;
* `log_in(member)`, which returns an object with a method `user_id()`;
* optionally `fill(count)`, which adds rows that only make the tables larger;
* optionally `rest()`, which makes time pass between two rounds.
"""

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any, Final

if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.contestants.settings"
    django.setup()

from django.conf import settings
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from benchmarks.contestants.browser import MEMBERS, Member, Stuck, address_of

FRAMING: Final = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}


class Worker:
    """A contestant with its members, who take turns."""

    def __init__(self) -> None:
        self._contestant: Any = importlib.import_module(settings.ROOT_URLCONF)
        members = [_make_member(number) for number in range(MEMBERS)]
        self._contestant.prepare(members)
        self._turns = cycle(members)

    def fill(self, rows: int) -> dict[str, Any]:
        """Add `rows` rows of each kind, as a site has after years of use."""
        self._contestant.fill(rows)
        if connection.vendor == "postgresql":
            # In production, autovacuum does this.
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
        return {}

    def run(self, logins: int) -> dict[str, Any]:
        """Return the CPU time and the wall time of one login, in seconds."""
        members = self._next(logins)
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        outcomes = [self._contestant.log_in(member) for member in members]
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        _check(members, outcomes)
        return {"cpu": cpu / logins, "wall": wall / logins}

    def count(self, logins: int) -> dict[str, Any]:
        """Return the largest number of SQL statements of some logins."""
        counted = []
        for member in self._next(logins):
            with _statements() as statements:
                self._contestant.log_in(member)
            counted.append(len(statements))
        return {"sql": max(counted)}

    def _next(self, logins: int) -> list[Member]:
        mail.outbox = []
        getattr(self._contestant, "rest", lambda: None)()
        return list(islice(self._turns, logins))


def _make_member(number: int) -> Member:
    email = address_of(number)
    user = User.objects.create_user(username=f"member{number}", email=email)
    return Member(number, user.pk)


def _check(members: list[Member], outcomes: list[Any]) -> None:
    """Raise Stuck unless each member is logged in as the right user."""
    for member, outcome in zip(members, outcomes, strict=True):
        if outcome.user_id() != member.user_id:
            raise Stuck(f"{member.email} is not logged in")


@contextmanager
def _statements() -> Iterator[list[str]]:
    """Yield a list that collects the SQL statements, but not BEGIN and its like."""
    noted: list[str] = []

    def note(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.split(maxsplit=1)[0] not in FRAMING:
            noted.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(note):
        yield noted


def main() -> None:
    """Carry out the orders on stdin. Each is the name of a method and a number."""
    answers, sys.stdout = sys.stdout, sys.stderr
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        worker = Worker()
        print(json.dumps({}), file=answers, flush=True)
        for line in sys.stdin:
            order, number = line.split()
            answer = getattr(worker, order)(int(number))
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main()
