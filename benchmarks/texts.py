"""
Count the text messages that leave while an attacker asks for them.

Run ``python benchmarks/texts.py``, which takes a minute, or add ``--quick``. The
limits have their defaults, and the clock jumps. The provider calls no API.

The attacker asks for texts until many requests in a row are refused, and does so again
every few minutes. Each request comes from one of the attacker's client addresses, and
names one of the numbers. The *patient* attacker sends one text first, and waits until
the window of this text nearly ends. So the texts of one more window leave within 24
hours.
"""

import logging
import os
import random
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import time_machine

if __name__ == "__main__":
    import django

    sys.path.insert(0, str(Path(__file__).parents[1]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases

from benchmarks.rows import Row, emit
from django_piggy_verify.exceptions import TooManyAttempts
from django_piggy_verify.login import devices, verification
from django_piggy_verify.signals import code_sent
from django_piggy_verify.traits import Channel, Traits

START: Final = 1_800_000_000
MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 24 * HOUR

REFUSALS: Final = 20
"""How many requests in a row are refused before the attacker pauses."""


class Texter:
    """A provider whose texts all leave."""

    name = "texter"
    traits = Traits(channels=frozenset(Channel))

    def send_code(self, challenge: Any) -> Any:
        """Do nothing. The signal `code_sent` counts the text."""
        return challenge


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacker:
    """The means of an attacker."""

    name: str

    numbers: int = 1
    """How many phone numbers get texts. They follow each other."""

    visitors: int = 1000
    """How many client addresses send requests."""

    are_known: bool = False
    """Whether each visitor has a browser that has logged in with the number before."""

    daily: int
    """The most texts that may leave in the day that begins with the first one."""

    patience: int
    """Seconds that the patient attacker waits after the first text."""

    worst: int
    """The most texts of the patient attacker that may leave in any 24 hours."""


ATTACKERS: Final = (
    Attacker(
        name="1,000 client addresses, all numbers of a country",
        numbers=6 * 10**7,
        daily=500,
        patience=DAY - 5 * MINUTE,
        worst=2 * 500,
    ),
    Attacker(
        name="1,000 client addresses, one range of 10,000 numbers",
        numbers=10**4,
        daily=24 * 10,
        patience=HOUR - 5 * MINUTE,
        worst=25 * 10,
    ),
    Attacker(
        name="1,000 client addresses, one number",
        daily=10,
        patience=DAY - HOUR,
        worst=2 * 10,
    ),
    Attacker(
        name="1,000 known browsers, one number",
        are_known=True,
        daily=24 * 10,
        patience=HOUR - 45 * MINUTE,
        worst=25 * 10,
    ),
    Attacker(
        name="one client address, all numbers of a country",
        numbers=6 * 10**7,
        visitors=1,
        daily=24 * 5,
        patience=HOUR - 5 * MINUTE,
        worst=25 * 5,
    ),
)


def attack(attacker: Attacker, *, every: int, is_patient: bool = False) -> list[float]:
    """Ask for texts every few seconds, and return the times at which texts left."""
    sent_at: list[float] = []
    cookies = _device_cookies(attacker)
    days = 1
    with _recorded(sent_at), time_machine.travel(START, tick=False) as clock:
        if is_patient:
            _ask(attacker, cookies)
            clock.shift(attacker.patience)
            days = 2
        for _ in range(0, days * DAY, every):
            _ask_until_refused(attacker, cookies)
            clock.shift(every)
    return sent_at


def _ask_until_refused(attacker: Attacker, cookies: Sequence[dict[str, str]]) -> None:
    refusals = 0
    while refusals < REFUSALS:
        refusals = 0 if _ask(attacker, cookies) else refusals + 1


def _ask(attacker: Attacker, cookies: Sequence[dict[str, str]]) -> bool:
    """Ask for a text, and return whether it was sent."""
    visitor = random.randrange(attacker.visitors)
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = f"10.9.{visitor // 250}.{visitor % 250 + 1}"
    request.COOKIES = cookies[visitor] if cookies else {}
    number = _number(random.randrange(attacker.numbers))
    try:
        result = verification.send_code(number, request=request)
    except TooManyAttempts:
        return False
    request.close()
    return result.is_sent


def _number(place: int) -> str:
    """Return a Dutch mobile number. They begin with +31 6 and one of six digits."""
    first, rest = divmod(place, 10**7)
    return f"+316{'123458'[first]}{rest:07}"


def _device_cookies(attacker: Attacker) -> list[dict[str, str]]:
    """Return the cookies of each visitor's browser, if the browsers are known."""
    cookies = []
    for _ in range(attacker.visitors if attacker.are_known else 0):
        response = HttpResponse()
        with time_machine.travel(START):
            devices.remember(HttpRequest(), response, _number(0))
        cookies.append({name: each.value for name, each in response.cookies.items()})
    return cookies


@contextmanager
def _recorded(sent_at: list[float]) -> Iterator[None]:
    def record(**_kwargs: Any) -> None:
        sent_at.append(time.time())

    code_sent.connect(record)
    try:
        yield
    finally:
        code_sent.disconnect(record)


def most_in_a_day(times: Sequence[float]) -> int:
    """Return how many of these times, in order, are in the worst 24 hours."""
    return max(
        bisect_left(times, start + DAY) - place for place, start in enumerate(times)
    )


def measure(every: int) -> None:
    """Carry out all attacks, and print how many texts have left."""
    for attacker in ATTACKERS:
        texts = len(_alone(attacker, every=every))
        _report(f"{attacker.name}: a day", texts, attacker.daily)
        times = _alone(attacker, every=every, is_patient=True)
        name = f"{attacker.name}, patient: worst 24 hours"
        _report(name, most_in_a_day(times), attacker.worst)


def _alone(attacker: Attacker, **options: Any) -> list[float]:
    """Attack with empty tables, and leave them empty."""
    with transaction.atomic():
        times = attack(attacker, **options)
        transaction.set_rollback(True)
    return times


def _report(measure: str, value: int, goal: int) -> None:
    emit(Row(measure=measure, against="", value=value, unit="texts", goal=goal))


def main() -> None:
    """Measure in a new database."""
    logging.disable()
    databases = setup_databases(verbosity=0, interactive=False)
    settings = override_settings(
        PIGGY_VERIFY_PROVIDER="benchmarks.texts.Texter",
        PIGGY_VERIFY_BACKGROUND=False,
        PIGGY_VERIFY_RATE_LIMITS={},
        PIGGY_VERIFY_SMS_COUNTRIES=["NL"],
    )
    try:
        with settings:
            measure(HOUR if "--quick" in sys.argv else 5 * MINUTE)
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main()
