"""
Log members in with this package and with others, side by side, and compare.

Run ``python benchmarks/login.py [--quick]`` where the dependency group `benchmarks`
is installed; DATABASE picks SQLite or PostgreSQL as it does for the tests, and
``--delay`` has the API think. The rows go to stdout, everything else to stderr; it
exits with 1 if something could not be measured.

Each contestant has a process of its own with a database of its own. They log in
some members each, in turn, round after round, so that whatever else the machine
does hits all of them; a row is the median of the rounds' ratios. A login goes from
the first page to the session, in a browser without cookies, by somebody who has
logged in before. What each of the others does for it stands in its module.

This package and the hand-written floor call an API three times, over TLS, which is
answered by yet another process; the others send mails, which end in memory.
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
"""Logins before anything is timed; the connections to the API are counted in them."""

# Taken along by `requests`, some of them for the floor only.
_ENVIRONMENT_OF_REQUESTS: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    rounds: int
    logins: int
    """Of each contestant in each round."""

    filler: int
    """Rows of each kind in the large tables."""

    patience: float
    """Seconds from the start after which no further round begins."""


FULL: Final = Effort(rounds=30, logins=10, filler=200_000, patience=170)
QUICK: Final = Effort(rounds=8, logins=5, filler=5_000, patience=60)


class Broken(Exception):
    """A contestant's process has ended; what it said of that is on stderr."""


class Contestant:
    """A contestant's process, while the `with` block runs."""

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
        """Wait for what the process says next."""
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            raise Broken(f"{self.name} has ended")
        return json.loads(line)

    def do(self, order: str, number: int) -> Any:
        """Have the process do something, and answer what it says."""
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
    """What one login takes, but for time."""

    sql: int
    requests: float
    connections: int
    """Of as many logins as `WARM_UP`."""


def warm_up(contestant: Contestant, upstream: Upstream) -> Counts:
    """Let a contestant log in for the first times, and count."""
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
    """What each round took, by contestant: the rounds stand in the same order."""

    cpu: Mapping[str, Sequence[float]]
    wall: Mapping[str, Sequence[float]]


def take_turns(contestants: Mapping[str, Contestant], effort: Effort) -> Times:
    """Run all rounds, each of which begins with another contestant."""
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
    """Answer the median over the rounds of how much longer `one` takes."""
    pairs = zip(times[one], times[other], strict=True)
    return round(median(ours / theirs for ours, theirs in pairs), 3)


def rows(times: Times, counts: Mapping[str, Counts]) -> Iterator[Row]:
    """Make the table of all that was measured."""
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
    """Measure, and hand over the rows; 1 if something could not be measured."""
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
    """Say in absolute terms what the ratios are made of."""
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
