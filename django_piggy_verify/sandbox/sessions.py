"""Access tokens that expire, and refresh tokens that can be used once."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Generic, TypeVar
from uuid import uuid4

UserId = TypeVar("UserId", int, str)


@dataclass(frozen=True, slots=True)
class Tokens:
    """An access token and the refresh token that came with it."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


@dataclass(slots=True)
class _Issued(Generic[UserId]):
    """The facts about one token. All tokens of one login are a family."""

    user_id: UserId
    family: str
    expires_at: datetime | None = None
    is_used: bool = False


class Sessions(Generic[UserId]):
    """The tokens that were issued. All methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._issued: dict[str, _Issued[UserId]] = {}

    def open(self, user_id: UserId, lifetime: float) -> Tokens:
        """Begin a family of tokens. `lifetime` of the access token is in seconds."""
        return self._issue(user_id, str(uuid4()), lifetime)

    def refresh(self, token: str, lifetime: float) -> Tokens | None:
        """
        Exchange a refresh token for new tokens, or return None.

        If the token was used before, somebody may have stolen it. So no token of the
        family is valid any more.
        """
        with self._lock:
            issued = self._issued.get(token)
            if issued is None or issued.expires_at:
                return None
            if issued.is_used:
                self._revoke(issued.family)
                return None
            issued.is_used = True
            return self._issue(issued.user_id, issued.family, lifetime)

    def user_id(self, access: str) -> UserId | None:
        """Return whose access token this is, or None if it is not valid now."""
        with self._lock:
            issued = self._issued.get(access)
        if issued is None or issued.expires_at is None:
            return None
        return issued.user_id if datetime.now(UTC) < issued.expires_at else None

    def clear(self) -> None:
        """Let no token be valid any more."""
        with self._lock:
            self._issued.clear()

    def _issue(self, user_id: UserId, family: str, lifetime: float) -> Tokens:
        expires_at = datetime.now(UTC) + timedelta(seconds=lifetime)
        tokens = Tokens(f"eyJ{secrets.token_urlsafe(60)}", secrets.token_urlsafe(32))
        with self._lock:
            self._issued[tokens.access] = _Issued(user_id, family, expires_at)
            self._issued[tokens.refresh] = _Issued(user_id, family)
        return tokens

    def _revoke(self, family: str) -> None:
        self._issued = {
            token: issued
            for token, issued in self._issued.items()
            if issued.family != family
        }
