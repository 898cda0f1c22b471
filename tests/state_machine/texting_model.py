"""Model the login at a vendor that has state, texts codes and wants consents."""

import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tests.state_machine.browsing import Outcome
from tests.state_machine.counts import CIRCUIT, MINUTE, PROBE, Counts
from tests.state_machine.model import LOGIN_TTL, Promise
from tests.state_machine.texting_vendor import UIDS

FAILURES = {
    "down": Outcome.UNAVAILABLE,
    "down, but sent": Outcome.UNAVAILABLE,
    "blocked": Outcome.UNAVAILABLE,
    "no recipient": Outcome.NO_RECIPIENT,
    "no consent": Outcome.NO_CONSENT,
}
"""The outcome of a send, as the pages show it to a visitor."""


class Visitor(NamedTuple):
    """Whom the limits count. A caller without a request has no client address."""

    ip: str = ""
    device: int | None = None
    login: int | None = None

    @property
    def is_counted_by_address(self):
        return self.ip and self.device is None


@dataclass
class Row:
    """A send whose code may be typed."""

    send: int
    given: frozenset[Any]
    ends_at: float
    is_readable: bool = True

    @property
    def is_open(self):
        return time.time() < self.ends_at


@dataclass(frozen=True)
class Begun:
    """A login in progress."""

    id: int
    recipient: str
    given: frozenset[Any]
    send: int | None
    sent_at: float

    @property
    def key(self):
        return self.recipient.lower()

    @property
    def is_open(self):
        return time.time() < self.sent_at + LOGIN_TTL


