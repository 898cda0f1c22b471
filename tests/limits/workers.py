"""
Run a function many times at once, in threads of several processes.

The processes are spawned, so they share only the database of the test run.
"""

import logging
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import django
from django.apps import apps
from django.db import connection, connections

if not apps.ready:
    django.setup()

PROCESSES, THREADS = 3, 4

_REPEATABLE = {"isolation_level": "repeatable read"}
ISOLATION_LEVELS: dict[str, list[Any]] = {
    "sqlite": [{"transaction_mode": "IMMEDIATE"}],
    # The numbers of psycopg for repeatable read and serializable.
    "postgresql": [{}, {"isolation_level": 3}, {"isolation_level": 4}],
    # The last option is the default from MariaDB 11.6 on.
    "mysql": [
        {},
        _REPEATABLE,
        _REPEATABLE | {"init_command": "SET innodb_snapshot_isolation = ON"},
    ],
}
"""The options of connections to test with, by the kind of the database."""

_start: Any = None


class Workers:
    """A pool of processes. Their threads all start at the same moment."""

    def __init__(self, processes=PROCESSES, threads=THREADS):
        self.processes, self.threads = processes, threads

    def __enter__(self):
        context = get_context("spawn")
        start = context.Barrier(self.processes * self.threads)
        self._pool = ProcessPoolExecutor(
            self.processes, context, _enter, (connection.settings_dict, start)
        )
        return self

    def __exit__(self, *_args):
        self._pool.shutdown()

    def begin(self, act, times, **options):
        """Start calling `act` with each number up to `times`; return the futures."""
        shares = [range(n, times, self.processes) for n in range(self.processes)]
        return [
            self._pool.submit(_share, act, share, self.threads, options)
            for share in shares
        ]

    def do(self, act, times, **options):
        """Call `act` with each number up to `times`, and return all results."""
        shares = self.begin(act, times, **options)
        return [each for share in shares for each in share.result(timeout=300)]


def _enter(settings_dict, start):
    global _start  # noqa: PLW0603
    _start = start
    connection.settings_dict.update(settings_dict)
    # Without a handler, every warning of a limit would be printed.
    logging.getLogger("django_piggy_verify").addHandler(logging.NullHandler())


def _share(act, numbers, threads, options):
    """Run the share of one process. Its connections have `options` meanwhile."""
    usual = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**usual, **options}
    with ThreadPoolExecutor(threads) as pool:
        shares = [numbers[n::threads] for n in range(threads)]
        done = list(pool.map(_repeat, [act] * threads, shares))
    connection.settings_dict["OPTIONS"] = usual
    return [each for share in done for each in share]


def _repeat(act, numbers):
    _start.wait(timeout=60)
    try:
        return [act(number) for number in numbers]
    finally:
        connections.close_all()
