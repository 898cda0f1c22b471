"""
Compare what a user can see of three kinds of addresses before a code was right.

Install the dependency group `benchmarks`, and run ``python benchmarks/connecting.py
[--quick]``, which takes five minutes. DATABASE chooses SQLite or PostgreSQL, as for the
tests.

A user who is logged in asks for a code, to connect an address. The address is a contact
of another user, a contact that nobody has connected, or unknown to the API. For the
first kind, a right code would lead to 409. Each kind is asked for equally often, in a
random order, by new users in new browsers, over HTTP.

The first and the last kind are compared with the free contacts: by the difference of
the median times until the response, by p of a Mann-Whitney U test, and by their other
differences. The last figure counts the responses that differ in their status, headers,
cookies or text, or in the number of calls to the API.
"""

import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contestants.browser import Member, Response, address_of
from benchmarks.rows import Row, emit
from benchmarks.server import PATIENCE, Server
from benchmarks.strangers import PAUSE, SERVERS, Effort, p_value
from benchmarks.upstream import Upstream

TAKEN, FREE, UNKNOWN = "taken", "free", "unknown"
FIRST: Final = 1000
"""The number of the first contact that is asked for. All addresses are equally long."""

GOAL: Final = 25
"""The highest difference of the medians that we want, in milliseconds."""

FULL: Final = Effort(40, delays=(0.3,), floor=0.6)
QUICK: Final = Effort(2, delays=(0.03,), floor=0.1)

RANDOM: Final = re.compile(
    r"(?m)(?<=^date: ).*|(?<=^expires: ).*|(?<=^set-cookie: )(\w+)=[^;]*"
    r"|expires=[^;]*|[A-Za-z0-9]{64}"
)
"""The parts of a response that differ between any two browsers."""


@dataclass(slots=True)
class Seen:
    """The responses to one kind of address."""

    times: list[float] = field(default_factory=list)
    responses: list[str] = field(default_factory=list)


def address(kind: str, number: int) -> str:
    """Return an address of this kind. Members have contacts, and strangers none."""
    if kind == TAKEN:
        return address_of(FIRST + number)
    name = {FREE: "somebody", UNKNOWN: "stranger"}[kind]
    return f"{name}{number:02}@example.com"


def ask(server: Server, member: Member, recipient: str) -> tuple[float, Response]:
    """Return the seconds until the response to a user who asks for a code, and it."""
    browser = server.visit(member)
    browser.get("/enter/")
    browser.open("/login/connect/")
    began = time.perf_counter()
    response = browser.post("/login/connect/", email=recipient)
    return time.perf_counter() - began, response


def wait_for_call(upstream: Upstream, before: int) -> int:
    """Return the number of calls since `before`, after the rest of the work."""
    deadline = time.monotonic() + PATIENCE
    while upstream.count()[0] == before and time.monotonic() < deadline:
        time.sleep(PAUSE)
    return upstream.count()[0] - before


def text_of(response: Response, recipient: str, calls: int) -> str:
    """Return all that can be compared, without the address and the random parts."""
    headers = [f"{name.lower()}: {value}" for name, value in response.headers]
    lines = [str(response.status), str(calls), *headers, response.body.decode()]
    return RANDOM.sub(r"\1", "\n".join(lines)).replace(recipient, "ADDRESS")


def compare(
    server: Server, upstream: Upstream, rest: float, visitors: int
) -> dict[str, Seen]:
    """Ask for all addresses in a random order, the same in each run."""
    found: dict[str, Seen] = defaultdict(Seen)
    turns = [*product(range(visitors), (TAKEN, FREE, UNKNOWN))]
    random.Random(visitors).shuffle(turns)
    ask(server, Member(0), "warming-up@example.com")
    time.sleep(rest)
    for place, (number, kind) in enumerate(turns, start=1):
        recipient, (before, _) = address(kind, number), upstream.count()
        took, response = ask(server, Member(place), recipient)
        calls = wait_for_call(upstream, before)
        time.sleep(rest)
        found[kind].times.append(took)
        found[kind].responses.append(text_of(response, recipient, calls))
    return found


def measure(upstream: Upstream, effort: Effort) -> Iterator[Row]:
    """Return the rows of all servers, settings and delays."""
    members = FIRST + effort.visitors
    for name, has_threads, delay in product(SERVERS, (True, False), effort.delays):
        upstream.delay(delay)
        settings: dict[str, Any] = {
            "PIGGY_VERIFY_BACKGROUND": has_threads,
            "PIGGY_VERIFY_SEND_FLOOR": effort.floor,
        }
        options, rest = SERVERS[name], PAUSE + delay * has_threads
        with Server(
            "connecting", upstream, *options, members=members, **settings
        ) as server:
            found = compare(server, upstream, rest, effort.visitors)
        worker = "threads" if has_threads else "no threads"
        for kind in (TAKEN, UNKNOWN):
            what = f"{name}, {worker}, {1000 * delay:.0f} ms: {kind}"
            yield from _rows(what, found[kind], found[FREE])


def _rows(what: str, seen: Seen, free: Seen) -> Iterator[Row]:
    medians: Sequence[float] = [1000 * median(each.times) for each in (seen, free)]
    print(f"{what}: {medians[1]:.2f} ms for free contacts", file=sys.stderr)
    difference = abs(medians[0] - medians[1])
    yield Row(measure=what, against="free", value=difference, unit="ms", goal=GOAL)
    p = p_value(seen.times, free.times)
    yield Row(measure=what, against="free, rank test", value=p, unit="p")
    pairs = zip(seen.responses, free.responses, strict=True)
    differing = sum(one != other for one, other in pairs)
    unit = "differences"
    yield Row(measure=what, against="free", value=differing, unit=unit, goal=0)


def main(*, is_quick: bool) -> None:
    """Measure, and print the rows."""
    with TemporaryDirectory() as directory, Upstream(Path(directory)) as upstream:
        for row in measure(upstream, QUICK if is_quick else FULL):
            emit(row)


if __name__ == "__main__":
    main(is_quick="--quick" in sys.argv)
