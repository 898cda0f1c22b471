"""
Emulate the state and the rules of the remote API, without HTTP and Django.

Source: the contact verification page of the Piggy API v3. Some rules are not on that
page. They are guesses, and their docstrings say so.
"""

import base64
import json
import secrets
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from threading import RLock
from uuid import uuid4

from django_piggy_verify.sandbox.errors import (
    CONTACT_NOT_FOUND,
    PASSCODE_NOT_FOUND,
    ApiError,
)
from django_piggy_verify.sandbox.fields import key_of, same, text_of
from django_piggy_verify.sandbox.mailbox import MAILS_KEPT, Mailbox
from django_piggy_verify.sandbox.records import Call, Mail, SandboxContact, Verdict
from django_piggy_verify.sandbox.switches import Switches

CALLS_KEPT = 2000

# Marks the access tokens of the token endpoint. A sandbox that accepts any key must
# still refuse such a token if it has expired, was revoked, or is from before a restart.
GRANT_PREFIX = "grant_"


class Sandbox:
    """
    An emulated remote API with contacts, a mailbox and switches.

    All methods are thread-safe. With `api_key=None`, every bearer token that is not
    blank is valid. Access tokens from the token endpoint are valid too.
    `code_lifetime` and `grant_lifetime` are in seconds. You may change them, and
    `api_key`, at any time. `announce` is called with each mail, outside the lock, in
    the thread that sends the mail.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        client_id: str = "sandbox",
        client_secret: str = "sandbox",  # noqa: S107 - guards nothing
        code_lifetime: float = 600.0,
        announce: Callable[[Mail], None] | None = None,
    ) -> None:
        self.api_key = api_key
        self.code_lifetime = code_lifetime
        self.grant_lifetime = 3600.0
        self.switches = Switches()
        self.mailbox = Mailbox()
        self._client = (client_id, client_secret)
        self._announce = announce
        self._lock = RLock()
        self._contacts: dict[str, SandboxContact] = {}
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self._grants: dict[str, datetime] = {}
        self._visitors: dict[str, str] = {}

    # Methods for tests and for the mailbox page

    def add_contact(self, email: str, uid: str | None = None) -> SandboxContact:
        """
        Give a contact the address `email`, and return the contact.

        Without a `uid`, an existing contact with this address stays. With another
        `uid`, the address moves to that contact. If a contact with this `uid` exists,
        it loses its old address. A change of address makes mailed codes invalid.
        """
        with self._lock:
            known = self._contacts.get(key_of(email))
            if known and uid in {None, known.uid}:
                return known
            contact = SandboxContact(uid=uid or str(uuid4()), email=email.strip())
            for other in self.contacts:
                if other.uid == contact.uid:
                    self.remove_contact(other.email)
            self.remove_contact(email)
            self._contacts[key_of(email)] = contact
            return contact

    def remove_contact(self, email: str) -> None:
        """Delete a contact and its codes. An unknown address is no error."""
        with self._lock:
            self._contacts.pop(key_of(email), None)
            self.mailbox.forget_codes(email)

    @property
    def contacts(self) -> tuple[SandboxContact, ...]:
        """All contacts, oldest first."""
        with self._lock:
            return tuple(self._contacts.values())

    @property
    def mails(self) -> tuple[Mail, ...]:
        """The latest mails, newest first, including those to deleted contacts."""
        return self.mailbox.mails

    @property
    def calls(self) -> tuple[Call, ...]:
        """The latest requests, oldest first."""
        with self._lock:
            return tuple(self._calls)

    def last_code(self, email: str) -> str:
        """Return the newest code that was mailed to a contact, or raise LookupError."""
        mail = self.mailbox.newest(email)
        if mail is None:
            raise LookupError("no code was mailed to this address")
        return mail.code

    def revoke_grants(self) -> None:
        """Refuse all access tokens that the token endpoint has issued."""
        with self._lock:
            self._grants.clear()

    def reset(self) -> None:
        """Delete all data, and turn all switches off."""
        with self._lock:
            self.switches = Switches()
            for memory in (self._contacts, self._grants, self._visitors, self._calls):
                memory.clear()
            self.mailbox.clear()

    # Methods for `api` and `views`

    def record(self, call: Call) -> None:
        """Store a request."""
        with self._lock:
            self._calls.append(call)

    def accepts(self, bearer: str) -> bool:
        """Return whether a bearer token is valid now."""
        with self._lock:
            expires_at = self._grants.get(bearer)
        if expires_at:
            return _now() < expires_at
        if self.api_key is None:
            return bool(bearer) and not bearer.startswith(GRANT_PREFIX)
        return same(bearer, self.api_key)

    def grant(self, client_id: object, client_secret: object) -> str | None:
        """Return a new access token, or `None` for an unknown client."""
        known_id, known_secret = self._client
        # Both are compared, so that the duration does not depend on the first one.
        if not same(client_id, known_id) & same(client_secret, known_secret):
            return None
        token = GRANT_PREFIX + secrets.token_urlsafe(32)
        with self._lock:
            self._grants[token] = _now() + timedelta(seconds=self.grant_lifetime)
        return token

    def send(self, email: object) -> Mail:
        """
        Mail a code to a contact. Earlier codes of the contact become invalid.

        The vendor's page does not say that a code has six digits and that only the
        newest code is valid. Both are guesses. Raises ApiError 1003 or 55031.

        Source: POST contact-verification/send, Piggy API v3.
        """
        address = text_of(email)
        with self._lock:
            contact = self._contacts.get(key_of(address))
            if contact is None:
                raise ApiError(CONTACT_NOT_FOUND)
        return self.send_to_anybody(contact.email)

    def send_to_anybody(self, address: str) -> Mail:
        """Mail a code to an address, with or without a contact. Void earlier codes."""
        with self._lock:
            mail = self._new_mail(address)
            self.mailbox.add(mail)
        if self._announce:
            self._announce(mail)
        return mail

    def verify(self, email: object, code: object) -> SandboxContact:
        """
        Return the contact to whom the code was mailed, and mark the code as used.

        Raises ApiError 1003. Raises ApiError 13010 for a code that is wrong, used,
        invalid or expired. A stranger gets 13010 too, because the page does not list
        55031 for this call.

        Source: POST contact-verification/verify, Piggy API v3.
        """
        address, typed = text_of(email), text_of(code)
        with self._lock:
            if self.judge(address, typed) != Verdict.RIGHT:
                raise ApiError(PASSCODE_NOT_FOUND)
            return self._contacts[key_of(address)]

    def judge(self, address: str, typed: str, *, attempts: float = inf) -> Verdict:
        """Compare a code with the newest one, as `Mailbox.judge` does."""
        may_be_used = self.switches.reuse_codes
        return self.mailbox.judge(
            address, typed, attempts=attempts, may_be_used=may_be_used
        )

    def auth_token(self, uid: object) -> str:
        """
        Return a new auth token for a contact, a different one each time.

        `uid` is compared exactly. Raises ApiError 55031.

        Source: GET contact-verification/auth-token, Piggy API v3.
        """
        if all(contact.uid != uid for contact in self.contacts):
            raise ApiError(CONTACT_NOT_FOUND)
        return _encrypted_blob()

    def portal_token(self, uid: object) -> str:
        """
        Return a new token for the portal, a different one each time.

        `uid` is compared exactly. Raises ApiError 1003 or 55031.

        Source: GET contacts-portal/auth-url, Piggy API v3.
        """
        wanted = text_of(uid)
        if all(contact.uid != wanted for contact in self.contacts):
            raise ApiError(CONTACT_NOT_FOUND)
        token = _encrypted_blob()
        with self._lock:
            self._visitors[token] = wanted
            while len(self._visitors) > MAILS_KEPT:
                del self._visitors[next(iter(self._visitors))]
        return token

    def visitor(self, token: str) -> SandboxContact | None:
        """
        Return the contact whose portal this token opens, or None.

        It is a guess that a token works more than once.
        """
        with self._lock:
            uid = self._visitors.get(token)
            return next((each for each in self.contacts if each.uid == uid), None)

    def _new_mail(self, address: str) -> Mail:
        now = _now()
        return Mail(
            recipient=address,
            code=f"{secrets.randbelow(10**6):06d}",
            sent_at=now,
            expires_at=now + timedelta(seconds=self.code_lifetime),
        )


def _now() -> datetime:
    return datetime.now(UTC)


def _encrypted_blob() -> str:
    """Return a text like that of Laravel's `encrypt()`, as long as a real token."""
    blob = {
        "iv": _base64(secrets.token_bytes(16)),
        "value": _base64(secrets.token_bytes(96)),
        "mac": secrets.token_hex(32),
        "tag": _base64(secrets.token_bytes(16)),
    }
    return _base64(json.dumps(blob, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
