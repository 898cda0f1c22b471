"""
The state and the rules of the remote API, without HTTP and without Django.

Source: the contact verification page of the Piggy API v3. Where that page is
silent the rule here is a guess, and its docstring says so.
"""

import base64
import json
import secrets
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import RLock
from uuid import uuid4

from django_piggy_verify.sandbox.errors import (
    CONTACT_NOT_FOUND,
    PASSCODE_NOT_FOUND,
    ApiError,
)
from django_piggy_verify.sandbox.fields import key_of, same, text_of
from django_piggy_verify.sandbox.records import Call, Mail, SandboxContact
from django_piggy_verify.sandbox.switches import Switches

MAILS_KEPT = 200
CALLS_KEPT = 2000

# Tells an access token of ours from a personal one: a sandbox that takes any
# key must still refuse a grant that ran out, was revoked or outlived a restart.
GRANT_PREFIX = "grant_"


class Sandbox:
    """
    A remote API of one's own: contacts, a mailbox and switches.

    All methods are safe to call from any thread. `api_key=None` takes every
    bearer token that is not blank; access tokens from the token endpoint count
    beside a key. `code_lifetime` is in seconds. `announce` is called with each
    mail, in the thread that asked for it and outside the lock. `api_key`,
    `code_lifetime` and `grant_lifetime` (seconds) may be changed at any time.
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
        self._client = (client_id, client_secret)
        self._announce = announce
        self._lock = RLock()
        self._contacts: dict[str, SandboxContact] = {}
        self._newest: dict[str, Mail] = {}
        self._mails: deque[Mail] = deque(maxlen=MAILS_KEPT)
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self._grants: dict[str, datetime] = {}
        self._visitors: dict[str, str] = {}

    # For whoever sets the scene.

    def add_contact(self, email: str, uid: str | None = None) -> SandboxContact:
        """
        Make `email` belong to a contact, and answer that contact.

        Without a `uid` the contact that has the address already stays. With
        another `uid` the address changes hands; with a known one the contact
        gives up its old address. Either way codes that were mailed are void.
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
        """Forget a contact and its codes; nothing happens if there is none."""
        with self._lock:
            self._contacts.pop(key_of(email), None)
            self._newest.pop(key_of(email), None)

    @property
    def contacts(self) -> tuple[SandboxContact, ...]:
        """All contacts, oldest first."""
        with self._lock:
            return tuple(self._contacts.values())

    @property
    def mails(self) -> tuple[Mail, ...]:
        """The latest mails, newest first, also to contacts since removed."""
        with self._lock:
            return tuple(self._mails)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The latest requests, oldest first."""
        with self._lock:
            return tuple(self._calls)

    def last_code(self, email: str) -> str:
        """Answer the newest code mailed to a contact; LookupError if none was."""
        with self._lock:
            return self._newest[key_of(email)].code

    def revoke_grants(self) -> None:
        """Refuse every access token that the token endpoint has given out."""
        with self._lock:
            self._grants.clear()

    def reset(self) -> None:
        """Forget all contacts, mails, calls, grants and visitors; turn switches off."""
        with self._lock:
            self.switches = Switches()
            for memory in (self._contacts, self._newest, self._grants, self._visitors):
                memory.clear()
            self._mails.clear()
            self._calls.clear()

    # For whoever speaks HTTP.

    def record(self, call: Call) -> None:
        """Remember a request."""
        with self._lock:
            self._calls.append(call)

    def accepts(self, bearer: str) -> bool:
        """Say whether a bearer token opens the API at this moment."""
        with self._lock:
            expires_at = self._grants.get(bearer)
        if expires_at:
            return _now() < expires_at
        if self.api_key is None:
            return bool(bearer) and not bearer.startswith(GRANT_PREFIX)
        return same(bearer, self.api_key)

    def grant(self, client_id: object, client_secret: object) -> str | None:
        """Answer a new access token, or `None` for a client that is not ours."""
        known_id, known_secret = self._client
        # Both are compared, so that the time tells nothing about the first.
        if not same(client_id, known_id) & same(client_secret, known_secret):
            return None
        token = GRANT_PREFIX + secrets.token_urlsafe(32)
        with self._lock:
            self._grants[token] = _now() + timedelta(seconds=self.grant_lifetime)
        return token

    def send(self, email: object) -> Mail:
        """
        Mail a code to a contact; codes mailed before are void from now on.

        Six digits and "the newest only" are guesses: the vendor's page tells
        neither. Raises ApiError 1003 or 55031.

        Source: POST contact-verification/send, Piggy API v3.
        """
        address = text_of(email)
        with self._lock:
            contact = self._contacts.get(key_of(address))
            if contact is None:
                raise ApiError(CONTACT_NOT_FOUND)
            mail = self._new_mail(contact)
            self._mails.appendleft(mail)
            self._newest[key_of(address)] = mail
        if self._announce:
            self._announce(mail)
        return mail

    def verify(self, email: object, code: object) -> SandboxContact:
        """
        Answer whose code this is, and use it up.

        Raises ApiError 1003, or 13010 for a code that is wrong, used, void or
        expired, and for a stranger: the page lists no 55031 for this call.

        Source: POST contact-verification/verify, Piggy API v3.
        """
        key, typed = key_of(text_of(email)), text_of(code)
        with self._lock:
            mail = self._newest.get(key)
            if mail is None or not self._is_good(mail, typed):
                raise ApiError(PASSCODE_NOT_FOUND)
            mail.used = True
            return self._contacts[key]

    def auth_token(self, uid: object) -> str:
        """
        Make up an auth token for a contact, another one each time.

        Raises ApiError 55031; `uid` is compared exactly.

        Source: GET contact-verification/auth-token, Piggy API v3.
        """
        if all(contact.uid != uid for contact in self.contacts):
            raise ApiError(CONTACT_NOT_FOUND)
        return _encrypted_blob()

    def portal_token(self, uid: object) -> str:
        """
        Make up what lets a contact into the portal, another one each time.

        Raises ApiError 1003 or 55031; `uid` is compared exactly.

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
        Answer the contact whose portal this token opens, if it is there still.

        That it opens it more than once is a guess.
        """
        with self._lock:
            uid = self._visitors.get(token)
            return next((each for each in self.contacts if each.uid == uid), None)

    def _new_mail(self, contact: SandboxContact) -> Mail:
        now = _now()
        return Mail(
            recipient=contact.email,
            code=f"{secrets.randbelow(10**6):06d}",
            sent_at=now,
            expires_at=now + timedelta(seconds=self.code_lifetime),
        )

    def _is_good(self, mail: Mail, typed: str) -> bool:
        is_fresh = self.switches.reuse_codes or not mail.used
        return is_fresh and _now() < mail.expires_at and same(typed, mail.code)


def _now() -> datetime:
    return datetime.now(UTC)


def _encrypted_blob() -> str:
    """Imitate Laravel's `encrypt()`: as long as the vendor's sample, and as opaque."""
    blob = {
        "iv": _base64(secrets.token_bytes(16)),
        "value": _base64(secrets.token_bytes(96)),
        "mac": secrets.token_hex(32),
        "tag": _base64(secrets.token_bytes(16)),
    }
    return _base64(json.dumps(blob, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
