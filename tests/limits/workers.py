"""
Run a function many times at once, in threads of several processes.

The processes are spawned, so they share only the database of the test run.
"""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import django
from django.apps import apps
from django.db import connection, connections

if not apps.ready:
    django.setup()

PROCESSES, THREADS = 3, 4

_start: Any = None


class Workers:
    """A pool of processes. Their threads all start at the same moment."""

    def __enter__(self):
        context = get_context("spawn")
        start = context.Barrier(PROCESSES * THREADS)
        self._pool = ProcessPoolExecutor(
            PROCESSES, context, _enter, (connection.settings_dict, start)
        )
        return self

    def __exit__(self, *_args):
        self._pool.shutdown()

    def begin(self, act, times, **options):
        """Start calling `act` with each number up to `times`; return the futures."""
        return [
            self._pool.submit(_share, act, range(n, times, PROCESSES), options)
            for n in range(PROCESSES)
        ]

    def do(self, act, times, **options):
        """Call `act` with each number up to `times`, and return all results."""
        shares = self.begin(act, times, **options)
        return [each for share in shares for each in share.result(timeout=300)]


def _enter(settings_dict, start):
    global _start  # noqa: PLW0603
    _start = start
    connection.settings_dict.update(settings_dict)


def _share(act, numbers, options):
    """Run the share of one process. Its connections have `options` meanwhile."""
    usual = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**usual, **options}
    with ThreadPoolExecutor(THREADS) as pool:
        shares = [numbers[n::THREADS] for n in range(THREADS)]
        done = list(pool.map(_repeat, [act] * THREADS, shares))
    connection.settings_dict["OPTIONS"] = usual
    return [each for share in done for each in share]


def _repeat(act, numbers):
    _start.wait(timeout=60)
    try:
        return [act(number) for number in numbers]
    finally:
        connections.close_all()
