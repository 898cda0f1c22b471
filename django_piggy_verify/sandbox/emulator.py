"""
Emulate the state and the rules of the remote API, without HTTP and Django.

Source: the contact verification page of the Piggy API v3. Some rules are not on that
page. They are guesses, and their docstrings say so.
"""

from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from threading import RLock

from django_piggy_verify.sandbox.blocks import Blocks
from django_piggy_verify.sandbox.errors import (
    CONTACT_NOT_FOUND,
    PASSCODE_NOT_FOUND,
    ApiError,
)
from django_piggy_verify.sandbox.fields import same, text_of
from django_piggy_verify.sandbox.grants import PREFIX, Grants
from django_piggy_verify.sandbox.mailbox import Mailbox
from django_piggy_verify.sandbox.people import People
from django_piggy_verify.sandbox.portals import Portals, encrypted_blob
from django_piggy_verify.sandbox.records import Call, Mail, SandboxContact, Verdict
from django_piggy_verify.sandbox.sessions import Sessions
from django_piggy_verify.sandbox.switches import Switches
from django_piggy_verify.sandbox.users import SandboxUser, Users

CALLS_KEPT = 2000


class Sandbox:
    """
    An emulated remote API with contacts, a mailbox and switches.

    All methods are thread-safe. With `api_key=None`, every bearer token that is not
    blank is valid. Access tokens from the token endpoint are valid too.
    `code_lifetime` is in seconds. So are `grant_lifetime`, for the tokens of the token
    endpoint, and `token_lifetime`, for the access tokens of Punchh and of the users of
    Transmit. `users` has these users. You may change the lifetimes, and
    `api_key`, at any time. `announce` is called with each mail and text, outside the
    lock, in the thread that sends it.
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
        self.token_lifetime = 1800.0
        self.switches = Switches()
        self.mailbox = Mailbox()
        self.people = People()
        self.users = Users()
        self.sessions: Sessions[int] = Sessions()
        self.blocks = Blocks()
        self.client_id = client_id
        self.client_secret = client_secret
        self._announce = announce
        self._lock = RLock()
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self._grants = Grants()
        self._portals = Portals()

    # Methods for tests and for the mailbox page

    def add_contact(
        self, email: str = "", uid: str | None = None, *, phone: str = ""
    ) -> SandboxContact:
        """
        Give a contact the address `email`, the number `phone` or both, and return it.

        Without a `uid`, an existing contact with this address or number stays. With
        another `uid`, they move to that contact, and the contact that had them is
        removed. If a contact with this `uid` exists, it loses its old address. A change
        makes codes invalid that were sent before.
        """
        with self._lock:
            before = set(self.contacts)
            contact = self.people.add(email, phone, uid)
            if contact not in before:
                for changed in {contact} | (before - set(self.contacts)):
                    self._forget_codes(changed)
            return contact

    def remove_contact(self, recipient: str) -> None:
        """
        Delete the contact with an address or number, and the codes of the contact.

        An unknown address or number is no error.
        """
        with self._lock:
            self.mailbox.forget_codes(recipient)
            if contact := self.people.with_recipient(recipient):
                self._forget_codes(contact)
                self.people.remove(contact)

    def set_points(self, recipient: str, points: object) -> None:
        """
        Set the points of the contact with an address or number.

        `points` may be any value that JSON has, so that tests can try odd values. A new
        contact has 0 points. Raises LookupError if there is no such contact.
        """
        self.people.set_points(recipient, points)

    @property
    def contacts(self) -> tuple[SandboxContact, ...]:
        """All contacts, oldest first."""
        return self.people.all

    @property
    def mails(self) -> tuple[Mail, ...]:
        """The latest mails and texts, newest first, also those to deleted contacts."""
        return self.mailbox.mails

    @property
    def calls(self) -> tuple[Call, ...]:
        """The latest requests, oldest first."""
        with self._lock:
            return tuple(self._calls)

    def last_code(self, recipient: str) -> str:
        """
        Return the newest code that was sent to an address or number.

        Raises LookupError if there is none, or if a link was sent after it.
        """
        mail = self.mailbox.newest(recipient)
        if mail is None or mail.link:
            raise LookupError("no code was sent to this address or number")
        return mail.code

    def last_link(self, recipient: str) -> str:
        """
        Return the link in the newest mail to an address.

        Raises LookupError if there is none.
        """
        mail = self.mailbox.newest(recipient)
        if mail is None or not mail.link:
            raise LookupError("no link was sent to this address")
        return mail.link

    def sign_in(self, uid: str) -> str:
        """
        Return a new access token of the user of Transmit with this id.

        An unknown user is created. If it has the `transmit_uid` of a contact, it gets
        the address and the number of the contact. They are not verified.
        """
        with self._lock:
            if not self.users.with_uid(uid):
                contact = self.people.with_transmit_uid(uid)
                self.users.put(SandboxUser.of(uid, contact))
        return self.users.new_token(uid, self.token_lifetime)

    def revoke_grants(self) -> None:
        """Refuse all access tokens that the token endpoint has issued."""
        self._grants.clear()

    def reset(self) -> None:
        """Delete all data, and turn all switches off."""
        with self._lock:
            self.switches = Switches()
            for memory in (self._grants, self._calls, self._portals, self.blocks):
                memory.clear()
            for part in (self.people, self.users, self.mailbox, self.sessions):
                part.clear()

    # Methods for `api` and `views`

    def record(self, call: Call) -> None:
        """Store a request."""
        with self._lock:
            self._calls.append(call)

    def accepts(self, bearer: str) -> bool:
        """Return whether a bearer token is valid now."""
        if bearer.startswith(PREFIX):
            return self._grants.has(bearer)
        if self.api_key is None:
            return bool(bearer)
        return same(bearer, self.api_key)

    def take_failing_profile(self) -> bool:
        """Count a profile call. Return whether the switch lets the call fail."""
        with self._lock:
            failing = self.switches.failing_profiles
            self.switches.failing_profiles = max(0, failing - 1)
            return failing > 0

    def knows_client(self, client_id: object) -> bool:
        """Return whether this is the id of the client."""
        return same(client_id, self.client_id)

    def grant(self, client_id: object, client_secret: object) -> str | None:
        """Return a new access token, or `None` for an unknown client."""
        # Both are compared, so that the duration does not depend on the first one.
        is_known = self.knows_client(client_id)
        if not is_known & same(client_secret, self.client_secret):
            return None
        return self._grants.new(self.grant_lifetime)

    def send(self, email: object) -> Mail:
        """
        Mail a code to a contact. Earlier codes of the contact become invalid.

        The vendor's page does not say that a code has six digits and that only the
        newest code is valid. Both are guesses. Raises ApiError 1003 or 55031.

        Source: POST contact-verification/send, Piggy API v3.
        """
        address = text_of(email)
        contact = self.people.with_email(address)
        if contact is None:
            raise ApiError(CONTACT_NOT_FOUND)
        return self.send_to_anybody(contact.email)

    def send_to_anybody(
        self, recipient: str, request: Mapping[str, object] | None = None
    ) -> Mail:
        """
        Send a code to an address or number, with or without a contact.

        Earlier codes become invalid. The mail keeps the fields of the `request`.
        """
        mail = self.new_mail(recipient, request)
        self.deliver(mail)
        return mail

    def new_mail(
        self, recipient: str, request: Mapping[str, object] | None = None
    ) -> Mail:
        """Return a mail or text with a new code, which is not sent yet."""
        return Mail.new(recipient, self.code_lifetime, request)

    def deliver(self, mail: Mail) -> None:
        """Send a mail or text. Earlier codes of its recipient become invalid."""
        self.mailbox.add(mail)
        if self._announce:
            self._announce(mail)

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
            contact = self.people.with_email(address)
            if contact is None or self.judge(address, typed) != Verdict.RIGHT:
                raise ApiError(PASSCODE_NOT_FOUND)
            return contact

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
        if not self.people.with_uid(uid):
            raise ApiError(CONTACT_NOT_FOUND)
        return encrypted_blob()

    def portal_token(self, uid: object) -> str:
        """
        Return a new token for the portal, a different one each time.

        `uid` is compared exactly. Raises ApiError 1003 or 55031.

        Source: GET contacts-portal/auth-url, Piggy API v3.
        """
        wanted = text_of(uid)
        if not self.people.with_uid(wanted):
            raise ApiError(CONTACT_NOT_FOUND)
        return self._portals.open(wanted)

    def contact(self, uid: object) -> SandboxContact:
        """
        Return the contact with this id.

        `uid` is compared exactly. Raises ApiError 1003 or 55031.

        Source: GET contacts/{uuid}, Piggy API v3.
        """
        contact = self.people.with_uid(text_of(uid))
        if contact is None:
            raise ApiError(CONTACT_NOT_FOUND)
        return contact

    def visitor(self, token: str) -> SandboxContact | None:
        """
        Return the contact whose portal this token opens, or None.

        It is a guess that a token works more than once.
        """
        return self.people.with_uid(self._portals.uid_of(token))

    def _forget_codes(self, contact: SandboxContact) -> None:
        for recipient in (contact.email, contact.phone):
            self.mailbox.forget_codes(recipient)
