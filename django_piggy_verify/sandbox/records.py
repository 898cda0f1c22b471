"""The data of a sandbox. No `repr` contains a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Final

UNKNOWN: Final = "unknown"
"""The name of a call whose path the API does not have."""


@dataclass(frozen=True, slots=True)
class SandboxContact:
    """A contact of the emulated API. `uid` may be any text."""

    uid: str
    email: str


@dataclass(eq=False, slots=True)
class Mail:
    """A code that was "mailed". A verify call sets `used`."""

    recipient: str
    code: str = field(repr=False)
    sent_at: datetime
    expires_at: datetime
    used: bool = False
    wrong: int = 0
    """The number of wrong codes that were typed."""


class Verdict(Enum):
    """The result of comparing a typed code with the newest code of an address."""

    RIGHT = auto()
    WRONG = auto()
    USED = auto()
    EXPIRED = auto()
    TOO_MANY = auto()
    """There were too many wrong codes before."""
    NOT_MAILED = auto()
    """No code was mailed to this address."""


@dataclass(frozen=True, slots=True)
class Call:
    """
    A request that was received.

    `name` is "send", "verify", "auth-token", "portal" or "token". For any other path it
    is "unknown". `vendor` is "piggy" or "verifik". `body` contains the fields that
    could be read. For an auth-token or portal call it is `{"uid": ...}`. `path` is the
    request target. It is percent-encoded and contains the query. The names in `headers`
    are in lower case.
    """

    name: str
    body: Mapping[str, object] = field(repr=False)
    method: str = ""
    path: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    vendor: str = "piggy"
