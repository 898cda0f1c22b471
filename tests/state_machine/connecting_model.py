"""Model users with and without a password, and the contacts that they connect."""

import time

from tests.state_machine.browsing import Outcome
from tests.state_machine.model import SESSION_AGE, Login, Model, Promise


class ConnectingModel(Model):
    """The state that the login pages and the connect pages must have."""

    def __init__(self):
        super().__init__()
        self.connections: dict[str, Login] = {}
        self.addresses: dict[str, str] = {}
        self.flags: dict[int, str] = {}
        self.allows_staff = False
        self.with_password: set[int] = set()
        self.by_password: set[str] = set()
        """The sessions of users who have logged in by password."""

    def signed(self, text):
        return self.connections.get(text) or super().signed(text)

    def change(self, uid, flag):
        pk = self.users.get(uid)
        if pk is not None:
            self.flag(pk, flag)
        return pk

    def flag(self, pk, flag):
        """Make a user inactive, staff or superuser. Without `flag`, clear all three."""
        self.flags[pk] = flag
        self.barred.discard(pk)
        if flag == "is_active" or (flag and not self.allows_staff):
            self.barred.add(pk)

    def user(self, session_key):
        """
        Return the user of a session that is still valid.

        Staff may have logged in by password. The session of a login by code is not
        valid for staff, as long as they have a contact.
        """
        pk, ends_at = self.sessions.get(session_key, (None, 0))
        if pk is None or time.time() >= ends_at or self.flags.get(pk) == "is_active":
            return None
        may_stay = pk not in self.barred or pk not in self.users.values()
        return pk if may_stay or session_key in self.by_password else None

    def log_in_by_password(self, pk, before, session_key):
        """Note a login by password. The session of another user has ended."""
        self.sessions.pop(before, None)
        self.sessions[session_key] = pk, time.time() + SESSION_AGE
        self.by_password.add(session_key)

    def kept_out(self, session_key):
        """Return the promise for a visitor who may not connect contacts, or None."""
        pk = self.user(session_key)
        if pk is None:
            return Promise(Outcome.LOGGED_OUT)
        return Promise(Outcome.REFUSED) if pk in self.barred else None

    def contacts_of(self, pk):
        """Return the ids and the addresses of the contacts of a user."""
        mine = (uid for uid, owner in self.users.items() if owner == pk)
        return [(uid, self.addresses[uid]) for uid in mine]

    def disconnect(self, pk, uid):
        """Return the promise for a user who disconnects a contact."""
        if self.users.get(uid) != pk:
            return Promise(Outcome.NOT_FOUND)
        if pk not in self.with_password:
            return Promise(Outcome.ONLY_WAY_IN)
        del self.users[uid]
        return Promise(Outcome.DISCONNECTED)

    def _proved(self, login, uid):
        if login.user is None:
            promise = super()._proved(login, uid)
        else:
            promise = Promise(self._connected(login.user, uid), ["verify"])
        if promise.outcome is Outcome.SENT_ON:
            self.addresses[uid] = login.recipient
        return promise

    def _connected(self, pk, uid):
        """Connect a contact, if it is free or the user's. Return the outcome."""
        if self.users.get(uid, pk) != pk:
            return Outcome.TAKEN
        if uid not in self.users and self.contacts_of(pk):
            return Outcome.SECOND
        self.users[uid] = pk
        return Outcome.SENT_ON
