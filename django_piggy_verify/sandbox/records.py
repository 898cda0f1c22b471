"""What a sandbox remembers. No rules, and no secret in any `repr`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SandboxContact:
    """A loyalty contact on the remote side; `uid` is opaque, any text will do."""

    uid: str
    email: str


@dataclass(eq=False, slots=True)
class Mail:
    """A code that was "mailed". Not frozen: `used` turns true at a verify."""

    recipient: str
    code: str = field(repr=False)
    sent_at: datetime
    expires_at: datetime
    used: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """
    A request as it came in, whatever became of it.

    `name` is "send", "verify", "auth-token", "portal" or "token", or "unknown" for
    any other path. `body` holds the fields that could be read; of an auth-token or
    portal call, `{"uid": ...}`. `path` is the request target, still percent-encoded
    and with its query; `headers` are keyed in lower case.
    """

    name: str
    body: Mapping[str, object] = field(repr=False)
    method: str = ""
    path: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
