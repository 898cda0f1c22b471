"""
Model the pages in plain Python, without HTTP and database.

The model does not know which addresses belong to contacts. So it expects the same
outcome for contacts and strangers.
"""

import time
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from tests.state_machine.browsing import Outcome
from tests.state_machine.counts import CIRCUIT, DAY, MINUTE, PROBE, Counts
from tests.state_machine.upstream import Trouble

LOGIN_TTL = 10 * MINUTE
SESSION_AGE = 14 * DAY


class Promise(NamedTuple):
    """The outcome that a visitor must see, and the calls to the API."""

    outcome: Outcome
    calls: list[str] = []


@dataclass(frozen=True, kw_only=True)
class Login:
    """A login in progress."""

    id: int
    browser: int
    recipient: str
    next: str
    send: int | None = None
    """The number of the last send. None if no code was sent for this login."""
    sent_at: float = 0
    resend_at: float = 0
    is_held_back: bool = False
    user: int | None = None
    """The user who connects a contact. None while logging in."""

    @property
    def key(self):
        return self.recipient.lower()

    @property
    def is_open(self):
        return time.time() < self.sent_at + LOGIN_TTL

    @property
    def state(self):
        """Return what the pages tell a script."""
        return {
            "recipient": self.recipient,
            "channel": "email" if "@" in self.recipient else "sms",
            "expires_in": max(0, self.sent_at + LOGIN_TTL - time.time()),
            "resend_in": max(0, self.resend_at - time.time()),
            "sent": not self.is_held_back,
        }


