"""
What the conformance suite has to know of each vendor.

To hold your own provider to the suite, write an `Adapter` for its vendor. Either add it
to the list in `test_vendors`, or name it in the environment variable
``CONFORMANCE_ADAPTER``, such as ``shop.conformance.ADAPTER``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.conformance.outcomes import Outcome
from tests.conformance.pages import BY_LINK, CONNECT, LOGIN, Pages
from tests.http.hostile import CODE, KEY, TOKEN, Request
from tests.steps import ADDRESS, BOB, STRANGER

Reply = tuple[int, object]
"""A status and what the JSON body says. The content may also be bytes."""


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
    """The path of the call that checks a code, or the beginning of this path."""

    code_field: str
    """The member of the JSON body of a check that has the code.

    It is blank if the vendor mails links. Then a check has no body, and the vendor
    answers with `proved` after a link was followed, and with `wrong` before that.
    """

    can_log_in: bool = True
    """Whether users can log in with the provider. They can connect contacts anyway."""

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

    check_headers: Mapping[str, str] = field(default_factory=dict)
    """The headers of a check that differ from those of the other calls."""

    required: Mapping[str, object] = field(default_factory=dict)
    """The further members that the body of a send and of a check must have."""

    required_at: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """By call, "send" or "check", the members that only the body of this call has."""

    make_code: Callable[[int], str] = lambda number: f"{CODE}{number}"
    """Return the code with a number, which is below 1000.

    The suite looks for the codes in every log, page and frame. So each code needs a
    text that is nowhere else by chance: a word, or sixteen digits. Each record of the
    log has many digits, so eight of them are found there now and then.
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
    def pages(self) -> Sequence[Pages]:
        """The pages on which the cases are played."""
        if self.is_by_link:
            return [BY_LINK]
        return [LOGIN, CONNECT] if self.can_log_in else [CONNECT]

    @property
    def is_by_link(self) -> bool:
        """Whether the vendor mails links."""
        return not self.code_field

    @property
    def wants_access(self) -> bool:
        """Whether the provider wants the access of a user to the vendor."""
        return "PIGGY_VERIFY_USER_ACCESS" in self.settings

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
