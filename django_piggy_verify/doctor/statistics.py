"""
Collect the figures of the last day from the tables of this package.

A figure that no table contains is None. Durations, for example, are only logged.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import QuerySet, Sum
from django.utils import timezone

from django_piggy_verify.checks.accounts import anybody_can_log_in
from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.models import AuthToken, Contact, Tally

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number and its meaning."""

    name: str
    value: int | None
    """None if it is not stored."""

    meaning: str


def figures() -> list[Figure]:
    """Return the figures of the last day, or none if they cannot be read."""
    try:
        return _figures()
    except Exception:  # noqa: BLE001  the examinations name the error
        return []


def _figures() -> list[Figure]:
    since, at_limit = timezone.now() - DAY, _at_limits()
    contacts = locking.primary_rows(Contact)
    tokens = locking.primary_rows(AuthToken)
    verb = "logged in" if anybody_can_log_in() else "connected a contact"
    return [
        Figure(
            "members_logged_in",
            contacts.filter(verified_at__gte=since).count(),
            f"members have {verb}",
        ),
        Figure(
            "members_new",
            contacts.filter(created_at__gte=since).count(),
            f"of these members have {verb} for the first time",
        ),
        Figure(
            "sends",
            _counted("send_recipient_day"),
            "codes were requested, also by strangers, in windows that have not ended",
        ),
        Figure(
            "texts",
            _counted("send_sms_day"),
            "text messages were requested, in a window that has not ended",
        ),
        Figure(
            "wrong_codes",
            _counted("check_recipient_day"),
            "wrong codes had no right code after them, in windows that have not ended",
        ),
        Figure(
            "auth_tokens",
            tokens.filter(fetched_at__gte=since).count(),
            "auth tokens were fetched and are still stored",
        ),
        Figure(
            "at_limit",
            at_limit.total(),
            f"counts are at their limit now{_in_words(at_limit)}",
        ),
        Figure(
            "api_seconds",
            None,
            "the duration of calls to the API: see provider_answered in the log",
        ),
    ]


def _counted(limit: str) -> int:
    """Return the sum of all counts of a limit."""
    return _running(limit).aggregate(sum=Sum("count"))["sum"] or 0


def _at_limits() -> Counter[str]:
    """Return, for each limit, how many counts have reached it."""
    numbers = {
        name: _running(name).filter(count__gte=allowed).count()
        for name in conf.rate_limits
        if (allowed := fixed_windows.allowed(name)) is not None
    }
    return Counter({name: number for name, number in numbers.items() if number})


def _in_words(numbers: Counter[str]) -> str:
    words = ", ".join(f"{number} {name}" for name, number in numbers.items())
    return f": {words}" if words else ""


def _running(limit: str) -> QuerySet[Tally]:
    rows = locking.primary_rows(Tally).filter(ends_at__gt=timezone.now())
    return rows.filter(key__endswith=f":{limit}")
