"""
The users of Transmit, with their profiles and access tokens.

`people` has the contacts of the other vendors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import RLock
from typing import Self

from django_piggy_verify.sandbox.fields import key_of
from django_piggy_verify.sandbox.records import SandboxContact
from django_piggy_verify.sandbox.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Attribute:
    """An e-mail address or a number in the profile of a user of Transmit."""

    value: str
    is_verified: bool = False
    verified_at: datetime | None = None

    def has(self, value: str) -> bool:
        """Return whether this is the same address or number. The case is ignored."""
        return key_of(self.value) == key_of(value)


@dataclass(frozen=True, slots=True)
class SandboxUser:
    """A user of Transmit. The primary address and the primary number come first."""

    uid: str
    emails: tuple[Attribute, ...] = ()
    phones: tuple[Attribute, ...] = ()

    @classmethod
    def of(cls, uid: str, contact: SandboxContact | None) -> Self:
        """Return a new user with the address and the number of a contact, if any."""
        if contact is None:
            return cls(uid)
        emails, phones = (
            (Attribute(value),) if value else ()
            for value in (contact.email, contact.phone)
        )
        return cls(uid, emails, phones)

    def has_verified(self, recipient: str) -> bool:
        """Return whether an address or number is verified for this user."""
        attributes = (*self.emails, *self.phones)
        return any(each.is_verified and each.has(recipient) for each in attributes)


class Users:
    """Holds the users of Transmit, oldest first. All methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._users: dict[str, SandboxUser] = {}
        self._sessions: Sessions[str] = Sessions()

    @property
    def all(self) -> tuple[SandboxUser, ...]:
        """All users, oldest first."""
        with self._lock:
            return tuple(self._users.values())

    def put(self, user: SandboxUser) -> None:
        """Add a user, or replace the user with the same id."""
        with self._lock:
            self._users[user.uid] = user

    def remove(self, uid: str) -> None:
        """Remove a user. The tokens stay valid. An unknown id is no error."""
        with self._lock:
            self._users.pop(uid, None)

    def with_uid(self, uid: str) -> SandboxUser | None:
        """Return the user with this id, or None."""
        with self._lock:
            return self._users.get(uid)

    def with_verified(self, recipient: str) -> SandboxUser | None:
        """Return the user for whom an address or number is verified, or None."""
        return next((each for each in self.all if each.has_verified(recipient)), None)

    def new_token(self, uid: str, lifetime: float) -> str:
        """Return a new access token of a user. `lifetime` is in seconds."""
        return self._sessions.open(uid, lifetime).access

    def uid_of(self, token: str) -> str | None:
        """Return the id of the user of a token, or None if it is not valid now."""
        return self._sessions.user_id(token)

    def revoke_tokens(self) -> None:
        """Refuse all access tokens that users have got."""
        self._sessions.clear()

    def verify(self, uid: str, recipient: str, *, update_primary: bool) -> bool:
        """
        Write a verified address or number into the profile of a user.

        Return False, and write nothing, if the user is unknown, or if the address or
        number is verified for another user.

        The new value becomes a secondary one if the primary one is verified. With
        `update_primary`, it becomes the primary one in any case. It is a guess that a
        primary one that is not verified is always replaced.

        Source: `update_primary`, Verification API of Transmit.
        """
        with self._lock:
            user = self.with_uid(uid)
            if user is None or self.with_verified(recipient) not in {None, user}:
                return False
            if "@" in recipient:
                emails = _verified(user.emails, recipient, update_primary)
                self._users[uid] = replace(user, emails=emails)
            else:
                phones = _verified(user.phones, recipient, update_primary)
                self._users[uid] = replace(user, phones=phones)
            return True

    def clear(self) -> None:
        """Remove all users and their tokens."""
        with self._lock:
            self._users.clear()
        self.revoke_tokens()


def _verified(
    known: Sequence[Attribute],
    value: str,
    update_primary: bool,  # noqa: FBT001 - the name of the vendor
) -> tuple[Attribute, ...]:
    """Return the attributes after `value` was verified, the primary one first."""
    proved = Attribute(value, is_verified=True, verified_at=datetime.now(UTC))
    rest = [each for each in known[1:] if not each.has(value)]
    if update_primary or not known or not known[0].is_verified or known[0].has(value):
        return (proved, *rest)
    return (known[0], *rest, proved)
