"""
Compare the logins of this package with those of other packages.

Install the dependency group `benchmarks`, and run ``python benchmarks/login.py
[--quick]``. DATABASE chooses SQLite or PostgreSQL, as for the tests. ``--delay`` slows
the API down. The rows go to stdout, and everything else to stderr. The exit status is 1
if something could not be measured.

Each contestant has its own process and its own database. In each round, the contestants
take turns and log in some members each. So other work on the machine affects all of
them. A row is the median of the ratios of all rounds. A login starts at the first page
and ends with a session. The browser has no cookies, and the member has logged in
before. The module of each contestant says how its login works.

This package and the hand-written floor call an API three times, over TLS. The API runs
in another process. The other packages send mails, which stay in memory.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import IO, Any, Final, Self, cast

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contestants.browser import MEMBERS
from benchmarks.rows import Row, emit
from benchmarks.upstream import Upstream

ROOT: Final = Path(__file__).parents[1]
OURS: Final = "ours"
PEERS: Final = {
    "floor": "hand-written floor",
    "allauth": "django-allauth",
    "drfpasswordless": "drfpasswordless",
    "magiclink": "django-magiclink",
    "sesame": "django-sesame",
}
LARGE: Final = {"ours, large tables": OURS, "floor, large tables": "floor"}
CPU_GOALS: Final = {"floor": 1.0, "allauth": 0.7}
GROWTH_GOAL: Final = 1.05
SQL_GOAL: Final = 16
REQUESTS_GOAL: Final = 3
CONNECTIONS_GOAL: Final = 1

STARTED_AT: Final = time.monotonic()

WARM_UP: Final = 100
"""Logins before the timing starts. They also count the connections to the API."""

# `requests` reads these variables, some of them for the floor only.
_ENVIRONMENT_OF_REQUESTS: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Effort:
    """The size of a measurement."""

    rounds: int
    logins: int
    """The logins of each contestant in each round."""

    filler: int
    """The rows of each kind in the large tables."""

    patience: float
    """Seconds after the start of the run. Later, no further round starts."""


FULL: Final = Effort(rounds=30, logins=10, filler=200_000, patience=170)
QUICK: Final = Effort(rounds=8, logins=5, filler=5_000, patience=60)


class Broken(Exception):
    """The process of a contestant has ended. The reason is on stderr."""


class Contestant:
    """The process of a contestant, which runs during a `with` block."""

    def __init__(self, name: str, upstream: Upstream) -> None:
        self.name = name
        self._environment = {
            **_environment(),
            "CONTESTANT": name,
            "UPSTREAM_URL": upstream.base_url,
            "UPSTREAM_CERTIFICATE": str(upstream.certificate),
        }

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contestants.worker"],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(BrokenPipeError):
            cast("IO[str]", self._process.stdin).close()
        self._process.wait()

    def answer(self) -> Any:
        """Return the next answer of the process."""
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            raise Broken(f"{self.name} has ended")
        return json.loads(line)

    def do(self, order: str, number: int) -> Any:
        """Send an order to the process, and return its answer."""
        print(order, number, file=self._process.stdin, flush=True)
        return self.answer()


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _ENVIRONMENT_OF_REQUESTS and not name.lower().endswith("_proxy")
    }


@dataclass(frozen=True, slots=True)
class Counts:
    """The statements, requests and connections of a login."""

    sql: int
    requests: float
    connections: int
    """The connections of `WARM_UP` logins together."""


def warm_up(contestant: Contestant, upstream: Upstream) -> Counts:
    """Make the first logins of a contestant, and count."""
    requests, connections = upstream.count()
    for _ in range(WARM_UP // MEMBERS):
        contestant.do("run", MEMBERS)
    more_requests, more_connections = upstream.count()
    return Counts(
        sql=contestant.do("count", 10)["sql"],
        requests=(more_requests - requests) / WARM_UP,
        connections=more_connections - connections,
    )


@dataclass(frozen=True, slots=True)
class Times:
    """The time of each round, by contestant. All have the same order of rounds."""

    cpu: Mapping[str, Sequence[float]]
    wall: Mapping[str, Sequence[float]]


def take_turns(contestants: Mapping[str, Contestant], effort: Effort) -> Times:
    """Run all rounds. Each round starts with another contestant."""
    rounds: dict[str, list[Any]] = {name: [] for name in contestants}
    for number in range(effort.rounds):
        if number and time.monotonic() - STARTED_AT > effort.patience:
            break
        names = list(contestants)
        first = number % len(names)
        for name in names[first:] + names[:first]:
            rounds[name].append(contestants[name].do("run", effort.logins))
    return Times(
        cpu={name: [each["cpu"] for each in took] for name, took in rounds.items()},
        wall={name: [each["wall"] for each in took] for name, took in rounds.items()},
    )


def ratio(times: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    """Return the time of `one` divided by that of `other`: the median of the rounds."""
    pairs = zip(times[one], times[other], strict=True)
    return round(median(ours / theirs for ours, theirs in pairs), 3)


def rows(times: Times, counts: Mapping[str, Counts]) -> Iterator[Row]:
    """Return a row for each figure that was measured."""
    measured = [name for name in (OURS, *PEERS) if name in times.cpu]
    if OURS in measured:
        yield from _comparisons(times, measured[1:])
    for grown, name in LARGE.items():
        if {grown, name} <= times.cpu.keys():
            yield Row(
                measure=f"login: CPU time of {_title(name)} with large tables",
                against="small tables",
                value=ratio(times.cpu, grown, name),
                goal=GROWTH_GOAL if name == OURS else None,
            )
    for name in measured:
        yield from _counts(name, counts[name])


def _comparisons(times: Times, peers: Sequence[str]) -> Iterator[Row]:
    for name in peers:
        yield Row(
            measure="login: CPU time",
            against=_title(name),
            value=ratio(times.cpu, OURS, name),
            goal=CPU_GOALS.get(name),
        )
    for name in peers:
        yield Row(
            measure="login: wall time",
            against=_title(name),
            value=ratio(times.wall, OURS, name),
        )


def _counts(name: str, counts: Counts) -> Iterator[Row]:
    whose, is_ours = _title(name), name == OURS
    yield Row(
        measure=f"login: SQL statements of {whose}",
        against="",
        value=counts.sql,
        unit="statements",
        goal=SQL_GOAL if is_ours else None,
    )
    if not counts.requests:
        return
    yield Row(
        measure=f"login: requests to the API of {whose}",
        against="",
        value=counts.requests,
        unit="requests",
        goal=REQUESTS_GOAL if is_ours else None,
    )
    yield Row(
        measure=f"{WARM_UP} logins: connections to the API of {whose}",
        against="",
        value=counts.connections,
        unit="connections",
        goal=CONNECTIONS_GOAL if is_ours else None,
    )


def _title(name: str) -> str:
    return "this package" if name == OURS else PEERS[name]


def main() -> int:
    """Measure, and print the rows. Return 1 if something could not be measured."""
    arguments = _arguments()
    effort = QUICK if arguments.quick else FULL
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(Upstream(directory))
        contestants, counts = {}, {}
        for name in (OURS, *PEERS, *LARGE):
            contestant = Contestant(LARGE.get(name, name), upstream)
            stack.enter_context(contestant)
            try:
                contestant.answer()
                if name in LARGE:
                    contestant.do("fill", effort.filler)
                counts[name] = warm_up(contestant, upstream)
            except Broken:
                print(f"{name} cannot be measured", file=sys.stderr)
            else:
                contestants[name] = contestant
        upstream.delay(arguments.delay)
        times = take_turns(contestants, effort)
    _tell(times)
    for row in rows(times, counts):
        emit(row)
    return 0 if len(contestants) == 1 + len(PEERS) + len(LARGE) else 1


def _tell(times: Times) -> None:
    """Print the absolute times behind the ratios."""
    print(f"load average {os.getloadavg()[0]:.2f}", file=sys.stderr)
    for name in times.cpu:
        cpu, wall = (1000 * median(each[name]) for each in (times.cpu, times.wall))
        print(f"{name:19} {cpu:6.2f} ms CPU {wall:6.2f} ms", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare logins with other packages'.")
    parser.add_argument("--quick", action="store_true", help="few rounds, few rows")
    parser.add_argument(
        "--delay",
        type=float,
        default=0.0,
        help="seconds that the API takes for each answer (default: none)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
