"""
Measure `get_auth_token` with a cached token against reading one column of its row.

Run ``python benchmarks/cached_read.py``, which takes three minutes, or add ``--quick``.
The sizes are 1,000, 100,000 and 1,000,000 contacts. The users are chosen at random.

Several minutes pass between two sizes, and the speed of the machine may change. So each
time is first divided by that of a ``get()`` from a table that does not grow. Only then
it is compared with another size.
"""

import random
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from django.apps import apps
from django.contrib.auth import get_user_model

from benchmarks.databases import NAME, fill, fill_contacts, fill_users, run, settle
from benchmarks.rows import Row, emit
from django_piggy_verify import encryption
from django_piggy_verify.models import AuthToken
from django_piggy_verify.providers import get_provider
from django_piggy_verify.tokens import get_auth_token

DRAWN: Final = 1_000
"""The number of contacts that are read."""

BATCH: Final = 100
"""The number of reads that are timed together."""

PROVIDER: Final = get_provider().name

OVER_A_GET: Final = 1.3
OVER_A_SMALL_TABLE: Final = 1.1

Times = dict[str, tuple[float, float]]
"""Wall and CPU seconds of a batch for each kind of read."""


def measure(is_quick: bool) -> None:  # noqa: FBT001
    """Let the tables grow, and print the medians for each size."""
    sizes = [1_000, 3_000] if is_quick else [1_000, 100_000, 1_000_000]
    found = {}
    for before, size in pairwise([0, *sizes]):
        _grow(before, size)
        found[size] = _read(_draw(size), rounds=10 if is_quick else 60)
        _report_over_a_get(size, found[size])
    _report_growth(sizes[0], sizes[-1], found)


def _grow(before: int, size: int) -> None:
    first = before + 1
    fill_users(first, size)
    fill_contacts(first, size, user_id="n", provider=f"'{PROVIDER}'", uid="n")
    token = {"id": "n", "contact_id": "n", "ciphertext": "{bytes}"}
    times = {"fetched_at": "after(0)", "expires_at": "after(86400)"}
    fill("piggy_verify_authtoken", first, size, **token, **times)
    settle()


def _draw(size: int) -> list[Any]:
    """Choose users at random, and give them tokens that can be decrypted."""
    drawn = random.sample(range(1, size + 1), DRAWN)
    rows = AuthToken.objects.select_related("contact").filter(pk__in=drawn)
    for row in rows:
        text = f"token of {row.pk}: {'x' * 100}"
        row.ciphertext = encryption.encrypt(text, bound_to=row.contact.binding)
    AuthToken.objects.bulk_update(rows, ["ciphertext"], batch_size=200)
    return [get_user_model()(pk=number) for number in drawn]


def _read(users: list[Any], rounds: int) -> Times:
    """Make each kind of read in turn, and return the medians."""
    other = apps.get_model("contenttypes", "ContentType")
    other_pk = other.objects.earliest("pk").pk
    acts: dict[str, Callable[[Any], object]] = {
        "ours": get_auth_token,
        "bare": _get,
        "same": lambda _user: other.objects.only("model").get(pk=other_pk),
    }
    for act in acts.values():
        _batch(act, users)
    taken = [
        {name: _batch(act, random.sample(users, BATCH)) for name, act in acts.items()}
        for _ in range(rounds)
    ]
    return {
        name: (
            median(each[name][0] for each in taken),
            median(each[name][1] for each in taken),
        )
        for name in acts
    }


def _get(user: Any) -> AuthToken:
    rows = AuthToken.objects.only("ciphertext")
    return rows.get(contact__user_id=user.pk, contact__provider=PROVIDER)


def _batch(act: Callable[[Any], object], users: list[Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for user in users:
        act(user)
    return time.perf_counter() - wall, time.process_time() - cpu


def _report_over_a_get(size: int, found: Times) -> None:
    what = f"{NAME}: cached token, {size:,} contacts"
    for number, clock in enumerate(["wall", "CPU"]):
        emit(
            Row(
                measure=f"{what}, {clock}",
                against="a bare get() of its row",
                value=found["ours"][number] / found["bare"][number],
                goal=OVER_A_GET,
            )
        )


def _report_growth(least: int, most: int, found: dict[int, Times]) -> None:
    what = f"{NAME}: cached token, {most:,} contacts"
    for number, clock in enumerate(["wall", "CPU"]):
        small, large = (
            found[size]["ours"][number] / found[size]["same"][number]
            for size in (least, most)
        )
        emit(
            Row(
                measure=f"{what}, {clock}",
                against=f"the same, {least:,} contacts",
                value=large / small,
                goal=OVER_A_SMALL_TABLE,
            )
        )


if __name__ == "__main__":
    sys.exit(run(measure, ["sqlite", "postgresql"], __doc__ or ""))
