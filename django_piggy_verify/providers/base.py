"""
The interface of a verification vendor: send a code, and check a code.

A provider is one module that knows its vendor's paths, fields and error numbers.
It gets no request and uses no database.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, Self, runtime_checkable

from django_piggy_verify import recipients
from django_piggy_verify.exceptions import ProviderUnavailable
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel

LONGEST_UID: Final = 64
"""Characters of `Contact.uid`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The facts about a visitor that a provider may tell the vendor."""

    address: str = field(default="", repr=False)
    """The client address: IPv4 or IPv6, without a port.

    It is blank without the trait `wants_client_address`, without a request, and if the
    client address cannot be read.
    """

    device: str = field(default="", repr=False)
    """An id of the browser: 32 hexadecimal digits, the same at each login with it.

    It is blank without the trait `wants_device`. Without a request, it is made of the
    recipient.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAccess:
    """The access of a logged-in user to the vendor, from the project's own login there.

    ``PIGGY_VERIFY_USER_ACCESS`` returns it, with the trait `wants_user_access`.
    """

    uid: str
    """The vendor's id of the user, such as the validated ``sub`` of an id token."""

    token: Secret = field(repr=False)
    """The access token. A text is wrapped."""

    def __post_init__(self) -> None:
        if isinstance(self.token, str):
            object.__setattr__(self, "token", Secret(self.token))


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A code or a link that is to be sent, or is on its way."""

    recipient: str
    """The address or the number of the person, as `recipients.normalise` spells it."""

    visitor: Visitor | None = None
    """The facts that the traits `wants_client_address` and `wants_device` ask for.

    It is None if there are none, for example without a request.
    """

    consents: frozenset[str] = frozenset()
    """The kinds of consents that the person has given, such as "terms"."""

    state: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    """The values that a `Stateful` provider needs again at the check."""

    access: UserAccess | None = None
    """The access of the user who asks, with the trait `wants_user_access`."""

    return_url: str = ""
    """The absolute URL of the page for a link to lead back to, if links are mailed."""

    @property
    def channel(self) -> Channel:
        """Whether the recipient is an address (`EMAIL`) or a number (`SMS`)."""
        return recipients.channel_of(self.recipient)

    @property
    def is_of_user(self) -> bool:
        """Whether the user of `access` has asked for the send: see `Stateful`."""
        return self.access is not None and self.state.get("uid") == self.access.uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The contact that a right code or a followed link has proved."""

    provider: str
    """The provider's `name`. It keeps the ids of different providers apart."""

    uid: str
    """The provider's stable id of the contact: opaque text, compared exactly.

    It has 1 to 64 printable characters."""

    email: str = ""
    """The address that was proved, or a blank text."""

    phone: str = ""
    """The number that was proved, in E.164 form, or a blank text."""

    @classmethod
    def of(cls, recipient: str, *, provider: str, uid: str) -> Self:
        """Return the identity of a contact whose address or number was proved."""
        is_number = recipients.channel_of(recipient) is Channel.SMS
        proved = {"phone" if is_number else "email": recipient}
        return cls(provider=provider, uid=uid, **proved)

    @property
    def recipient(self) -> str:
        """The address or the number that was proved."""
        return self.email or self.phone


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """An auth token that came with a right code, or in exchange for a refresh token."""

    access: Secret
    """The token: printable ASCII."""

    expires_in: int | None = None
    """Seconds until it expires. With None, ``PIGGY_VERIFY_AUTH_TOKEN_TTL`` decides."""

    refresh: Secret | None = None
    """A token that a `TokenRefresher` exchanges for the next one, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """
    What a right code proved, and what came with it.

    Signals carry the identity only, because it has no tokens.
    """

    identity: Identity
    """The contact."""

    tokens: TokenSet | None = None
    """The contact's auth token, if the vendor answers a right code with one."""

    hint: str = ""
    """A word of the vendor for a further check that it recommends, or a blank text."""

    @classmethod
    def of(cls, found: "Identity | Proof") -> "Proof":
        """
        Return `found` as a proof.

        Raises TypeError for any other type. Raises ProviderUnavailable if the uid
        cannot tell one contact from all others. Then the code does not count as right.
        """
        proof = cls(identity=found) if isinstance(found, Identity) else found
        if not isinstance(proof, Proof):
            raise TypeError(f"no identity, but {type(proof).__name__}")
        if not is_uid(proof.identity.uid):
            raise ProviderUnavailable("the answer has no id of a contact")
        return proof


