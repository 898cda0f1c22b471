"""The mails of a sandbox with their codes. Only the newest code of an address works."""

from collections import deque
from datetime import UTC, datetime
from math import inf
from threading import RLock
from typing import Final

from django_piggy_verify.sandbox.fields import key_of, same
from django_piggy_verify.sandbox.records import Mail, Verdict

MAILS_KEPT: Final = 200


class Mailbox:
    """Holds mails, and compares codes with them. All methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._mails: deque[Mail] = deque(maxlen=MAILS_KEPT)
        self._newest: dict[str, Mail] = {}

    @property
    def mails(self) -> tuple[Mail, ...]:
        """The latest mails, newest first."""
        with self._lock:
            return tuple(self._mails)

    def newest(self, address: str) -> Mail | None:
        """Return the newest mail to an address, unless its code is forgotten."""
        with self._lock:
            return self._newest.get(key_of(address))

    def with_link(self, token: str) -> Mail | None:
        """Return the mail whose link has this token, or None."""
        links = (each for each in self.mails if each.link)
        return next((each for each in links if same(token, each.code)), None)

    def add(self, mail: Mail) -> None:
        """Add a mail. Earlier codes of its recipient become invalid."""
        with self._lock:
            self._mails.appendleft(mail)
            self._newest[key_of(mail.recipient)] = mail

    def forget_codes(self, address: str) -> None:
        """Let no code of an address be right. The mails stay."""
        with self._lock:
            self._newest.pop(key_of(address), None)

    def clear(self) -> None:
        """Delete all mails."""
        with self._lock:
            self._mails.clear()
            self._newest.clear()

    def judge(
        self,
        address: str,
        typed: str,
        *,
        attempts: float = inf,
        may_be_used: bool = False,
    ) -> Verdict:
        """
        Compare a code with the newest one of an address. A right code is used then.

        After the number of wrong `attempts`, no code of this mail is right. With
        `may_be_used`, a used code is right again.
        """
        with self._lock:
            mail = self._newest.get(key_of(address))
            verdict = _verdict(mail, typed, attempts, may_be_used=may_be_used)
            if mail and verdict == Verdict.RIGHT:
                mail.used = True
            elif mail and verdict == Verdict.WRONG:
                mail.wrong += 1
            return verdict


def _verdict(
    mail: Mail | None, typed: str, attempts: float, *, may_be_used: bool
) -> Verdict:
    if mail is None:
        return Verdict.NOT_MAILED
    if mail.used and not may_be_used:
        return Verdict.USED
    if mail.wrong >= attempts:
        return Verdict.TOO_MANY
    if datetime.now(UTC) >= mail.expires_at:
        return Verdict.EXPIRED
    return Verdict.RIGHT if same(typed, mail.code) else Verdict.WRONG
