"""
Measure the pages of the admin with a million contacts against those with a thousand.

Run ``python benchmarks/admin.py``, which takes five minutes, or with ``--quick``.

Each contact has a user and every second one a token; half as many counters. A page is
fetched by Django's test client, as a superuser.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from benchmarks.databases import (
    NAME,
    fill,
    fill_contacts,
    fill_users,
    run,
    settle,
    sql,
)
from benchmarks.rows import Row, emit
from django_piggy_verify.admin.base import LISTED, ReadOnlyAdmin

CONTACTS: Final = "/admin/piggy_verify/contact/"
COUNTS: Final = "/admin/piggy_verify/tally/"
PAGES: Final = {
    "list of contacts": CONTACTS,
    "last page of the list": f"{CONTACTS}?p={{last}}",
    "search by address": f"{CONTACTS}?q=Member500@Example.com",
    "search by id": f"{CONTACTS}?q=id-500",
    "search for nobody": f"{CONTACTS}?q=nobody@example.com",
    "list of counts": COUNTS,
    "counts of one limit": f"{COUNTS}?limit=send_ip",
}
SMALL, LARGE, QUICK = 1_000, 1_000_000, 5_000
RATIO: Final = 4
"""Times that a page with a million rows may take what it takes with a thousand."""

SLOW: Final = 200
"""Milliseconds that no page should take longer than."""

YEAR: Final = 365 * 86_400
LIMITS: Final = 4
"""Counters of so many limits take turns."""


def measure(is_quick: bool) -> None:  # noqa: FBT001
    """Take the times of all pages with few rows, and then with many."""
    size, rounds = (QUICK, 1) if is_quick else (LARGE, 5)
    browser = _superuser()
    _fill(SMALL)
    before = _times(browser, SMALL, rounds)
    _fill(size)
    after = _times(browser, size, rounds)
    for page, seconds in after.items():
        what = f"{NAME}: {page}, {size:,} contacts"
        _report(what, seconds / before[page], seconds * 1000, has_goal=not is_quick)


def _report(what: str, ratio: float, duration: float, *, has_goal: bool) -> None:
    goals = (RATIO, SLOW) if has_goal else (None, None)
    against = f"the same, {SMALL:,} contacts"
    emit(Row(measure=what, against=against, value=ratio, goal=goals[0]))
    emit(Row(measure=what, against="", value=duration, unit="ms", goal=goals[1]))


def _superuser() -> Client:
    """Return a browser of a superuser, whose key is none of the numbers."""
    browser = Client()
    boss = get_user_model().objects.create_superuser("boss", id=2 * LARGE)
    browser.force_login(boss, "django.contrib.auth.backends.ModelBackend")
    return browser


def _fill(size: int) -> None:
    """Replace the rows of the measurement."""
    if connection.vendor == "mysql":
        sql("SET SESSION sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')")
    for table in ("authtoken", "contact", "tally"):
        sql(f"DELETE FROM piggy_verify_{table}")  # noqa: S608
    sql("DELETE FROM auth_user WHERE NOT is_superuser")
    long_ago = f"after(-{{random}} * {YEAR})"
    fill_users(1, size)
    fill_contacts(
        1,
        size,
        user_id="n",
        provider="'piggy'",
        uid="'id-' || n",
        email="'Member' || n || '@example.com'",
        verified_at=long_ago,
    )
    token = {"id": "n", "contact_id": "2 * n", "ciphertext": "{bytes}"}
    times = {"fetched_at": "after(0)", "expires_at": "after(900)"}
    fill("piggy_verify_authtoken", 1, size // 2, **token, **times)
    limit = f"CASE n %% {LIMITS} WHEN 0 THEN ':send_ip' ELSE ':check_ip' END"
    fill(
        "piggy_verify_tally",
        1,
        size // 2,
        key=f"substr({{hash}}, 1, 40) || {limit}",
        count="1",
        ends_at=f"after({{random}} * {YEAR})",
    )
    settle()


def _times(browser: Client, size: int, rounds: int) -> dict[str, float]:
    """Return the median of the seconds that each page takes."""
    last = min(size, LISTED) // ReadOnlyAdmin.list_per_page
    urls = {name: url.format(last=last) for name, url in PAGES.items()}
    return {
        name: median(_timed(partial(_get, browser, url)) for _ in range(rounds))
        for name, url in urls.items()
    }


def _get(browser: Client, url: str) -> None:
    status = browser.get(url).status_code
    if status != HTTPStatus.OK:
        sys.exit(f"{url} has ended with {status}")


def _timed(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(run(measure, ["sqlite", "postgresql", "mariadb"], __doc__ or ""))
