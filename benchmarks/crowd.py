"""
Measure how many logins a site makes for a crowd of members.

Install the dependency groups `benchmarks` and `postgresql`, and run ``python
benchmarks/crowd.py [--quick]``. DATABASE chooses the database, as for the tests. The
default is PostgreSQL. With ``--package PATH``, the package is taken from another
folder, such as a worktree of an older version.

gunicorn serves the site over HTTP. Each member logs in, and then the next one does. So
a slow site has fewer logins. A member posts the code after the mail has arrived.

* *A flood*: 8 members log in at a site with 4 `sync` workers. Beside them, 8 clients
  repeat a request that a limit refuses, as fast as they can.
* *A rush*: 40 members log in at a site with 2 workers of 16 threads, and a slow API.
  The login written by hand does the same.

The visitors and the API run on the same machine, so they take CPU time from the site.
"""

import argparse
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contestants.browser import Browser, Stuck
from benchmarks.rows import Row, emit
from benchmarks.server import PATIENCE, ROOT, Server, exchange, raw
from benchmarks.upstream import HOST, Mailbox, Upstream

FLOODED: Final = ("--workers=4",)
FLOODED_MEMBERS: Final = 8
FLOODERS: Final = 8
FLOOD_DELAY: Final = 0.1

RUSHED: Final = ("--workers=2", "--threads=16")
RUSHED_MEMBERS: Final = 40
RUSH_DELAY: Final = 0.4

LOSS_GOAL: Final = 50
RUSH_GOAL: Final = 1.0

NUMBERS: Final = 5_000
"""The members of a site. Nobody logs in twice."""

_context: Final = get_context("spawn")


@dataclass(frozen=True, slots=True)
class Effort:
    """The size of a measurement."""

    rounds: int
    warm_up: float
    """Seconds before the counting starts."""

    seconds: float
    """Seconds for which logins are counted."""


FULL: Final = Effort(rounds=3, warm_up=3, seconds=20)
QUICK: Final = Effort(rounds=1, warm_up=1, seconds=8)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The logins of a crowd."""

    seconds: float
    durations: list[float] = field(default_factory=list)
    """The seconds of each login, from the first page to the session."""

    failures: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The logins in one second."""
        return len(self.durations) / self.seconds


def crowd(server: Server, upstream: Upstream, members: int, effort: Effort) -> Outcome:
    """Let so many members log in at a time, and return what they saw."""
    outcome = Outcome(effort.seconds)
    begin = time.monotonic() + effort.warm_up
    log_in = partial(_keep_logging_in, server, upstream, (begin, outcome))
    with ThreadPoolExecutor(members) as pool:
        for each in [pool.submit(log_in) for _ in range(members)]:
            each.result()
    return outcome


def _keep_logging_in(
    server: Server, upstream: Upstream, watch: tuple[float, Outcome]
) -> None:
    begin, outcome = watch
    mailbox = Mailbox(upstream)
    while (began := time.monotonic()) < begin + outcome.seconds:
        try:
            server.log_in(server.next_member(), mailbox)
        except (Stuck, OSError) as failure:
            outcome.failures.append(str(failure))
            time.sleep(1)
            continue
        ended = time.monotonic()
        if begin <= ended < begin + outcome.seconds:
            outcome.durations.append(ended - began)


@contextmanager
def flood(server: Server) -> Iterator[None]:
    """Repeat refused requests in another process, during a `with` block."""
    is_ready, is_over = _context.Event(), _context.Event()
    refused = _context.Value("i", 0)
    given = server.port, is_ready, is_over, refused
    process = _context.Process(target=_flood, args=given)
    process.start()
    if not is_ready.wait(PATIENCE):
        raise TimeoutError("no request was refused")
    began = time.monotonic()
    try:
        yield
    finally:
        rate = refused.value / (time.monotonic() - began)
        print(f"{rate:.0f} refused requests a second", file=sys.stderr)
        is_over.set()
        process.join(PATIENCE)


def _flood(port: int, is_ready: Any, is_over: Any, refused: Any) -> None:
    browsers = [Browser(partial(exchange, port), "10.9.9.9") for _ in range(FLOODERS)]
    numbers = count()
    with ThreadPoolExecutor(FLOODERS) as pool:
        requests = list(pool.map(partial(_use_up_limit, numbers), browsers))
        is_ready.set()
        for request in requests:
            pool.submit(_repeat, port, request, is_over, refused)


