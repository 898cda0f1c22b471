"""
Guess a member's code for a day, and count the guesses that reach the API.

Run ``python benchmarks/guessing.py`` in the environment of the tests. DATABASE chooses
the database, as for the tests. The exit status is 1 if more guesses than allowed reach
the API.

The attacker knows the member's address and has 200 browsers. Each browser has its own
network address, IPv4 or IPv6, and sends a forged header to the proxy. The attacker uses
all spellings of the address, HTML and JSON, resends and old cookies. The attacker also
has an account and its device cookie. The sandbox serves as the API, over HTTP.
"""

import json
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

from django.core import signing
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
"""The guesses that `check_recipient_day` allows in one window."""

# When the attacker tries, in seconds after the first guess, and the most guesses then.
GREEDY: Final = [(hour * HOUR, sys.maxsize) for hour in range(24)]
PATIENT: Final = [
    (0, 1),
    *((DAY - 2 * HOUR + minutes * 60, sys.maxsize) for minutes in (0, 61)),
    *((DAY + minutes * 60, sys.maxsize) for minutes in (1, 62)),
]


@dataclass
class Outcome:
    """The result of an attack."""

    tried: int = 0
    """The number of guesses that were posted."""

    heard: list[int] = field(default_factory=list)
    """When the API checked each guess, in seconds after the first round."""

    held_by: Counter[str] = field(default_factory=Counter)
    """How often each limit refused a guess or a send."""

    def most_in_a_day(self) -> int:
        """Return the number of guesses checked in the worst 24 hours."""
        return max(
            (
                sum(start <= at < start + DAY for at in self.heard)
                for start in self.heard
            ),
            default=0,
        )


@dataclass
class Browser:
    """One of the attacker's browsers, with its own address and habits."""

    number: int
    client: Client = field(default_factory=Client)
    old_cookies: dict[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, Any]:
        """Return headers in which only the last address is true: the proxy's entry."""
        address = f"10.9.{self.number // 250}.{self.number % 250 + 1}"
        if self.number % 2:
            address = f"2001:db8:{self.number:x}::{random.randrange(2**16):x}"
        lie = f"{random.randrange(1, 224)}.7.7.7"
        wants_json = {"accept": "application/json"} if self.number % 3 else {}
        return {"headers": {"x-forwarded-for": f"{lie}, {address}"} | wants_json}

    def ask(self) -> None:
        """Start a login, and sometimes ask for another code."""
        spelling = SPELLINGS[self.number % len(SPELLINGS)]
        self.client.post("/login/", {"email": spelling}, **self.headers())
        if self.number % 5 == 0:
            self.client.post("/login/code/resend/", **self.headers())

    def guess(self) -> None:
        """Post one guess, sometimes with old cookies."""
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
    """Carry out the plan, and return the result."""
    outcome = Outcome()
    sandbox.add_contact(MEMBER)
    crowd = [Browser(number) for number in range(browsers)]
    _plant_device_cookies(crowd, sandbox)
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


def _plant_device_cookies(crowd: Sequence[Browser], sandbox: Sandbox) -> None:
    """Give one browser the attacker's own device cookie, and one a forged cookie."""
    sandbox.add_contact(ATTACKER)
    client = crowd[1].client
    client.post("/login/", {"email": ATTACKER})
    client.post("/login/code/", {"code": sandbox.last_code(ATTACKER)})
    [name] = [each for each in client.cookies if "device" in each]
    own = client.cookies[name].value
    for browser, value in zip(crowd, [_in_the_members_name(own), own], strict=False):
        browser.client.cookies.clear()
        browser.client.cookies[name] = value


def _in_the_members_name(cookie: str) -> str:
    """Write the member into the attacker's own cookie, under its old signature."""
    from django_piggy_verify.login import devices  # noqa: PLC0415  the tags are secret

    payload, _, signature = cookie.rpartition(":")
    [[_tag, *rest]] = json.loads(signing.b64_decode(payload.encode()))
    entry = [next(devices._tags(MEMBER)), *rest]
    forged = signing.b64_encode(json.dumps([entry]).encode()).decode()
    return f"{forged}:{signature}"


def _judged(sandbox: Sandbox) -> int:
    """Return how many guesses at the member's code the API has checked."""
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
    """Print an outcome, and return whether it stayed within its bound."""
    worst = outcome.most_in_a_day()
    chance = worst / CODES
    print(f"{name}: {outcome.tried} guesses tried, {len(outcome.heard)} judged")
    print(f"  worst 24 hours: {worst} judged (bound {bound})")
    print(f"  chance with six digits: {chance:.6%}, one day in {1 / chance:,.0f}")
    print(f"  refused by: {dict(outcome.held_by.most_common())}")
    return 0 < worst <= bound


def main() -> int:
    """Run both attacks. Return 1 if one of them exceeded its bound."""
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
