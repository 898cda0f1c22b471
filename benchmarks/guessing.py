"""
Guess a member's code for a day, from everywhere, and count what the API hears.

Run ``python benchmarks/guessing.py`` where the tests run; DATABASE picks the
database as it does for them. It exits with 1 if a bound is broken.

The attacker knows the member's address, and has 200 browsers with network
addresses of their own, IPv4 and IPv6, behind a proxy to which they lie; every
spelling of the address, HTML and JSON, resends, old cookies, an account of their
own and its device cookie. The sandbox plays the API, over HTTP.
"""

import logging
import os
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import time_machine

if __name__ == "__main__":
    import django

    sys.path.insert(0, str(Path(__file__).parents[1]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

from django.db import connections
from django.test import Client, override_settings
from django.test.utils import setup_databases, teardown_databases

from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.server import SandboxServer
from django_piggy_verify.signals import limit_reached

MEMBER: Final = "ann@example.com"
ATTACKER: Final = "mal@example.com"
SPELLINGS: Final = [MEMBER, "Ann@Example.com", "ANN@EXAMPLE.COM ", "ann@EXAMPLE.com"]
BROWSERS: Final = 200
CODES: Final = 10**6
THREADS: Final = 4

HOUR: Final = 3600
DAY: Final = 24 * HOUR
DAILY: Final = 20
"""Guesses that `check_recipient_day` lets through in one window."""

# When the attacker tries, in seconds after the first guess, and how often at most.
GREEDY: Final = [(hour * HOUR, sys.maxsize) for hour in range(24)]
PATIENT: Final = [
    (0, 1),
    *((DAY - 2 * HOUR + minutes * 60, sys.maxsize) for minutes in (0, 61)),
    *((DAY + minutes * 60, sys.maxsize) for minutes in (1, 62)),
]


@dataclass
class Outcome:
    """What became of an attack."""

    tried: int = 0
    """Guesses that were posted."""

    heard: list[int] = field(default_factory=list)
    """When the API judged a guess, in seconds after the first round."""

    held_by: Counter[str] = field(default_factory=Counter)
    """How often each limit turned a guess or a send away."""

    def most_in_a_day(self) -> int:
        """Answer how many guesses were judged in the worst 24 hours."""
        return max(
            (
                sum(start <= at < start + DAY for at in self.heard)
                for start in self.heard
            ),
            default=0,
        )


@dataclass
class Browser:
    """One of the attacker's, with an address and habits of its own."""

    number: int
    client: Client = field(default_factory=Client)
    old_cookies: dict[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, Any]:
        """Answer headers of a client whose proxy tells the truth at the end only."""
        address = f"10.9.{self.number // 250}.{self.number % 250 + 1}"
        if self.number % 2:
            address = f"2001:db8:{self.number:x}::{random.randrange(2**16):x}"
        lie = f"{random.randrange(1, 224)}.7.7.7"
        wants_json = {"accept": "application/json"} if self.number % 3 else {}
        return {"headers": {"x-forwarded-for": f"{lie}, {address}"} | wants_json}

    def ask(self) -> None:
        """Begin a login, or have another code sent to the one in progress."""
        spelling = SPELLINGS[self.number % len(SPELLINGS)]
        self.client.post("/login/", {"email": spelling}, **self.headers())
        if self.number % 5 == 0:
            self.client.post("/login/code/resend/", **self.headers())

    def guess(self) -> None:
        """Post one guess, now and then with the cookies of an earlier time."""
        cookies = self.client.cookies
        if self.number % 7 == 0 and self.old_cookies:
            for name, value in self.old_cookies.items():
                cookies[name] = value
        self.old_cookies = {name: each.value for name, each in cookies.items()}
        code = f"{random.randrange(CODES):06}"
        self.client.post("/login/code/", {"code": code}, **self.headers())


def attack(
    sandbox: Sandbox, plan: Iterable[tuple[int, int]], *, browsers: int = BROWSERS
) -> Outcome:
    """Follow the plan, and answer what became of it."""
    outcome = Outcome()
    sandbox.add_contact(MEMBER)
    crowd = [Browser(number) for number in range(browsers)]
    _plant_a_known_device(crowd[0], sandbox)
    with (
        _refusals_counted(outcome.held_by),
        time_machine.travel(1_800_000_000, tick=True) as clock,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for (before, _), (at, guesses) in pairwise([(0, 0), *plan]):
            clock.shift(at - before)
            earlier = _judged(sandbox)
            _all_at_once(pool, crowd, "ask")
            guessing = crowd[:guesses]
            _all_at_once(pool, guessing, "guess")
            outcome.tried += len(guessing)
            outcome.heard += [at] * (_judged(sandbox) - earlier)
    return outcome


def _plant_a_known_device(browser: Browser, sandbox: Sandbox) -> None:
    """Let the attacker's own device cookie pass for the member's."""
    sandbox.add_contact(ATTACKER)
    browser.client.post("/login/", {"email": ATTACKER})
    code = sandbox.last_code(ATTACKER)
    browser.client.post("/login/code/", {"code": code})
    own = next(name for name in browser.client.cookies if "device" in name)
    value = browser.client.cookies[own].value
    browser.client.cookies.clear()
    browser.client.cookies[_member_cookie()] = value


def _member_cookie() -> str:
    from django_piggy_verify.login import devices  # noqa: PLC0415  names nobody can know

    return next(devices._names(MEMBER))


def _judged(sandbox: Sandbox) -> int:
    """Count the guesses at the member's code that the API has judged."""
    return sum(
        each.name == "verify" and str(each.body.get("email")).lower() == MEMBER
        for each in sandbox.calls
    )


def _all_at_once(pool: ThreadPoolExecutor, crowd: Sequence[Browser], verb: str) -> None:
    def act(share: Sequence[Browser]) -> None:
        try:
            for browser in share:
                getattr(browser, verb)()
        finally:
            connections.close_all()

    list(pool.map(act, (crowd[start::THREADS] for start in range(THREADS))))


@contextmanager
def _refusals_counted(held_by: Counter[str]) -> Iterator[None]:
    def count(limit: str, **_kwargs: Any) -> None:
        held_by[limit] += 1

    limit_reached.connect(count)
    try:
        yield
    finally:
        limit_reached.disconnect(count)


def report(name: str, outcome: Outcome, bound: int) -> bool:
    """Print an outcome, and answer whether it stayed within its bound."""
    worst = outcome.most_in_a_day()
    chance = worst / CODES
    print(f"{name}: {outcome.tried} guesses tried, {len(outcome.heard)} judged")
    print(f"  worst 24 hours: {worst} judged (bound {bound})")
    print(f"  chance with six digits: {chance:.6%}, one day in {1 / chance:,.0f}")
    print(f"  refused by: {dict(outcome.held_by.most_common())}")
    return 0 < worst <= bound


def main() -> int:
    """Run both attacks; 1 if one of them got further than it may."""
    logging.disable()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        return 0 if all(_run()) else 1
    finally:
        teardown_databases(databases, verbosity=0)


def _run() -> Iterator[bool]:
    plans = [
        ("A day of guessing", GREEDY, DAILY),
        ("Across the border of two windows", PATIENT, 2 * DAILY),
    ]
    for name, plan, bound in plans:
        with SandboxServer(Sandbox()) as server, _settings_for(server):
            outcome = attack(server.sandbox, plan)
        for connection in connections.all():
            connection.cursor().execute("DELETE FROM piggy_verify_tally")
        yield report(name, outcome, bound)


def _settings_for(server: SandboxServer) -> override_settings:
    return override_settings(
        DEBUG=True,
        PIGGY_VERIFY_BASE_URL=server.base_url,
        PIGGY_VERIFY_API_KEY="sandbox-key",
        PIGGY_VERIFY_SEND_FLOOR=0,
        PIGGY_VERIFY_TRUSTED_PROXY_COUNT=1,
    )


if __name__ == "__main__":
    sys.exit(main())
