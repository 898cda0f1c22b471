"""
Model the counts of attempts, and read the counts of the database.

Both are compared as numbers of a limit and of a window, because the subjects of the
rows are hashed.
"""

import time
from itertools import count

from django_piggy_verify.limits.fixed_windows import limit_of
from django_piggy_verify.models import Tally

MINUTE, HOUR, DAY = 60, 3600, 86400
LIMITS = {
    "send_cooldown": (1, MINUTE),
    "send_recipient": (3, 15 * MINUTE),
    "send_recipient_day": (10, DAY),
    "send_ip": (60, HOUR),
    "check_login": (5, DAY),
    "check_recipient": (10, HOUR),
    "check_recipient_day": (20, DAY),
    "check_ip": (60, HOUR),
    "send_sms_ip": (5, HOUR),
    "send_sms_range": (10, HOUR),
    "send_sms_day": (500, DAY),
    # How many sends the vendor may refuse for one client address.
    "send_refused_ip": (20, HOUR),
    # A used code is refused for as long as a login and a call last.
    "code_use": (1, 10 * MINUTE + 10),
    # What came of a code in a login in progress is kept as long.
    "code_login": (1, 10 * MINUTE + 10),
    # While the circuit is open, one send is let through as a probe at a time.
    "circuit": (1, 30),
    "circuit_probe": (1, 5),
    # A failed send leaves its login in progress without a code.
    "send_failed": (1, 10 * MINUTE),
}
"""How many in how many seconds, by default."""

CIRCUIT, PROBE = ("circuit", ""), ("circuit_probe", "")
_HAS_OTHER_NUMBERS = {"code_login", "send_failed"}
"""The limits whose number is not a count, but an outcome."""


class Counts:
    """The counts of attempts, by limit and subject, with the end of each window."""

    def __init__(self):
        self._counts: dict[tuple[str, object], tuple[float, int]] = {}
        self._numbers = count(1)

    def unlock(self, key):
        for name in LIMITS:
            self._counts.pop((name, key), None)
            self._counts.pop((name, (key, None)), None)

    def _take(self, subjects):
        """Count under all limits or none. Return the limits that are reached."""
        full = self._full(subjects)
        for each in () if full else subjects:
            ends_at, counted = self._counts.get(each, (0, 0))
            if ends_at <= time.time() or not counted:
                ends_at, counted = time.time() + LIMITS[each[0]][1], 0
            self._counts[each] = ends_at, counted + 1
        return full

    def _full(self, subjects):
        return [each[0] for each in subjects if self._is_full(each)]

    def _is_full(self, subject):
        ends_at, counted = self._counts.get(subject, (0, 0))
        return ends_at > time.time() and counted >= LIMITS[subject[0]][0]

    def _fill(self, subjects):
        for each in subjects:
            number, seconds = LIMITS[each[0]]
            self._counts[each] = time.time() + seconds, number

    def _give_back(self, subjects):
        for each in subjects:
            self._counts[each] = self._counts[each][0], self._counts[each][1] - 1

    def _release(self, subjects):
        for each in subjects:
            del self._counts[each]

    def running(self):
        """Return the counts of all windows that have not ended."""
        return _running(
            (limit, ends_at, number)
            for (limit, _), (ends_at, number) in self._counts.items()
        )


def running_in_database(*, but=()):
    """Return what `Counts.running` must return. Leave out the rows with these keys."""
    return _running(
        (limit_of(row.key), row.ends_at.timestamp(), row.count)
        for row in Tally.objects.exclude(pk__in=but)
    )


def _running(rows):
    return sorted(
        (limit, int(ends_at), 1 if limit in _HAS_OTHER_NUMBERS else number)
        for limit, ends_at, number in rows
        if ends_at > time.time() and number
    )
