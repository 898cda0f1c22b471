"""
The login in progress as a value, and the signed text that a client keeps.

`pending` finds the login of a request, and stores it in the browser.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final, NamedTuple, Self

from django.core import signing

from django_piggy_verify import recipients
from django_piggy_verify.conf import conf
from django_piggy_verify.login.consents import GivenConsent
from django_piggy_verify.traits import Channel

COOKIE: Final = "piggy_verify_login"
CONNECT_COOKIE: Final = "piggy_verify_connect"
FIELD: Final = "login"
"""The form field that names the login in progress of a page."""


class Kind(NamedTuple):
    """The names that keep one kind of login in progress apart from the others."""

    cookie: str
    salt: str


LOGIN: Final = Kind(COOKIE, "django_piggy_verify.pending")
CONNECT: Final = Kind(CONNECT_COOKIE, "django_piggy_verify.pending.connect")
APP: Final = Kind(FIELD, "django_piggy_verify.pending.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """The result of a request for a code."""

    is_sent: bool
    """False if it was too early for another code. Also True for a stranger."""

    resend_in: int
    """Whole seconds until another code may be sent."""

    send_id: str = ""
    """
    Identifies the send. If it was too early for one, this is the last send to the same
    address in the same browser. Blank if there is none, or if it has failed already.
    """

    consents: Sequence[GivenConsent] = ()
    """The consents that the visitor has given with the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login in progress."""

    id: str
    """Identifies the login. A resend keeps the id."""

    browser: str
    """A random text, the same in all tabs of a browser. Other forms are refused."""

    recipient: str
    """The address that the code was sent to."""

    next: str
    """Where the visitor wanted to go. Blank for the default."""

    sent_at: int
    """When the last code was asked for, in seconds since the epoch."""

    resend_at: float
    """When the next code may be asked for, in seconds since the epoch."""

    is_resent: bool = False
    """Whether the last request was a resend that sent a code."""

    is_held_back: bool = False
    """Whether the last request sent no code, because it was too early."""

    send_id: str = ""
    """Identifies the last send. If it fails, the failure is stored under this id."""

    consents: Sequence[GivenConsent] = ()
    """The consents that the visitor has given. A resend uses them again."""

    user: str = ""
    """The primary key of the user who connects a contact. Blank while logging in."""

    is_of_app: bool = False
    """Whether the login was begun by an app, which holds no cookies."""

    @property
    def channel(self) -> Channel:
        """The way on which the code is sent."""
        return recipients.channel_of(self.recipient)

    @property
    def expires_in(self) -> int:
        """Whole seconds until the login expires, or 0."""
        return max(0, self.sent_at + conf.login_ttl - int(time.time()))

    @property
    def resend_in(self) -> int:
        """Whole seconds until another code may be sent, rounded up."""
        return max(0, ceil(self.resend_at - time.time()))

    @property
    def is_send_recent(self) -> bool:
        """Whether the last send may be under way, so that its failure is not known."""
        # A send may wait for a thread before its call, which takes up to the timeout.
        is_young = time.time() < self.sent_at + 2 * conf.timeout
        return bool(self.send_id) and is_young

    @property
    def is_open(self) -> bool:
        """Whether a code may still be checked for this login."""
        return self.expires_in > 0

    def sent_again(self, result: SendResult) -> Self:
        """Return this login with a new deadline, after a resend."""
        now = time.time()
        return replace(
            self,
            sent_at=int(now),
            resend_at=now + result.resend_in,
            is_resent=result.is_sent,
            is_held_back=not result.is_sent,
            send_id=result.send_id,
        )

    def __str__(self) -> str:
        """Return the signed text for the cookie and the form field."""
        fields = [getattr(self, name) for name in self.__slots__]
        # Without the last fields, an earlier version of this package can read it.
        while not fields[-1] and len(fields) > _SHORTEST:
            fields.pop()
        return signing.dumps(fields, salt=self._kind.salt)

    @property
    def _kind(self) -> Kind:
        if self.is_of_app:
            return APP
        return CONNECT if self.user else LOGIN


_OPTIONAL: Final[Sequence[Any]] = ((), "", False)
"""The values of the last fields that the signed text need not have."""

_SHORTEST: Final = len(Login.__slots__) - len(_OPTIONAL)


def read(signed: str, kind: Kind) -> Login | None:
    """Return the login in a signed text, or None if the text is not of this kind."""
    try:
        fields = signing.loads(signed, salt=kind.salt)
        fields += _OPTIONAL[len(fields) - _SHORTEST :]
        login = Login(**dict(zip(Login.__slots__, fields, strict=True)))
        given = [GivenConsent(*each) for each in login.consents]
        return replace(login, consents=given)
    except (signing.BadSignature, TypeError, ValueError):
        return None
