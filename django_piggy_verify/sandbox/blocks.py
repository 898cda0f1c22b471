"""
Count failed checks by client address, and block an address for some time.

Source: the API security guidelines of Punchh, which say "10 failed authentications in a
10 minute period and block the IP for one hour".
"""

from collections import defaultdict, deque
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Final

FAILURES: Final = 10
"""The failed checks after which an address is blocked."""

WINDOW: Final = timedelta(minutes=10)
"""The time within which they have to happen."""

DURATION: Final = timedelta(hours=1)
"""The time for which an address is blocked."""


class Blocks:
    """The blocked client addresses. All methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._failures: defaultdict[str, deque[datetime]] = defaultdict(
            lambda: deque(maxlen=FAILURES)
        )
        self._ends: dict[str, datetime] = {}

    def add_failure(self, address: str) -> None:
        """Count a failed check, and block the address if there were too many."""
        now = datetime.now(UTC)
        with self._lock:
            failures = self._failures[address]
            failures.append(now)
            if len(failures) == FAILURES and now - failures[0] <= WINDOW:
                self._ends[address] = now + DURATION

    def has(self, address: str) -> bool:
        """Return whether an address is blocked now."""
        with self._lock:
            ends_at = self._ends.get(address)
        return ends_at is not None and datetime.now(UTC) < ends_at

    def clear(self) -> None:
        """Block no address, and forget all failures."""
        with self._lock:
            self._failures.clear()
            self._ends.clear()
