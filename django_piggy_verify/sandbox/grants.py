"""The access tokens of the token endpoint, for our own calls."""

import secrets
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Final

PREFIX: Final = "grant_"
"""
The beginning of each token.

A sandbox that accepts any key must still refuse such a token if it has expired, was
revoked, or is from before a restart.
"""


class Grants:
    """Holds the tokens that were granted. All methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._expiries: dict[str, datetime] = {}

    def new(self, lifetime: float) -> str:
        """Return a new token. `lifetime` is in seconds."""
        token = PREFIX + secrets.token_urlsafe(32)
        with self._lock:
            self._expiries[token] = datetime.now(UTC) + timedelta(seconds=lifetime)
        return token

    def has(self, token: str) -> bool:
        """Return whether a token was granted and is valid now."""
        with self._lock:
            expires_at = self._expiries.get(token)
        return expires_at is not None and datetime.now(UTC) < expires_at

    def clear(self) -> None:
        """Let no token be valid any more."""
        with self._lock:
            self._expiries.clear()