def is_uid(value: object) -> bool:
    """Return whether the value can be a `uid`: 1 to 64 printable characters."""
    is_text = isinstance(value, str) and value.isprintable() and value == value.strip()
    return is_text and 0 < len(str(value)) <= LONGEST_UID


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong with the settings of a provider."""

    text: str
    """The fact, in one sentence. It contains no secret."""

    hint: str
    """A way for the operator to solve the problem."""

    id: str
    """The system check: "E001" for the key, "E013" for the options."""


class Provider(Protocol):
    """A vendor that sends codes and checks them."""

    name: str
    """Stored beside each uid. Never change it for a vendor account in use."""

    def send_code(self, challenge: Challenge) -> Challenge:
        """
        Have one code sent to the recipient. This call is never repeated.

        Return the challenge, perhaps with more `state`. Raises ContactUnknown,
        ContactTaken, RecipientRefused, ConsentMissing, LoginRequired,
        ProviderUnavailable or ProviderRefused.
        """

    def check_code(self, challenge: Challenge, code: str) -> Identity | Proof:
        """
        Exchange a code for the identity of the contact that it was sent to.

        Return a proof if the vendor's answer has a token or a hint too. This call is
        never repeated. Raises CodeRejected if the code is wrong. Raises LoginRefused if
        it is right, but the vendor wants more than a code. Raises ConsentMissing if
        the vendor misses a consent. Raises ContactTaken if the recipient belongs to
        another user of the vendor. Raises LoginRequired if the user has to log in at
        the vendor again. Raises ProviderUnavailable or ProviderRefused if the code was
        not checked.
        """


@runtime_checkable
class LinkProvider(Protocol):
    """A vendor that mails a link, and knows whether the link was followed."""

    def send_link(self, challenge: Challenge) -> Challenge:
        """Have one link mailed, as `Provider.send_code` has a code sent."""

    def check_link(self, challenge: Challenge) -> Identity:
        """
        Ask the vendor whether the user has proved the address of the challenge.

        Raises CodeRejected if not. Raises LoginRequired, ProviderUnavailable or
        ProviderRefused without an answer.
        """


@runtime_checkable
class Examinable(Protocol):
    """
    A provider that can tell the system checks and the doctor about its settings.

    It may have two texts for the doctor. `refusal_hint` says what an operator can do if
    the vendor refuses a call. `send_condition` says what must be true before codes are
    sent. Only a code for a person can show whether it is true. The text ends the
    sentence "It is not known yet whether ...".
    """

    def problems(self) -> Iterator[Problem]:
        """Return what is wrong with the key and the options, without a call."""


@runtime_checkable
class TokenProvider(Protocol):
    """A vendor that also issues a token for each contact."""

    name: str
    """The same as in `Provider`."""

    def fetch_auth_token(self, uid: str) -> Secret:
        """
        Return a new auth token for the contact `uid`.

        Raises ContactUnknown, ProviderUnavailable or ProviderRefused.
        """


@runtime_checkable
class TokenRefresher(Protocol):
    """A vendor that renews a token in exchange for a refresh token."""

    name: str
    """The same as in `Provider`."""

    def refresh_auth_token(self, refresh: Secret) -> TokenSet:
        """
        Exchange a refresh token for new tokens. This call is never repeated.

        If the result has no refresh token, the old one stays valid. Raises
        LoginRequired if the vendor refuses the refresh token. Raises
        ProviderUnavailable or ProviderRefused without an answer about it.
        """


@runtime_checkable
class Stateful(Protocol):
    """A provider that must remember something from the send to the check."""

    def new_state(self, challenge: Challenge) -> Mapping[str, Secret]:
        """
        Return the state of a new challenge, without a call.

        The state is stored before the send, encrypted. All methods that send or check
        get it in `Challenge.state`. The newest send to a recipient counts.

        With the trait `wants_user_access`, the state should have the `uid` of the
        access. Then the newest send for this user counts, if there is one.
        """


@runtime_checkable
class TokenExaminer(Protocol):
    """A vendor whose auth-token answers have several shapes."""

    def examine_auth_token(self, uid: str) -> str:
        """
        Fetch a token as `TokenProvider` does, and return the shape in one word.

        Only `piggy_verify_doctor` calls it. Raises the same errors.
        """


@runtime_checkable
class PortalProvider(Protocol):
    """A vendor with a portal that a contact can open without another login."""

    name: str
    """The same as in `Provider`."""

    def fetch_portal_url(self, uid: str) -> Secret:
        """
        Return a URL that opens the portal with the contact `uid` logged in.

        The URL is a credential: keep it secret. It is plain ASCII, uses https, has a
        host and no user info.
        Raises ContactUnknown, ProviderUnavailable or ProviderRefused.
        """


@runtime_checkable
class ContactProvider(Protocol):
    """A vendor that tells us what it knows of a contact, such as the points."""

    name: str
    """The same as in `Provider`."""

    def fetch_contact(self, uid: str) -> Mapping[str, object]:
        """
        Return what the vendor knows of the contact `uid`, as the vendor spells it.

        The members may have any value that JSON has. They are personal data. Leave
        them as `calls.call` returns them, so that no traceback shows them.
        Raises ContactUnknown, ProviderUnavailable or ProviderRefused.
        """


@runtime_checkable
class MultiAccountProvider(Protocol):
    """A provider class that chooses one of several accounts when it is created."""

    @staticmethod
    def each_account() -> Iterator[str]:
        """
        Make each account the current one, and yield its name.

        The system checks and the doctor look at the key and the provider of each
        account. They call this method on the class.
        """
