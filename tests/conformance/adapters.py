"""
What the conformance suite has to know of each vendor.

To hold your own provider to the suite, write an `Adapter` for its vendor. Either add it
to `ADAPTERS`, or name it in the environment variable ``CONFORMANCE_ADAPTER``, such as
``shop.conformance.ADAPTER``.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from django.utils.module_loading import import_string

from tests.http.hostile import CODE, KEY, TOKEN
from tests.steps import ADDRESS, STRANGER

Reply = tuple[int, object]
"""A status and what the JSON body says."""


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
    SEND_REFUSED = "refused"
    """As `SEND_UNAVAILABLE`, but an operator has to act: our key is refused."""

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
    BLANK = "form error"
    """The form says that the code is missing. The vendor is not asked."""
    REPEATED = "redirected only"
    """As at the first POST of this code, but nobody is logged in by it."""


def each(outcome: Outcome, *statuses: int) -> dict[int, Outcome]:
    """Return this outcome for each of these statuses."""
    return dict.fromkeys(statuses, outcome)


OVERLOADED = each(Outcome.SEND_UNAVAILABLE, 429, 502, 503, 504)
"""Failures of a send that can be shown, because they affect every address alike."""


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

    address_field: str = "email"
    """The member of both bodies that has the address."""

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
    """Return the answer to a right code. The argument is the address.

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

    Each has the call, which is "send" or "check", the answer and what it means.
    """

    stranger: Reply | None = None
    """The answer to a send to an address that the vendor does not know.

    None if the vendor sends codes to every address.
    """

    more: Mapping[str, object] = field(default_factory=dict)
    """The answers to other calls. A key is the beginning of a path."""

    error_body: object = field(
        default_factory=lambda: {"message": f"Oeps {CODE}", "errors": [TOKEN]}
    )
    """The JSON body of an error that says no more than its status. It has secrets."""

    send_errors: Mapping[int, Outcome]
    """The outcome of a send for each error status. The default is `LOOKS_SENT`.

    A failure that may depend on the address must not be shown.
    """

    check_errors: Mapping[int, Outcome]
    """The outcome of a check for each error status without `error_body`.

    Any other status is `CHECK_UNAVAILABLE`.
    """

    check_errors_with_body: Mapping[int, Outcome] | None = None
    """The same for errors with `error_body`. None if the body makes no difference."""

    def send_outcome(self, status: int) -> Outcome:
        """Return what a send means by a status."""
        return self.send_errors.get(status, Outcome.LOOKS_SENT)

    def check_outcome(self, status: int, *, has_body: bool) -> Outcome:
        """Return what a check means by a status."""
        errors = self.check_errors
        if has_body and self.check_errors_with_body is not None:
            errors = self.check_errors_with_body
        return errors.get(status, Outcome.CHECK_UNAVAILABLE)


def _piggy_error(number: int) -> Reply:
    return 400, {"message": f"Oeps {CODE}", "code": number}


_PIGGY_REFUSALS = (1053, 3000, 7002, 7011, 55032)
_REFUSED = {"send": Outcome.SEND_REFUSED, "check": Outcome.CHECK_REFUSED}
PIGGY = Adapter(
    name="piggy",
    provider="django_piggy_verify.providers.piggy.PiggyProvider",
    options={"name": "other-piggy"},
    send_path="contact-verification/send",
    check_path="contact-verification/verify",
    code_field="code",
    sent=lambda _: (200, {"data": {"type": "Success", "message": "Sent."}, "meta": []}),
    proved=lambda address: (200, {"data": {"uuid": address.partition("@")[0]}}),
    wrong=_piggy_error(13010),
    used=_piggy_error(13010),
    expired=_piggy_error(13010),
    stranger=_piggy_error(55031),
    misshapen={
        "no uuid": {"data": {}},
        **{
            f"uuid {name}": {"data": {"uuid": value}}
            for name, value in {
                "a number": 17,
                "blank": "",
                "too long": "a" * 65,
                "of dots": "..",
                "with a slash": "a/b",
            }.items()
        },
    },
    extra={
        f"{call}: error {number}": (call, _piggy_error(number), outcome)
        for call, outcome in _REFUSED.items()
        for number in _PIGGY_REFUSALS
    },
    more={"contact-verification/auth-token": {"data": {"auth_token": TOKEN}}},
    send_errors={**each(Outcome.SEND_REFUSED, 401, 403), **OVERLOADED},
    check_errors=each(Outcome.CHECK_REFUSED, 401, 403),
)


_LOGINS = count()
_VERIFIK_WORDS = (
    *("otp_does_not_match", "email_validation_not_found"),
    *("emailValidation_has_expired", "EMAIL_VALIDATION_NOT_FOUND"),
    *("INVALID_CODE", "CODE_EXPIRED", "MAX_ATTEMPTS_EXCEEDED"),
)
_VERIFIK_MISSHAPEN: Mapping[str, Mapping[str, object]] = {
    "email of somebody else": {"email": STRANGER},
    "type of no login": {"type": "validation"},
    "appLogin pending": {"appLogin": {"status": "pending"}},
    "appLogin a list": {"appLogin": [{"status": "validated"}]},
    "no appLogin": {"appLogin": None},
    "no token": {"token": None},
    "token a number": {"token": 17},
}
_MISSING = (409, {"code": "MissingParameter", "message": f"missing {CODE}"})


def _verifik_login(address: str, **changes: object) -> Reply:
    content = {"email": address, "type": "login", "token": TOKEN}
    login = {"_id": str(next(_LOGINS)), "status": "validated"}
    data = {**content, "appLogin": login, **changes}
    return 200, {"data": {name: value for name, value in data.items() if value}}


_PROJECT, _FLOW = "674de8df1c1ba80a3b8dc5a1", "674de8df1c1ba80a3b8dc5a2"
VERIFIK = Adapter(
    name="verifik",
    provider="django_piggy_verify.providers.verifik.VerifikProvider",
    options={"name": "other-verifik", "project": _PROJECT, "flow": _FLOW},
    send_path="email-validations",
    check_path="email-validations/validate",
    code_field="otp",
    required={
        "project": _PROJECT,
        "projectFlow": _FLOW,
        "validationMethod": "verificationCode",
        "type": "login",
    },
    make_code=lambda number: f"04207{number:03}",
    sent=lambda code: (201, {"data": {"status": "sent", "otp": code}}),
    proved=_verifik_login,
    token_seconds=3600,
    hint=(
        "face_liveness",
        _verifik_login(ADDRESS, showFaceLivenessRecommendation=True),
    ),
    wrong=(403, {"code": "otp_does_not_match", "message": "403:otp_does_not_match"}),
    used=(404, {"code": "email_validation_not_found", "message": "404"}),
    expired=(412, {"code": "emailValidation_has_expired", "message": "412"}),
    misshapen={
        name: _verifik_login(ADDRESS, **changes)[1]
        for name, changes in _VERIFIK_MISSHAPEN.items()
    },
    second_factor=(200, {"data": {"message": f"Authenticator {TOKEN}"}}),
    extra={
        "send: MissingParameter": ("send", _MISSING, Outcome.LOOKS_SENT),
        "check: MissingParameter": ("check", _MISSING, Outcome.CHECK_REFUSED),
        **{
            f"check: {word}, 401": ("check", (401, {"code": word}), Outcome.REJECTED)
            for word in _VERIFIK_WORDS
        },
    },
    send_errors={**each(Outcome.SEND_REFUSED, 401), **OVERLOADED},
    check_errors=each(Outcome.CHECK_REFUSED, 401),
    check_errors_with_body={
        **each(Outcome.CHECK_REFUSED, 401),
        **each(Outcome.REJECTED, 400, 403, 404, 409, 410, 412),
    },
)

ADAPTERS: list[Adapter] = [PIGGY, VERIFIK]
if _path := os.environ.get("CONFORMANCE_ADAPTER"):
    ADAPTERS.append(import_string(_path))