def _use_up_limit(numbers: Iterator[int], browser: Browser) -> bytes:
    """Ask for codes until the limit of the network address refuses the next one."""
    browser.open("/login/")
    status = 0
    while status != 429:  # noqa: PLR2004
        email = f"stranger{next(numbers)}@example.com"
        request = browser.form("/login/", email=email)
        status = browser.fetch(request).status
    return raw(request, is_last=True)


def _repeat(port: int, request: bytes, is_over: Any, refused: Any) -> None:
    while not is_over.is_set():
        with suppress(OSError), socket.create_connection((HOST, port)) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(request)
            with connection.makefile("rb") as response:
                status = response.read()[9:12]
            with refused.get_lock():
                refused.value += status == b"429"


def measure_flood(upstream: Upstream, package: Path, effort: Effort) -> Iterator[Row]:
    """Return the rows of the flood."""
    alone, flooded = [], []
    for _ in range(effort.rounds):
        server = Server("ours", upstream, *FLOODED, members=NUMBERS, package=package)
        with server:
            alone.append(crowd(server, upstream, FLOODED_MEMBERS, effort))
            with flood(server):
                flooded.append(crowd(server, upstream, FLOODED_MEMBERS, effort))
    site = f"{FLOODED_MEMBERS} members, 4 sync workers"
    yield from _figures(site, alone)
    yield from _figures(f"{site}, flood", flooded)
    pairs = zip(alone, flooded, strict=True)
    yield Row(
        measure=f"{site}: logins lost to the flood",
        against="",
        value=100 * median(1 - after.rate / before.rate for before, after in pairs),
        unit="%",
        goal=LOSS_GOAL,
    )


def measure_rush(upstream: Upstream, package: Path, effort: Effort) -> Iterator[Row]:
    """Return the rows of the rush."""
    outcomes: dict[str, list[Outcome]] = {"ours": [], "floor": []}
    for _ in range(effort.rounds):
        for name, found in outcomes.items():
            server = Server(name, upstream, *RUSHED, members=NUMBERS, package=package)
            with server:
                found.append(crowd(server, upstream, RUSHED_MEMBERS, effort))
    site = f"{RUSHED_MEMBERS} members, 2 x 16 threads"
    yield from _figures(f"{site}, this package", outcomes["ours"])
    yield from _figures(f"{site}, hand-written floor", outcomes["floor"])
    pairs = zip(outcomes["ours"], outcomes["floor"], strict=True)
    yield Row(
        measure=f"{site}: time for each login",
        against="hand-written floor",
        value=median(floor.rate / ours.rate for ours, floor in pairs),
        goal=RUSH_GOAL,
    )


def _figures(site: str, outcomes: Sequence[Outcome]) -> Iterator[Row]:
    for failure in {failure for each in outcomes for failure in each.failures}:
        print(f"{site}: {failure}", file=sys.stderr)
    rate = median(each.rate for each in outcomes)
    duration = median(duration for each in outcomes for duration in each.durations)
    failures = sum(len(each.failures) for each in outcomes)
    for what, value, unit in (
        ("rate", rate, "logins/s"),
        ("median duration of a login", duration, "s"),
        ("failed logins", failures, "logins"),
    ):
        yield Row(measure=f"{site}: {what}", against="", value=value, unit=unit)


def main() -> None:
    """Measure, and print the rows."""
    arguments = _arguments()
    os.environ.setdefault("DATABASE", "postgresql")
    effort = QUICK if arguments.quick else FULL
    with TemporaryDirectory() as directory, Upstream(Path(directory)) as upstream:
        for measure, delay in (
            (measure_flood, FLOOD_DELAY),
            (measure_rush, RUSH_DELAY),
        ):
            upstream.delay(delay)
            for row in measure(upstream, arguments.package, effort):
                emit(row)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Let a crowd of members log in.")
    parser.add_argument("--quick", action="store_true", help="for a few seconds")
    parser.add_argument(
        "--package",
        type=Path,
        default=ROOT,
        help="the folder that contains django_piggy_verify (default: this repository)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
