"""
Have 32 threads of 4 processes ask for one contact's token at once, with none cached.

Run ``python benchmarks/stampede.py``, which takes two minutes, or add ``--quick``. The
sandbox serves as the API in its own process, and needs 200 ms for an answer. All
threads open their connections first and then start together. The figure is the time
until the last thread has its answer, divided by the time of one call to the API.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from threading import BrokenBarrierError, Thread
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, connections

from benchmarks.databases import NAME, fill_contacts, fill_users, run
from benchmarks.rows import Row, emit
from django_piggy_verify.conf import conf
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import TokenProvider
from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.server import SandboxServer
from django_piggy_verify.tokens import get_auth_token

PROCESSES: Final = 4
THREADS: Final = 8
DELAY: Final = 0.2
"""Seconds that the API takes."""

PATIENCE: Final = 60
"""Seconds after which the measurement gives up."""

GOALS: Final = {"postgresql": 1.2, "mysql": 1.2}

_context: Final = get_context("spawn")


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one caller."""

    began: float
    """When the caller asked. All processes share this clock."""

    ended: float
    """When the caller had the answer."""

    error: str
    """The exception that was raised instead of a token, or blank."""


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one stampede."""

    ratio: float
    """The time from the start to the last answer, divided by that of one call."""

    calls: int
    """The number of requests to the API."""

    errors: list[str]
    """The exceptions that the callers got."""


def measure(is_quick: bool) -> None:  # noqa: FBT001
    """Run some stampedes, and print their medians and worst counts."""
    with _upstream() as upstream, _callers() as callers:
        _stampede(upstream, callers)  # warms everything up
        rounds = [_stampede(upstream, callers) for _ in range(3 if is_quick else 25)]
    what = f"{NAME}: {PROCESSES * THREADS} callers at once"
    worst = max(each.calls for each in rounds)
    failed = [error for each in rounds for error in each.errors]
    for error in sorted(set(failed)):
        print(f"{NAME}: {error}", file=sys.stderr)
    emit(Row(measure=f"{what}, worst round", against="", value=worst, unit="calls",
             goal=1))  # fmt: skip
    emit(Row(measure=f"{what}, all rounds", against="", value=len(failed),
             unit="failed callers", goal=0))  # fmt: skip
    emit(Row(measure=f"{what}, last answer", against="one call upstream",
             value=median(each.ratio for each in rounds),
             goal=GOALS.get(connection.vendor)))  # fmt: skip


def _stampede(upstream: Any, callers: tuple[Any, Any]) -> Round:
    start, answers = callers
    _forget()
    one = _one_call()
    _calls(upstream)
    start.wait(PATIENCE)
    got = [answers.get(timeout=PATIENCE) for _ in range(PROCESSES * THREADS)]
    taken = max(each.ended for each in got) - min(each.began for each in got)
    errors = [each.error for each in got if each.error]
    return Round(taken / one, _calls(upstream), errors)


def _forget() -> None:
    """Delete the token and the state of the last fetch."""
    AuthToken.objects.all().delete()
    Contact.objects.update(fetch_state="", fetch_until=None)


def _one_call() -> float:
    provider = get_provider()
    if not isinstance(provider, TokenProvider):
        raise TypeError("this provider has no tokens")
    began = time.monotonic()
    provider.fetch_auth_token(Contact.objects.get().uid)
    return time.monotonic() - began


def _calls(upstream: Any) -> int:
    """Return the number of calls since the last time."""
    upstream.send("calls")
    return int(upstream.recv())


@contextmanager
def _upstream() -> Iterator[Any]:
    """Run the API in its own process. Set up the settings and a contact for it."""
    ours, theirs = _context.Pipe()
    process = _context.Process(target=_serve, args=(theirs,))
    process.start()
    try:
        base_url, uid = ours.recv()
        _point_to(base_url)
        fill_users(1, 1)
        name = f"'{get_provider().name}'"
        fill_contacts(1, 1, user_id="1", provider=name, uid=f"'{uid}'")
        yield ours
    finally:
        ours.send("stop")
        process.join(PATIENCE)


def _serve(pipe: Any) -> None:
    sandbox = Sandbox()
    sandbox.switches.delay = DELAY
    settings.DEBUG = True
    with SandboxServer(sandbox) as server:
        pipe.send((server.base_url, sandbox.add_contact("ann@example.com").uid))
        seen = 0
        while pipe.recv() != "stop":
            calls = len(sandbox.calls)
            pipe.send(calls - seen)
            seen = calls


def _point_to(base_url: str) -> None:
    settings.DEBUG = True  # The sandbox serves plain http.
    settings.PIGGY_VERIFY_BASE_URL = base_url
    settings.PIGGY_VERIFY_API_KEY = "sandbox-key"


@contextmanager
def _callers() -> Iterator[tuple[Any, Any]]:
    """Start the processes, and yield the barrier and the queue of answers."""
    start, answers = _context.Barrier(PROCESSES * THREADS + 1), _context.Queue()
    given = (connection.settings_dict, conf.base_url, start, answers)
    crowd = [_context.Process(target=_ask, args=given) for _ in range(PROCESSES)]
    for process in crowd:
        process.start()
    try:
        yield start, answers
    finally:
        start.abort()
        for process in crowd:
            process.join(PATIENCE)


def _ask(database: dict[str, Any], base_url: str, start: Any, answers: Any) -> None:
    connection.settings_dict.update(database)
    _point_to(base_url)
    threads = [
        Thread(target=_keep_asking, args=(start, answers)) for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _keep_asking(start: Any, answers: Any) -> None:
    """Ask once each time the barrier opens, until it is broken."""
    user = get_user_model().objects.get()
    while True:
        try:
            start.wait(PATIENCE)
        except BrokenBarrierError:
            connections.close_all()
            return
        began, error = time.monotonic(), ""
        try:
            get_auth_token(user)
        except Exception as failure:  # noqa: BLE001
            error = repr(failure)
        answers.put(Answer(began, time.monotonic(), error))


if __name__ == "__main__":
    sys.exit(run(measure, ["sqlite", "postgresql", "mariadb"], __doc__ or ""))
