"""
What the conformance suite has to know of each vendor.

To hold your own provider to the suite, write an `Adapter` for its vendor. Either add it
to the list in `test_vendors`, or name it in the environment variable
``CONFORMANCE_ADAPTER``, such as ``shop.conformance.ADAPTER``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.http.hostile import CODE, KEY, TOKEN, Request
from tests.steps import ADDRESS, BOB, STRANGER

Reply = tuple[int, object]
"""A status and what the JSON body says. The content may also be bytes."""


class Outcome(StrEnum):
    """How a case ends. `expectations` says what each outcome means."""

    SENT = "sent"
    """The code was sent."""
    LOOKS_SENT = "looks sent"
    """The pages say that the code was sent. Only the log has the failure."""
    STRANGER = "looks sent (stranger)"
    """The vendor does not know the address. The pages do not show this."""
    SEND_UNAVAILABLE = "unavailable"
    """The pages say that no code can be sent now. Nobody has to act."""
    SEND_BLOCKED = "blocked"
    """As `SEND_UNAVAILABLE`, but perhaps for this visitor only. Others get codes."""
    SEND_REFUSED = "refused"
    """As `SEND_UNAVAILABLE`, but an operator has to act: our key is refused."""
    RECIPIENT_REFUSED = "recipient refused"
    """The vendor sends nothing to this address or number. The first page says so."""
    CONSENT_MISSING = "consent missing"
    """The vendor misses a consent at the send. The first page asks for it."""
    CONSENT_REQUIRED = "form error (consent)"
    """The form says that a consent is missing. The vendor is not asked."""

    LOGGED_IN = "logged in"
    REJECTED = "rejected"
    """The vendor says that the code is wrong. This counts as a wrong code."""
    REJECTED_HERE = "rejected here"
    """The code was used before, so the vendor is not asked."""
    CHECK_UNAVAILABLE = "not checked"
    """The code was not checked, and may be typed again. Nobody has to act."""
    CHECK_REFUSED = "not checked, refused"
    """As `CHECK_UNAVAILABLE`, but an operator has to act: our key is refused."""
    LOGIN_REFUSED = "login refused"
    """The code is right, but the vendor wants more than a code."""
    CODE_SPENT = "code spent"
    """The code was right, but nobody knows whose. The page offers another code."""
    CODE_SPENT_REFUSED = "code spent, refused"
    """As `CODE_SPENT`, but an operator has to act: our key is refused."""
    CHECK_LACKS_CONSENT = "consent missing, check"
    """The vendor misses a consent at the check. The first page asks for it."""
    BLANK = "form error"
    """The form says that the code is missing. The vendor is not asked."""
    REPEATED = "redirected only"
    """As at the first POST of this code, but nobody is logged in by it."""


def each(outcome: Outcome, *statuses: int) -> dict[int, Outcome]:
    """Return this outcome for each of these statuses."""
    return dict.fromkeys(statuses, outcome)


OVERLOADED = each(Outcome.SEND_UNAVAILABLE, 429, 502, 503, 504)
"""Failures of a send that can be shown, because they affect every address alike."""

REFUSED = {"send": Outcome.SEND_REFUSED, "check": Outcome.CHECK_REFUSED}
"""The outcome of each call if our key is refused."""


@dataclass(frozen=True, kw_only=True)
class People:
    """The addresses or numbers of those who log in."""

    ann: str
    bob: str
    stranger: str

    def name_of(self, recipient: str) -> str:
        """Return the name of the person with this address or number."""
        return next(name for name, each in vars(self).items() if each == recipient)


BY_EMAIL = People(ann=ADDRESS, bob=BOB, stranger=STRANGER)
BY_PHONE = People(ann="+31612345678", bob="+32470123456", stranger="+4915123456789")


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """
    One vendor, as the suite plays it.

    The suite starts a server for the vendor. The server mails a code for each send, and
    accepts this code once. In the cases of failures, the server answers with a bare
    status, or breaks off the connection.
    """

    name: str
    """A word for the table, and for the ids of the tests."""

    provider: str
    """``PIGGY_VERIFY_PROVIDER``: the dotted path of the provider."""

    options: Mapping[str, object] = field(default_factory=dict)
    """``PIGGY_VERIFY_PROVIDER_OPTIONS``."""

    settings: Mapping[str, object] = field(default_factory=dict)
    """Other settings that the provider needs. Key, URL and time-out are set already."""

    send_path: str
    """The path of the call that sends a code, without ``PIGGY_VERIFY_BASE_URL``."""

    check_path: str
    """The path of the call that checks a code."""

    code_field: str
    """The member of the JSON body of a check that has the code."""

    people: People = BY_EMAIL
    """Those who log in. With `BY_PHONE`, they type numbers in place of addresses."""

    recipient_of: Callable[[Mapping[str, str]], str] = lambda body: body["email"]
    """Return the address or number that the JSON body of a send or a check names."""

    consents: Sequence[str] = ()
    """The kinds of consents that the provider asks for, such as "terms".

    The visitor ticks all of them. ``PIGGY_VERIFY_CONSENTS`` must be in `settings`. A
    check that lacks a consent must lack the first of them.
    """

    headers: Mapping[str, str] = field(
        default_factory=lambda: {"authorization": f"Bearer {KEY}"}
    )
    """The headers that every call must have, by lower-case name."""

    required: Mapping[str, object] = field(default_factory=dict)
    """The further members that the body of a send and of a check must have."""

    make_code: Callable[[int], str] = lambda number: f"{CODE}{number}"
    """Return the code with a number, which is below 1000.

    The suite looks for the codes in every log, page and frame. So each code needs a
    text that is nowhere else by chance, such as a word or eight digits.
    """

    sent: Callable[[str], Reply]
    """Return the answer to a send that succeeds. The argument is the code."""

    proved: Callable[[str], Reply]
    """Return the answer to a right code. The argument is the address or number.

    Answer with another id of the person for each address, if your vendor has such ids.
    If the answer has a token, use `tests.http.hostile.TOKEN`: the suite looks for it in
    every log, page and frame.
    """

    token_seconds: int | None = None
    """In how many seconds the token that comes with a right code expires.

    None if no token comes with it.
    """

    hint: tuple[str, Reply] | None = None
    """A hint of the provider, and the answer to a right code that leads to it."""

    wrong: Reply
    """The answer to a wrong code, and to an older code after a resend."""

    used: Reply
    """The answer to a code that was right before."""

    expired: Reply
    """The answer to a code that was mailed too long ago."""

    second_factor: Reply | None = None
    """The answer to a right code if the vendor wants more than a code.

    None if the vendor never wants more.
    """

    misshapen: Mapping[str, object] = field(default_factory=dict)
    """JSON bodies with the status 200 that answer a check, but are no login.

    By a word for the case. Each of them is `CHECK_UNAVAILABLE`.
    """

    extra: Mapping[str, tuple[str, Reply, Outcome]] = field(default_factory=dict)
    """Answers that only this vendor gives. The keys are the names of the cases.

    Each has the call, which is "send", "check" or a key of `more`, the answer and what
    it means.
    """

    stranger: Reply | None = None
    """The answer to a send to an address that the vendor does not know.

    None if the vendor sends codes to every address.
    """

    more: Mapping[str, Callable[[Request], Reply]] = field(default_factory=dict)
    """The answers to other calls. A key is the beginning of a path."""

    second_call: str = ""
    """The key in `more` of a call that the provider makes after a right code.

    It says who the person is. If its answer cannot be used, the code is spent.
    """

    nobody: Mapping[str, object] = field(default_factory=dict)
    """JSON bodies with the status 200 that answer the second call, but say nobody."""

    hidden: Sequence[str] = ()
    """The members of the bodies of both calls whose values no log may have."""

    error_body: object = field(
        default_factory=lambda: {"message": f"Oeps {CODE}", "errors": [TOKEN]}
    )
    """The JSON body of an error that says no more than its status. It has secrets."""

    send_errors: Mapping[int, Outcome]
    """The outcome of a send for each error status without `error_body`.

    Any other status is `LOOKS_SENT`. A failure that may depend on the address must not
    be shown.
    """

    send_errors_with_body: Mapping[int, Outcome] | None = None
    """The same for errors with `error_body`. None if the body makes no difference."""

    check_errors: Mapping[int, Outcome]
    """The outcome of a check for each error status without `error_body`.

    Any other status is `CHECK_UNAVAILABLE`.
    """

    check_errors_with_body: Mapping[int, Outcome] | None = None
    """The same for errors with `error_body`. None if the body makes no difference."""

    @property
    def is_by_phone(self) -> bool:
        """Whether the visitors type numbers."""
        return self.people is BY_PHONE

    def send_outcome(self, status: int, *, has_body: bool) -> Outcome:
        """Return what a send means by a status."""
        errors = self.send_errors
        if has_body and self.send_errors_with_body is not None:
            errors = self.send_errors_with_body
        return errors.get(status, Outcome.LOOKS_SENT)

    def check_outcome(self, status: int, *, has_body: bool) -> Outcome:
        """Return what a check means by a status."""
        errors = self.check_errors
        if has_body and self.check_errors_with_body is not None:
            errors = self.check_errors_with_body
        return errors.get(status, Outcome.CHECK_UNAVAILABLE)
