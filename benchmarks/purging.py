"""
Measure `piggy_verify_purge` against one DELETE of the same rows.

Run ``python benchmarks/purging.py``, which takes five minutes, or add ``--quick``.

There are half a million counters and half a million tokens. Half of each have expired.
The rows are stored in the order of creation. The windows have different lengths, so the
times of expiry rise only roughly with that order. The keys of counters are hashes.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from benchmarks.databases import (
    NAME,
    copy,
    empty,
    fill,
    fill_contacts,
    fill_users,
    run,
    settle,
    sql,
)
from benchmarks.rows import Row, emit

TABLES: Final = {
    "piggy_verify_tally": "ends_at",
    "piggy_verify_authtoken": "expires_at",
}
GOALS: Final = {"postgresql": 1.3, "sqlite": 2.2}
LONGEST: Final = 250
"""The most milliseconds that one statement should take."""

SPAN: Final = 100_000
"""Seconds between the first and the last expiry. Half of them have passed."""


def measure(is_quick: bool) -> None:  # noqa: FBT001
    """Purge by the command and by one DELETE in turn, and print the medians."""
    size = 5_000 if is_quick else 500_000
    rounds = {"postgresql": 3, "sqlite": 2}.get(connection.vendor, 1)
    _keep_originals(size)
    bare: list[float] = []
    ours: list[float] = []
    longest: list[float] = []
    for _ in range(1 if is_quick else rounds):
        bare.append(_timed(_delete))
        ours.append(_timed(lambda: longest.append(_purge())))
    goal = None if is_quick else GOALS.get(connection.vendor)
    _report(median(ours) / median(bare), max(longest) * 1000, size, goal)


def _report(ratio: float, longest: float, size: int, goal: float | None) -> None:
    what = f"{NAME}: purge of {size:,} of {2 * size:,} rows"
    emit(Row(measure=what, against="one DELETE a table", value=ratio, goal=goal))
    emit(
        Row(
            measure=f"{what}, longest statement",
            against="",
            value=longest,
            unit="ms",
            goal=LONGEST if goal else None,
        )
    )


def _keep_originals(size: int) -> None:
    """Create the rows once. Each round starts with a copy of them."""
    when = f"after((n * 0.9 / {size} + {{random}} * 0.1 - 0.5) * {SPAN})"
    fill_users(1, 1)  # One user is enough, because a purge reads no users.
    fill_contacts(1, size, user_id="1", provider="n", uid="n")
    fill("piggy_verify_tally", 1, size, key="{hash}", count="1", ends_at=when)
    token = {"id": "n", "contact_id": "n", "ciphertext": "{bytes}"}
    times = {"fetched_at": "after(0)", "expires_at": when}
    fill("piggy_verify_authtoken", 1, size, **token, **times)
    for table in TABLES:
        copy(table, f"{table}_kept")


def _timed(act: Callable[[], None]) -> float:
    for table in TABLES:
        empty(table)
        copy(f"{table}_kept", table)
    settle()
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _delete() -> None:
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    for table, field in TABLES.items():
        sql(f"DELETE FROM {table} WHERE {field} <= %s", now)  # noqa: S608


def _purge() -> float:
    """Run the command, and return the seconds of its longest statement."""
    with _statements() as statements:
        call_command("piggy_verify_purge", verbosity=0)
    return max(statements)


@contextmanager
def _statements() -> Iterator[list[float]]:
    """Yield a list that collects the seconds of each statement."""
    taken: list[float] = []

    def wrapper(execute: Any, text: str, *args: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(text, *args)
        finally:
            if text.startswith(("SELECT", "DELETE FROM")):
                taken.append(time.perf_counter() - began)

    with connection.execute_wrapper(wrapper):
        yield taken


if __name__ == "__main__":
    sys.exit(run(measure, ["sqlite", "postgresql", "mariadb"], __doc__ or ""))
