"""
Compare what contacts and strangers can see of the time that a send takes.

Install the dependency group `benchmarks`, and run ``python benchmarks/strangers.py
[--quick]``, which takes 25 minutes. DATABASE chooses SQLite or PostgreSQL, as for the
tests.

gunicorn serves the site with one worker, over HTTP. Contacts and strangers post their
addresses in turn. For strangers, the API answers at once, and for contacts after a
delay. The work after a response is done by threads, or by the worker itself: then a
send takes at least ``PIGGY_VERIFY_SEND_FLOOR``. Three times are taken:

* from the request until its response has arrived;
* from the request until the server has closed the connection, as the visitor has asked;
* from the response until the response to the next request. With `gthread`, it uses the
  same connection. With `sync`, gunicorn keeps no connection, so it uses another one.

Each figure is the median of the contacts minus that of the strangers. p is the result
of a Mann-Whitney U test. If there is no difference, p is below 0.05 in one of twenty
comparisons.
"""

import math
import random
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contestants.browser import Member
from benchmarks.rows import Row, emit
from benchmarks.server import PATIENCE, Server, raw
from benchmarks.upstream import HOST, Upstream

SERVERS: Final = {
    "sync": ("--workers=1",),
    "gthread": ("--workers=1", "--threads=4"),
}
CONTACT, STRANGER = "somebody", "stranger"
"""The first letters of an address. The API knows no strangers."""

PAUSE: Final = 0.1
"""Seconds between two visitors, after the work for the first one was done."""

RESPONSE, END, NEXT = "response", "end of the connection", "next request"


@dataclass(frozen=True, slots=True)
class Effort:
    """The size of a measurement."""

    visitors: int
    """The contacts for each figure. There are as many strangers."""

    delays: Sequence[float]
    """The seconds that the API takes for contacts."""

    floor: float
    """``PIGGY_VERIFY_SEND_FLOOR``"""


FULL: Final = Effort(40, delays=(0.03, 1.5), floor=1.0)
QUICK: Final = Effort(2, delays=(0.03,), floor=0.1)


Times: TypeAlias = dict[str, dict[str, list[float]]]
"""Seconds, by the thing that was timed, and by the kind of the visitor."""


class Connection:
    """A connection of a visitor."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection((HOST, server.port), PATIENCE)
        self._received = self._socket.makefile("rb")

    def send(self, request: bytes) -> None:
        """Send a request."""
        self._socket.sendall(request)

    def receive(self) -> bool:
        """Read a response, and return whether another request may follow."""
        headers = {}
        while line := self._received.readline().strip():
            name, _, value = line.lower().partition(b":")
            headers[name] = value.strip()
        self._received.read(int(headers[b"content-length"]))
        return headers[b"connection"] != b"close"

    def wait_for_end(self) -> None:
        """Wait until the server closes the connection."""
        self._received.read()

    def close(self) -> None:
        """Close the connection. gunicorn waits for this after its last response."""
        self._received.close()
        self._socket.close()


def time_end(server: Server, post: bytes, _get: bytes) -> Mapping[str, float]:
    """Return the seconds until the response, and until the end of the connection."""
    connection = Connection(server)
    began = time.perf_counter()
    connection.send(post)
    connection.receive()
    responded = time.perf_counter()
    connection.wait_for_end()
    ended = time.perf_counter()
    connection.close()
    return {RESPONSE: responded - began, END: ended - began}


def time_next(server: Server, post: bytes, get: bytes) -> Mapping[str, float]:
    """Return the seconds from the response to that to the next request."""
    connection = Connection(server)
    connection.send(post)
    is_open = connection.receive()
    began = time.perf_counter()
    if not is_open:
        connection.close()
        connection = Connection(server)
    connection.send(get)
    connection.receive()
    ended = time.perf_counter()
    connection.close()
    return {NEXT: ended - began}


def compare(server: Server, rest: float, visitors: int) -> Times:
    """
    Return all times of the contacts and of the strangers. The first do not count.

    The order is random, but the same in each run. If they took turns, each contact
    would come after a stranger. The send to a stranger ends sooner, so the server would
    have been idle for longer.
    """
    found: Times = defaultdict(lambda: {CONTACT: [], STRANGER: []})
    turns = [*product(range(visitors), (time_end, time_next), (CONTACT, STRANGER))]
    random.Random(visitors).shuffle(turns)
    for place, (_, take_times, who) in enumerate([*turns[:4], *turns]):
        browser = server.visit(Member(place))
        browser.open("/login/")
        posted = browser.form("/login/", email=f"{who}{place}@example.com")
        post = raw(posted, is_last=take_times is time_end)
        get = raw(browser.request("GET", "/login/"), is_last=True)
        times = take_times(server, post, get)
        for what in times if place >= 4 else ():  # noqa: PLR2004
            found[what][who].append(times[what])
        time.sleep(rest)
    return found


def p_value(some: Sequence[float], others: Sequence[float]) -> float:
    """
    Return p of a two-sided Mann-Whitney U test, from the normal distribution.

    Source: Mann and Whitney 1947, https://doi.org/10.1214/aoms/1177730491
    """
    pairs = list(product(some, others))
    wins = sum((one > other) + (one == other) / 2 for one, other in pairs)
    deviation = math.sqrt(len(pairs) * (len(some) + len(others) + 1) / 12)
    return math.erfc(abs(wins - len(pairs) / 2) / deviation / math.sqrt(2))


def measure(upstream: Upstream, effort: Effort) -> Iterator[Row]:
    """Return the rows of all servers, settings and delays."""
    for name, has_threads, delay in product(SERVERS, (True, False), effort.delays):
        upstream.delay(delay)
        settings: dict[str, Any] = {
            "PIGGY_VERIFY_BACKGROUND": has_threads,
            "PIGGY_VERIFY_SEND_FLOOR": effort.floor,
        }
        rest = PAUSE + delay * has_threads
        with Server("ours", upstream, *SERVERS[name], **settings) as server:
            found = compare(server, rest, effort.visitors)
        worker = "threads" if has_threads else "no threads"
        for what, times in found.items():
            yield from _rows(f"{name}, {worker}, {1000 * delay:.0f} ms: {what}", times)


def _rows(what: str, times: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    contacts, strangers = times[CONTACT], times[STRANGER]
    difference = 1000 * (median(contacts) - median(strangers))
    print(f"{what}: {1000 * median(strangers):.2f} ms for strangers", file=sys.stderr)
    yield Row(measure=what, against="strangers", value=difference, unit="ms")
    p = p_value(contacts, strangers)
    yield Row(measure=what, against="strangers, rank test", value=p, unit="p")


def main(*, is_quick: bool) -> None:
    """Measure, and print the rows."""
    with TemporaryDirectory() as directory, Upstream(Path(directory)) as upstream:
        for row in measure(upstream, QUICK if is_quick else FULL):
            emit(row)


if __name__ == "__main__":
    main(is_quick="--quick" in sys.argv)
