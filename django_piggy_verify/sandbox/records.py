"""The data of a sandbox. No `repr` contains a secret."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final, Literal, Self

UNKNOWN: Final = "unknown"
"""The name of a call whose path the API does not have."""


@dataclass(frozen=True, slots=True)
class SandboxContact:
    """
    A contact of the emulated APIs, with an id for each vendor that has ids of people.

    The e-mail address or the number may be blank. `uid` is the id of Piggy, and may be
    any text. `user_id` is the id of Punchh, and `transmit_uid` that of Transmit.
    """

    uid: str
    email: str
    phone: str = ""
    """The number in E.164 form, such as ``+31612345678``."""
    user_id: int = 0
    points: object = field(default=0, compare=False)
    """The balance of points at Piggy. It may be any value that JSON has."""

    @property
    def recipient(self) -> str:
        """The address of the contact, or the number of a contact without address."""
        return self.email or self.phone

    @property
    def transmit_uid(self) -> str:
        """The id that the contact gets at Transmit, when it signs in there."""
        return f"contact-{self.user_id}"


@dataclass(eq=False, slots=True)
class Mail:
    """
    A code that was "mailed" to an address, or "texted" to a number.

    A verify call sets `used`. So does a visit to the link, if a link was mailed.
    """

    recipient: str
    """An e-mail address, or a number in E.164 form."""
    code: str = field(repr=False)
    """The code. If a link was mailed, it is the token in the link."""
    sent_at: datetime
    expires_at: datetime
    used: bool = False
    wrong: int = 0
    """The number of wrong codes that were typed."""
    request: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The fields of the send, if the vendor compares them with those of the check."""

    owner: str = ""
    """The id of the user who had the code sent, at Transmit."""
    text: str = field(default="", repr=False)
    """The text of the message, if the request chose it."""
    link: str = field(default="", repr=False)
    """The link that was mailed in place of a code, or a blank text."""

    @classmethod
    def new(
        cls,
        recipient: str,
        lifetime: float,
        request: Mapping[str, object] | None = None,
    ) -> Self:
        """Return a mail with a new code that expires after `lifetime` seconds."""
        now = datetime.now(UTC)
        return cls(
            recipient=recipient,
            code=f"{secrets.randbelow(10**6):06d}",
            sent_at=now,
            expires_at=now + timedelta(seconds=lifetime),
            request=request or {},
        )

    @property
    def channel(self) -> Literal["email", "sms"]:
        """The way on which the code was sent."""
        return "email" if "@" in self.recipient else "sms"


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

    `name` is "send", "verify", "auth-token", "portal", "contact", "token", "refresh",
    "profile", "user" or "link". The last one is the visit to a link in a mail. For any
    other path `name` is "unknown". `vendor` is "piggy", "verifik", "punchh" or
    "transmit". `body` contains the fields that could be read. For an auth-token,
    portal, contact or user call it is `{"uid": ...}`. `content` is the body as it was
    sent, if the vendor signs it. `path` is the request target. It is percent-encoded
    and contains the query. The names in `headers` are in lower case.
    """

    name: str
    body: Mapping[str, object] = field(repr=False)
    method: str = ""
    path: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    vendor: str = "piggy"
    content: bytes = field(default=b"", repr=False)
