"""
Compare the logins of this package with those of other packages.

Install the dependency groups `benchmarks` and `postgresql`, and run ``python
benchmarks/login.py [--quick]``. Without DATABASE, it measures on SQLite and then on
PostgreSQL. The exit status is 1 if something could not be measured.

Each contestant has its own process and its own database. In each round, the contestants
take turns and log in some members each. So other work on the machine affects all of
them. A row is the median of the ratios of all rounds. A login starts at the first page
and ends with a session. The browser has no cookies, and the member has logged in
before. The module of each contestant says how its login works.

This package and the hand-written floor call an API three times, over TLS. The API runs
in another process. The other packages send mails, which stay in memory. One variant of
django-allauth sends them over SMTP, to a mail server in the process of the API.

The wall time is the time until a response has arrived. The time in which the member
reads the mail is left out. The CPU time includes the work after the responses.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO, Any, Final, Self, TypeAlias, cast

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contestants.browser import MEMBERS
from benchmarks.databases import NAME, run
from benchmarks.rows import Row, emit
from benchmarks.upstream import HOST, Upstream

ROOT: Final = Path(__file__).parents[1]
OURS: Final = "ours"
PEERS: Final = {
    "floor": "hand-written floor",
    "allauth": "django-allauth",
    "allauth-smtp": "django-allauth, SMTP",
    "drfpasswordless": "drfpasswordless",
    "magiclink": "django-magiclink",
    "sesame": "django-sesame",
}
LARGE: Final = {"ours-large": OURS, "floor-large": "floor"}
"""The contestants with large tables, and those with small tables."""

SLOWED: Final = (OURS, "floor", "allauth-smtp")
"""The contestants that are also measured with a slow API or mail server."""

CPU_GOALS: Final = {"floor": 1.15, "allauth": 0.9, "allauth-smtp": 0.9}
GROWTH_GOAL: Final = 1.1
SQL_GOAL: Final = 15
WRITES_GOAL: Final = 6
REQUESTS_GOAL: Final = 3
CONNECTIONS_GOAL: Final = 1

STEPS: Final = {"POST address": 1, "POST code": 3}
"""The requests of the four that wait for the API in a login written by hand."""

STEP_GOALS: Final = {"POST address": 0.10, "POST code": 0.60, "whole login": 0.55}
"""The goals against the floor."""

WARM_UP: Final = MEMBERS
"""Logins before the timing starts. They also count the connections to the API."""

# `requests` reads these variables, some of them for the floor only.
_ENVIRONMENT_OF_REQUESTS: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Effort:
    """The size of a measurement."""

    rounds: int
    logins: int
    """The logins of each contestant in each round."""

    small: int
    large: int
    """The contacts in the small and in the large tables."""

    delay: float
    """The seconds that a slow API takes for each answer."""

    slow_rounds: int
    """The rounds with a slow API, of one login each."""


FULL: Final = Effort(30, 10, small=1_000, large=1_000_000, delay=0.4, slow_rounds=30)
QUICK: Final = Effort(4, 5, small=100, large=2_000, delay=0.1, slow_rounds=3)

Answers: TypeAlias = Mapping[str, Sequence[Any]]
"""The answers of each contestant in all rounds. All have the same order of rounds."""

Ratios: TypeAlias = Mapping[str, Sequence[float]]
"""A figure of each contestant in all rounds."""


class Broken(Exception):
    """The process of a contestant has ended. The reason is on stderr."""


class Contestant:
    """The process of a contestant, which runs during a `with` block."""

    def __init__(self, name: str, upstream: Upstream) -> None:
        self.name = name
        self._environment = {
            **_environment(),
            **_options(name, upstream),
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


def _options(name: str, upstream: Upstream) -> dict[str, str]:
    contestant, _, variant = name.partition("-")
    settings: dict[str, Any] = {}
    if variant == "smtp":
        settings = {
            "EMAIL_BACKEND": "benchmarks.contestants.mail_backend.KeepingBackend",
            "EMAIL_HOST": HOST,
            "EMAIL_PORT": upstream.mail_port,
        }
    return {"CONTESTANT": contestant, "SETTINGS": json.dumps(settings)}


@dataclass(frozen=True, slots=True)
class Counts:
    """The statements, transactions, requests and connections of a login."""

    sql: int
    writes: int
    requests: float
    connections: int
    """The connections of `WARM_UP` logins together."""


def warm_up(contestant: Contestant, upstream: Upstream) -> Counts:
    """Make the first logins of a contestant, and count."""
    requests, connections = upstream.count()
    contestant.do("run", WARM_UP)
    more_requests, more_connections = upstream.count()
    counted = contestant.do("count", 10)
    return Counts(
        sql=counted["sql"],
        writes=counted["writes"],
        requests=(more_requests - requests) / WARM_UP,
        connections=more_connections - connections,
    )


def take_turns(
    contestants: Mapping[str, Contestant], *, rounds: int, logins: int
) -> Answers:
    """Run all rounds. Each round starts with another contestant."""
    answers: dict[str, list[Any]] = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants)
        first = number % len(names)
        for name in names[first:] + names[:first]:
            answers[name].append(contestants[name].do("run", logins))
    return answers


def ratio(figures: Ratios, one: str, other: str) -> float:
    """Return the median of the figures of `one` divided by those of `other`."""
    pairs = zip(figures[one], figures[other], strict=True)
    return round(median(ours / theirs for ours, theirs in pairs), 3)


def cpu_of(answers: Answers) -> Ratios:
    """Return the CPU times of all rounds."""
    return {name: [each["cpu"] for each in took] for name, took in answers.items()}


def wall_of(answers: Answers, step: int | None = None) -> Ratios:
    """Return the wall times of all rounds, of a whole login or of one request."""
    part = slice(None) if step is None else slice(step, step + 1)
    return {
        name: [sum(each["waits"][part]) for each in took]
        for name, took in answers.items()
    }


def comparisons(answers: Answers) -> Iterator[Row]:
    """Return the rows of the times with a fast API."""
    for clock, figures in (("CPU", cpu_of(answers)), ("wall", wall_of(answers))):
        goals = CPU_GOALS if clock == "CPU" else {}
        for name, title in PEERS.items():
            if {OURS, name} <= figures.keys():
                yield Row(
                    measure=f"{NAME}: {clock} time",
                    against=title,
                    value=ratio(figures, OURS, name),
                    goal=goals.get(name),
                )


def growth(answers: Answers) -> Iterator[Row]:
    """Return the rows of the times with large tables."""
    for clock, figures in (("CPU", cpu_of(answers)), ("wall", wall_of(answers))):
        for grown, name in LARGE.items():
            if {grown, name} <= figures.keys():
                yield Row(
                    measure=f"{NAME}: {clock} time of {_title(name)}, large tables",
                    against="small tables",
                    value=ratio(figures, grown, name),
                    goal=GROWTH_GOAL if name == OURS else None,
                )


def steps(answers: Answers, delay: float) -> Iterator[Row]:
    """Return the rows of the times with a slow API."""
    figures = {step: wall_of(answers, number) for step, number in STEPS.items()}
    figures["whole login"] = wall_of(answers)
    what = f"{NAME}: wall time, API of {1000 * delay:.0f} ms"
    for name in SLOWED[1:]:
        for step, times in figures.items():
            if {OURS, name} <= times.keys():
                yield Row(
                    measure=f"{what}, {step}",
                    against=PEERS[name],
                    value=ratio(times, OURS, name),
                    goal=STEP_GOALS[step] if name == "floor" else None,
                )


def counts_of(name: str, counts: Counts) -> Iterator[Row]:
    """Return the rows of everything that was counted."""
    what = f"{NAME}: {{}} of {_title(name)}".format
    figures = [
        (what("SQL statements"), counts.sql, "statements", SQL_GOAL),
        (what("write transactions"), counts.writes, "transactions", WRITES_GOAL),
        (what("requests to the API"), counts.requests, "requests", REQUESTS_GOAL),
        (
            what(f"connections to the API in {WARM_UP} logins"),
            counts.connections,
            "connections",
            CONNECTIONS_GOAL,
        ),
    ]
    for measured, value, unit, our_goal in figures:
        if value:
            goal = our_goal if name == OURS else None
            yield Row(measure=measured, against="", value=value, unit=unit, goal=goal)


def _title(name: str) -> str:
    return "this package" if name == OURS else PEERS[name]


def measure(is_quick: bool) -> None:  # noqa: FBT001
    """Measure on one database, and print the rows."""
    effort = QUICK if is_quick else FULL
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        upstream = stack.enter_context(Upstream(directory))
        contestants: dict[str, Contestant] = {}
        counts = {}
        for name in (OURS, *PEERS, *LARGE):
            contestant = stack.enter_context(Contestant(name, upstream))
            try:
                contestant.answer()
                counts[name] = warm_up(contestant, upstream)
                _fill(contestant, effort)
            except Broken:
                print(f"{name} cannot be measured", file=sys.stderr)
            else:
                contestants[name] = contestant
        fast = take_turns(contestants, rounds=effort.rounds, logins=effort.logins)
        upstream.delay(effort.delay)
        for name in contestants.keys() - set(SLOWED):
            del contestants[name]
        slow = take_turns(contestants, rounds=effort.slow_rounds, logins=1)
    _tell(fast, slow)
    for row in (*comparisons(fast), *growth(fast), *steps(slow, effort.delay)):
        emit(row)
    for name in (OURS, *PEERS):
        for row in counts_of(name, counts[name]) if name in counts else ():
            emit(row)
    if len(fast) < 1 + len(PEERS) + len(LARGE):
        sys.exit(1)


def _fill(contestant: Contestant, effort: Effort) -> None:
    """Fill the tables of the contestants that are compared with large tables."""
    if contestant.name in LARGE:
        contestant.do("fill", effort.large)
    elif contestant.name in LARGE.values():
        contestant.do("fill", effort.small)


def _tell(fast: Answers, slow: Answers) -> None:
    """Print the absolute times behind the ratios."""
    print(f"load average {os.getloadavg()[0]:.2f}", file=sys.stderr)
    for name, took in (*fast.items(), *slow.items()):
        cpu = median(each["cpu"] for each in took)
        waits = [
            1000 * median(each)
            for each in zip(*(each["waits"] for each in took), strict=True)
        ]
        each = " ".join(f"{wait:7.2f}" for wait in waits)
        print(
            f"{name:16} {1000 * cpu:6.2f} ms CPU, requests {each} ms", file=sys.stderr
        )


if __name__ == "__main__":
    sys.exit(run(measure, ["sqlite", "postgresql"], __doc__ or ""))
