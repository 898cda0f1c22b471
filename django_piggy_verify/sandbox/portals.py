"""The tokens that open the portal, and how an encrypted token looks."""

import base64
import json
import secrets
from threading import RLock
from typing import Final

_TOKENS_KEPT: Final = 200


class Portals:
    """Knows which contact a token of the portal belongs to. It is thread-safe."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._visitors: dict[str, str] = {}

    def open(self, uid: str) -> str:
        """Return a new token for the contact with this id."""
        token = encrypted_blob()
        with self._lock:
            self._visitors[token] = uid
            while len(self._visitors) > _TOKENS_KEPT:
                del self._visitors[next(iter(self._visitors))]
        return token

    def uid_of(self, token: str) -> str | None:
        """Return the id of the contact whose token this is, or None."""
        with self._lock:
            return self._visitors.get(token)

    def clear(self) -> None:
        """Forget all tokens."""
        with self._lock:
            self._visitors.clear()


def encrypted_blob() -> str:
    """Return a text like that of Laravel's `encrypt()`, as long as a real token."""
    blob = {
        "iv": _base64(secrets.token_bytes(16)),
        "value": _base64(secrets.token_bytes(96)),
        "mac": secrets.token_hex(32),
        "tag": _base64(secrets.token_bytes(16)),
    }
    return _base64(json.dumps(blob, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