class TextingModel(Counts):
    """The state that the store, the counts and the contacts must have."""

    def __init__(self):
        super().__init__()
        self.send_trouble = self.check_trouble = ""
        self.sends = 0
        self.rows: dict[str, list[Row]] = {}
        self.failures: dict[int, tuple[float, Outcome]] = {}
        self.outcomes: dict[object, Outcome] = {}
        self.contacts: dict[str, dict[str, str]] = {}
        self.consents: dict[tuple[str, str, str], int] = {}
        self.barred: set[str] = set()

    def begin(self, recipient, given, send):
        number = next(self._numbers)
        return Begun(number, recipient, frozenset(given), send, time.time())

    def asked(self, login, send):
        return replace(login, send=send, sent_at=time.time())

    def failure(self, login):
        """Return what the pages of `login` say of its last send, if it has failed."""
        ends_at, outcome = self.failures.get(login.send, (0, None))
        return outcome if time.time() < ends_at else None

    def send(self, key, given, visitor):
        """Return the promise for a request for a code, and the number of the send."""
        subjects = [("send_cooldown", key), *self._of_send(key, visitor)]
        refused = []
        if visitor.is_counted_by_address:
            refused = [("send_refused_ip", visitor.ip)]
        is_probe = self._is_full(CIRCUIT)
        if is_probe and (self._full([*subjects, *refused]) or self._take([PROBE])):
            return Promise(Outcome.UNAVAILABLE), None
        full = self._full([*subjects, *refused])
        if full:
            is_held_back = "send_cooldown" in full
            return Promise(Outcome.SENT if is_held_back else Outcome.LIMITED), None
        self._take(subjects)
        self.sends += 1
        failure = self._sent(key, given, subjects, visitor)
        if is_probe and not self._opens_the_circuit:
            self._release([CIRCUIT, PROBE])
        is_told = failure and (is_probe or not visitor.ip)
        return Promise(failure if is_told else Outcome.SENT, ["send"]), self.sends

    def _of_send(self, key, visitor):
        names = ("send_recipient", "send_recipient_day")
        yield from ((name, (key, visitor.device)) for name in names)
        if visitor.is_counted_by_address:
            yield "send_ip", visitor.ip
        if "@" not in key:
            if visitor.is_counted_by_address:
                yield "send_sms_ip", visitor.ip
            yield "send_sms_range", key[:-4]
            yield "send_sms_day", ""

    @property
    def _opens_the_circuit(self):
        return self.send_trouble in {"down", "down, but sent"}

    def _sent(self, key, given, subjects, visitor):
        """Store the send or its failure, and return the failure if there is one."""
        failure = FAILURES.get(self.send_trouble)
        if failure is None:
            ends_at = time.time() + LOGIN_TTL + MINUTE
            row = Row(self.sends, frozenset(given), ends_at)
            self.rows.setdefault(key, []).append(row)
            return None
        if self.send_trouble == "blocked":
            # The visitor may be blocked only, and stays counted.
            own = {"send_ip"} if visitor.device is None else {"send_recipient"}
            subjects = [
                each for each in subjects if each[0].removesuffix("_day") not in own
            ]
        self._give_back(subjects)
        self.failures[self.sends] = time.time() + LOGIN_TTL, failure
        self._fill([("send_failed", self.sends)])
        if self._opens_the_circuit:
            self._fill([CIRCUIT])
        elif failure is not Outcome.UNAVAILABLE and visitor.is_counted_by_address:
            self._take([("send_refused_ip", visitor.ip)])
        return failure

    def check(self, recipient, sent, code, visitor):
        """Return the promise for a code. `sent` is the unused send that it is of."""
        key = recipient.lower()
        names = ("check_recipient", "check_recipient_day")
        by_recipient = [(name, (key, visitor.device)) for name in names]
        by_visitor = [("check_login", visitor.login)] if visitor.login else []
        if visitor.is_counted_by_address:
            by_visitor.append(("check_ip", visitor.ip))
        counted = [*by_recipient, *by_visitor]
        use: list[tuple[str, object]] = [("code_use", (key, code))]
        if visitor.login:
            use.append(("code_login", (visitor.login, key, code)))
        if full := self._take([*counted, *use]):
            if full == ["code_use"]:
                self._take(counted)
            return Promise(self._not_checked(full, visitor, use[-1]))
        outcome, calls = self._judged(key, sent)
        if outcome in {Outcome.UNAVAILABLE, Outcome.NO_CONSENT}:
            self._give_back(counted)
            self._release(use)
        elif outcome is Outcome.REJECTED:
            self._release(use)
            outcome = self._rejected(visitor)
        else:
            self.outcomes[use[-1]] = outcome
        if outcome is Outcome.SENT_ON:
            self._give_back(by_visitor)
            self._release(by_recipient)
        return self._admitted(recipient, outcome, calls, use[-1])

    def _judged(self, key, sent):
        """Return what the store and the vendor make of a code, and the calls."""
        row = next(
            (each for each in self.rows.get(key, ())[::-1] if each.is_open), None
        )
        if row is None or not row.is_readable:
            return Outcome.REJECTED, []
        if self.check_trouble == "down":
            return Outcome.UNAVAILABLE, ["check"]
        if self.check_trouble == "no consent":
            return Outcome.NO_CONSENT, ["check"]
        if sent != row.send:
            return Outcome.REJECTED, ["check"]
        troubles = {"": Outcome.SENT_ON, "deactivated": Outcome.REFUSED}
        return troubles.get(self.check_trouble, Outcome.UNAVAILABLE), ["check"]

    def _admitted(self, recipient, outcome, calls, repeated):
        """Store the contact and the consents of a right code."""
        if outcome is not Outcome.SENT_ON:
            return Promise(outcome, calls)
        uid = UIDS[recipient.lower()]
        *_, newest = (each for each in self.rows.pop(recipient.lower()) if each.is_open)
        if uid in self.barred:
            self.outcomes[repeated] = Outcome.REFUSED
            return Promise(Outcome.REFUSED, calls)
        kind = "email" if "@" in recipient else "phone"
        self.contacts.setdefault(uid, {"email": "", "phone": ""})[kind] = recipient
        for consent, version, given_at in newest.given:
            self.consents.setdefault((uid, consent, version), given_at)
        return Promise(outcome, calls)

    def _not_checked(self, full, visitor, repeated):
        if "code_login" in full:
            return self.outcomes[repeated]
        return self._rejected(visitor) if full == ["code_use"] else Outcome.LIMITED

    def _rejected(self, visitor):
        used_up = self.is_used_up(visitor.login)
        return Outcome.LIMITED if used_up else Outcome.REJECTED

    def is_used_up(self, login):
        return self._is_full(("check_login", login))

    def purge(self):
        for key, rows in self.rows.items():
            self.rows[key] = [each for each in rows if each.is_open]

    def lose_the_counts(self):
        """Forget the counts, whose keys are made of the secret key."""
        self._counts.clear()
        self.failures.clear()

    def lose_the_states(self):
        for row in (each for rows in self.rows.values() for each in rows):
            row.is_readable = False

    def ends_of_rows(self):
        return sorted(int(each.ends_at) for rows in self.rows.values() for each in rows)