class Model(Counts):
    """
    The state that the pages must have.

    A signed cookie keeps its meaning in every browser. A forged cookie means nothing.
    """

    def __init__(self):
        super().__init__()
        self.logins: dict[str, Login] = {}
        self.devices: dict[str, dict[str, int]] = {}
        self.sessions: dict[str, tuple[int, float]] = {}
        self.users: dict[str, int] = {}
        self.known: set[int] = set()
        """All users who were there before, also those without a contact."""
        self.barred: set[int] = set()
        self.trouble = Trouble()
        self._outcomes: dict[object, Outcome] = {}

    def begin(self, recipient, next_url, earlier, send, user=None):
        """Return a new login in progress, after a request for a code."""
        number = next(self._numbers)
        login = Login(
            id=number,
            browser=earlier.browser if earlier else number,
            recipient=recipient,
            next=next_url,
            user=user,
        )
        return self.asked(login, send)

    def asked(self, login, send):
        """
        Return `login` with a new deadline. It was held back if there is no `send`.

        Then another send has begun the cooldown, and its code can be typed.
        """
        resend_at, _ = self._counts["send_cooldown", login.key]
        return replace(
            login,
            send=send,
            sent_at=time.time(),
            resend_at=resend_at,
            is_held_back=send is None,
        )

    def signed(self, text):
        """Return the login in progress in a signed text, for any user and browser."""
        return self.logins.get(text)

    def find(self, logins, cookie, *, login="", recipient=""):
        """Return the login that a page names, if the login belongs to this browser."""
        current = logins.get(cookie)
        named = logins.get(login) if login else current
        if current is None or named is None or named.browser != current.browser:
            return None
        if named.id == current.id:
            # Another tab may have asked for another code.
            named = max(current, named, key=lambda each: each.sent_at)
        return named if recipient in {"", named.recipient} else None

    def device(self, cookie, key):
        """Return the number of a browser that `key` has logged in with before."""
        return self.devices.get(cookie, {}).get(key)

    def remember(self, cookie, key, earlier):
        """Record the members of a new cookie: the last five, each with its number."""
        members = dict(self.devices.get(earlier, {}))
        number = members.pop(key, None)
        members = {key: next(self._numbers) if number is None else number} | members
        self.devices[cookie] = dict(islice(members.items(), 5))

    def user(self, session_key):
        """Return the user of a session that is still valid."""
        pk, ends_at = self.sessions.get(session_key, (None, 0))
        return pk if time.time() < ends_at and pk not in self.barred else None

    def log_in(self, uid, pk, session_key):
        self.users[uid] = pk
        self.known.add(pk)
        self.sessions[session_key] = pk, time.time() + SESSION_AGE

    def change(self, uid, flag):
        """Make a user inactive, staff or superuser. Without `flag`, clear all three."""
        pk = self.users.get(uid)
        self.barred.discard(pk)
        if flag and pk:
            self.barred.add(pk)
        return pk

    def send(self, key, *, ip, device):
        """Return the promise for a visitor who asks for a code, and the send if any."""
        names = ("send_recipient", "send_recipient_day")
        subjects = [("send_cooldown", key), *((name, (key, device)) for name in names)]
        if device is None:
            subjects.append(("send_ip", ip))
        is_probe = self._is_full(CIRCUIT)
        if is_probe and (self._full(subjects) or self._take([PROBE])):
            return Promise(Outcome.UNAVAILABLE), None
        if full := self._take(subjects):
            is_held_back = "send_cooldown" in full
            return Promise(Outcome.SENT if is_held_back else Outcome.LIMITED), None
        number = next(self._numbers)
        return self._sent(subjects, number, is_probe=is_probe), number

    def _sent(self, subjects, number, *, is_probe):
        """Send. Only a probe is made before its response, which can show a failure."""
        calls = self._reached("send")
        if self.trouble.send is Outcome.UNAVAILABLE:
            self._give_back(subjects)
            self._fill([CIRCUIT, ("send_failed", number)])
            return Promise(Outcome.UNAVAILABLE if is_probe else Outcome.SENT, calls)
        if is_probe:
            self._release([CIRCUIT, PROBE])
        return Promise(Outcome.SENT, calls)

    def is_unsent(self, login):
        """Return whether the last send of `login` has failed, as its pages say."""
        return self._is_full(("send_failed", login.send))

    def check(self, login, code, *, ip, device, uid):
        """Return the promise for a code, which proves the contact `uid` or nobody."""
        if self.is_unsent(login):
            return Promise(Outcome.UNAVAILABLE)
        names = ("check_recipient", "check_recipient_day")
        recipient = [(name, (login.key, device)) for name in names]
        visitor = [("check_login", login.id)]
        if device is None:
            visitor.append(("check_ip", ip))
        use = [
            ("code_use", (login.key, code.casefold())),
            ("code_login", (login.id, login.key, code.casefold())),
        ]
        if full := self._take([*recipient, *visitor, *use]):
            if full == ["code_use"]:
                self._take([*recipient, *visitor])
            return Promise(self._not_checked(full, login, use[1]))
        if self.trouble.check is Outcome.UNAVAILABLE:
            self._give_back([*recipient, *visitor])
            self._release(use)
            return Promise(Outcome.UNAVAILABLE, self._reached("verify"))
        if self.trouble.check is Outcome.REJECTED or uid is None:
            self._release(use)
            return Promise(self._rejected(login), ["verify"])
        self._give_back(visitor)
        self._release(recipient)
        promise = self._proved(login, uid)
        self._outcomes[use[1]] = promise.outcome
        return promise

    def _proved(self, login, uid):
        """Return the promise for a code that has proved the contact `uid`."""
        if self.users.get(uid) in self.barred:
            return Promise(Outcome.REFUSED, ["verify"])
        return Promise(Outcome.SENT_ON, ["verify", "auth-token"])

    def _not_checked(self, full, login, repeated):
        """Name the outcome of a code that the same login may have posted before."""
        if "code_login" in full:
            return self._outcomes[repeated]
        return self._rejected(login) if full == ["code_use"] else Outcome.LIMITED

    def _rejected(self, login):
        return Outcome.LIMITED if self.is_used_up(login) else Outcome.REJECTED

    def is_used_up(self, login):
        """Return whether `login` has no attempts left."""
        return self._is_full(("check_login", login.id))

    def resend(self, login, *, ip, device):
        if self.is_used_up(login):
            return Promise(Outcome.LIMITED), None
        return self.send(login.key, ip=ip, device=device)

    def _reached(self, call):
        return [call] if self.trouble.is_reached else []
