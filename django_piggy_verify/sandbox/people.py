"""The people of a sandbox. All vendors know the same people, but by different ids."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from typing import Final
from uuid import uuid4

from django_piggy_verify.sandbox.fields import key_of
from django_piggy_verify.sandbox.records import SandboxContact

_IDS: Final = 10**9


class People:
    """Holds the contacts of a sandbox, oldest first. All methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._people: list[SandboxContact] = []

    @property
    def all(self) -> tuple[SandboxContact, ...]:
        """All contacts, oldest first."""
        with self._lock:
            return tuple(self._people)

    def with_email(self, email: str) -> SandboxContact | None:
        """Return the contact with this address, or None."""
        key = key_of(email)
        return self._first(lambda each: bool(key) and key_of(each.email) == key)

    def with_phone(self, phone: str) -> SandboxContact | None:
        """Return the contact with this number, or None."""
        key = key_of(phone)
        return self._first(lambda each: bool(key) and each.phone == key)

    def with_recipient(self, recipient: str) -> SandboxContact | None:
        """Return the contact with this address or number, or None."""
        return self.with_email(recipient) or self.with_phone(recipient)

    def with_uid(self, uid: object) -> SandboxContact | None:
        """Return the contact with this id of Piggy, or None. Compare exactly."""
        return self._first(lambda each: each.uid == uid)

    def with_user_id(self, user_id: int) -> SandboxContact | None:
        """Return the contact with this id of Punchh, or None."""
        return self._first(lambda each: each.user_id == user_id)

    def with_transmit_uid(self, uid: str) -> SandboxContact | None:
        """Return the contact with this id of Transmit, or None."""
        return self._first(lambda each: each.transmit_uid == uid)

    def add(self, email: str, phone: str, uid: str | None) -> SandboxContact:
        """
        Add a contact, or give an address and a number to one.

        With a `uid`, the contact with this id is changed. Without a `uid`, it is the
        contact with this address or number. A changed contact keeps its ids, and keeps
        its address or number if no other is given. Every other contact with this
        address or number is removed.
        """
        with self._lock:
            known = self._known(email, phone, uid)
            person = self._changed(known, email.strip(), phone.strip(), uid)
            if person == known:
                return person
            others = {known, self.with_email(email), self.with_phone(phone)}
            self._people = [each for each in self._people if each not in others]
            self._people.append(person)
            return person

    def set_points(self, recipient: str, points: object) -> None:
        """
        Set the points of the contact with an address or number.

        Raises LookupError if there is none.
        """
        with self._lock:
            person = self.with_recipient(recipient)
            if person is None:
                raise LookupError("no contact has this address or number")
            place = self._people.index(person)
            self._people[place] = replace(person, points=points)

    def remove(self, person: SandboxContact) -> None:
        """Remove a contact."""
        with self._lock:
            self._people = [each for each in self._people if each != person]

    def clear(self) -> None:
        """Remove all contacts."""
        with self._lock:
            self._people.clear()

    def _known(self, email: str, phone: str, uid: str | None) -> SandboxContact | None:
        if uid is not None:
            return self.with_uid(uid)
        return self.with_email(email) or self.with_phone(phone)

    def _changed(
        self, known: SandboxContact | None, email: str, phone: str, uid: str | None
    ) -> SandboxContact:
        if known is None:
            user_id = self._new_user_id(key_of(email) or phone)
            return SandboxContact(uid or str(uuid4()), email, phone, user_id)
        if key_of(email) == key_of(known.email):
            email = known.email
        return replace(known, email=email or known.email, phone=phone or known.phone)

    def _new_user_id(self, recipient: str) -> int:
        """
        Make the id of the address or number.

        A sandbox forgets everybody when its process ends. A person who comes back must
        not get the id that somebody else had, because the id logs in the same user.
        """
        digest = hashlib.sha256(recipient.encode(errors="surrogatepass")).digest()
        user_id = int.from_bytes(digest[:8]) % _IDS + 1
        while self.with_user_id(user_id):
            user_id += 1
        return user_id

    def _first(self, is_it: Callable[[SandboxContact], bool]) -> SandboxContact | None:
        with self._lock:
            return next((each for each in self._people if is_it(each)), None)
