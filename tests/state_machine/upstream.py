"""An API that fails at times, and whose codes can be searched for."""

import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django_piggy_verify.sandbox import Fault, Sandbox, Switches
from tests.state_machine.browsing import Outcome

KEY = "marked-api-key-4711"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One failure of the API, and what visitors see of it."""

    send: Outcome = Outcome.SENT
    check: Outcome | None = None
    """None leaves it to the code."""
    switches: Mapping[str, Any] = field(default_factory=dict)
    takes_key: bool = True
    is_reached: bool = True
    gives_token: bool = True
    answers: bool = True
    """Whether an answer comes once the call has had its effect."""


def _plain(*, gives_token=True, **switches):
    return Trouble(gives_token=gives_token, switches=switches)


def _open(**switches):
    """Return a failure that visitors see, since it cannot depend on the contact."""
    down = Outcome.UNAVAILABLE
    return Trouble(send=down, check=down, switches=switches)


def _hidden(**switches):
    """Return a failure that looks like "sent", since it may depend on the contact."""
    return Trouble(check=Outcome.UNAVAILABLE, switches=switches)


def _verdict(**switches):
    return Trouble(check=Outcome.REJECTED, switches=switches)


TROUBLES = {
    "none": Trouble(),
    "codes stay good": _plain(reuse_codes=True),
    "bare token": _plain(bare_token=True),
    "no token": _plain(
        gives_token=False, fault=Fault.OUTAGE, fault_on=frozenset({"auth-token"})
    ),
    "contact gone": _plain(gives_token=False, error_code=55031),
    "token expired": _plain(gives_token=False, error_code=3000),
    "invalid input": _verdict(error_code=1003),
    "no such code": _verdict(error_code=13010),
    "no portal": _open(error_code=55032),
    "inactive account": _open(error_code=7002, error_status=200),
    "no access": _open(error_code=7011),
    "unknown code": _hidden(error_code=99999),
    "maintenance": _open(fault=Fault.MAINTENANCE),
    "too many requests": _open(fault=Fault.RATE_LIMITED),
    "unauthorized": _open(fault=Fault.UNAUTHORIZED),
    "server error": _hidden(fault=Fault.OUTAGE),
    "web page": _hidden(fault=Fault.MALFORMED),
    "no data": _hidden(fault=Fault.NO_DATA),
    "empty": _hidden(fault=Fault.EMPTY),
    "redirect": _hidden(fault=Fault.REDIRECT),
    "no answer": Trouble(check=Outcome.UNAVAILABLE, answers=False),
    "key refused": Trouble(
        send=Outcome.UNAVAILABLE, check=Outcome.UNAVAILABLE, takes_key=False
    ),
    "nobody listens": Trouble(
        send=Outcome.UNAVAILABLE, check=Outcome.UNAVAILABLE, is_reached=False
    ),
}


class Upstream(Sandbox):
    """A sandbox that records its secrets, and can hang up after a call took effect."""

    answers = True

    def __init__(self):
        super().__init__()
        self.secrets: list[str] = []

    def suffer(self, trouble):
        self.switches = Switches(**trouble.switches)
        self.api_key = None if trouble.takes_key else "another"
        self.answers = trouble.answers

    def reset(self):
        super().reset()
        self.suffer(Trouble())
        self.secrets.clear()

    def codes(self, address):
        """Return the codes that were mailed to `address`, newest first."""
        return [each.code for each in self.mails if each.recipient == address]

    def owner(self, address, code):
        """Return the id of the contact whom `code` would prove, if any."""
        mail = self.mailbox.newest(address)
        if mail is None or mail.used or mail.code != code:
            return None
        if time.time() >= mail.expires_at.timestamp():
            return None
        contact = self.people.with_email(address)
        return contact and contact.uid

    def send(self, email):
        with self._hanging_up():
            return super().send(email)

    def verify(self, email, code):
        with self._hanging_up():
            return super().verify(email, code)

    def auth_token(self, uid):
        with self._hanging_up():
            self.secrets.append(super().auth_token(uid))
            return self.secrets[-1]

    def new_mail(self, recipient, request=None):
        mail = super().new_mail(recipient, request)
        # Too long to occur by chance, and the same in every run.
        mail.code = f"Mailed{len(self.secrets)}code"
        self.secrets.append(mail.code)
        return mail

    @contextmanager
    def _hanging_up(self):
        try:
            yield
        finally:
            if not self.answers:
                raise ConnectionResetError
