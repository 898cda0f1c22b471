"""
The last day in figures, as far as our own tables tell it.

What they do not tell is None: durations are logged, and stored nowhere.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import QuerySet, Sum
from django.utils import timezone

from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.models import AuthToken, Contact, Tally

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it counts."""

    name: str
    value: int | None
    """None where it is not stored."""

    meaning: str


def figures() -> list[Figure]:
    """Answer the figures of the last day; none if they cannot be worked out."""
    try:
        return _figures()
    except Exception:  # noqa: BLE001  tables, limits: what is broken is a finding already
        return []


def _figures() -> list[Figure]:
    since, at_limit = timezone.now() - DAY, _at_limits()
    contacts = locking.primary_rows(Contact)
    tokens = locking.primary_rows(AuthToken)
    return [
        Figure(
            "members_logged_in",
            contacts.filter(verified_at__gte=since).count(),
            "logged in (members, each counted once)",
        ),
        Figure(
            "members_new",
            contacts.filter(created_at__gte=since).count(),
            "of these for the first time",
        ),
        Figure(
            "sends",
            _counted("send_recipient_day"),
            "codes asked for, strangers included, in windows that have not ended",
        ),
        Figure(
            "wrong_codes",
            _counted("check_recipient_day"),
            "wrong codes without a right one since, in windows that have not ended",
        ),
        Figure(
            "auth_tokens",
            tokens.filter(fetched_at__gte=since).count(),
            "auth tokens fetched and still stored",
        ),
        Figure(
            "at_limit",
            at_limit.total(),
            f"at a limit at this moment{_in_words(at_limit)}",
        ),
        Figure(
            "api_seconds",
            None,
            "how long the API takes is logged as provider_answered, and not stored",
        ),
    ]


def _counted(limit: str) -> int:
    """Answer the sum of what is counted under a limit of a day."""
    return _running(limit).aggregate(sum=Sum("count"))["sum"] or 0


def _at_limits() -> Counter[str]:
    """Answer under which limits somebody has to wait now, and how many."""
    numbers = {
        name: _running(name).filter(count__gte=fixed_windows.allowed(name)).count()
        for name in conf.rate_limits
    }
    return Counter({name: number for name, number in numbers.items() if number})


def _in_words(numbers: Counter[str]) -> str:
    words = ", ".join(f"{number} {name}" for name, number in numbers.items())
    return f": {words}" if words else ""


def _running(limit: str) -> QuerySet[Tally]:
    rows = locking.primary_rows(Tally).filter(ends_at__gt=timezone.now())
    return rows.filter(key__endswith=f":{limit}")
