"""
What the conformance suite has to know of each vendor.

To hold your own provider to the suite, write an `Adapter` for its vendor. Either add it
to `ADAPTERS`, or name it in the environment variable ``CONFORMANCE_ADAPTER``, such as
``shop.conformance.ADAPTER``.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import count

from django.utils.module_loading import import_string

from tests.http.hostile import CLIENT_SECRET, CODE, KEY, TOKEN, Request
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

    The visitor ticks all of them. ``PIGGY_VERIFY_CONSENTS`` must be in `settings`.
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
    more={
        "contact-verification/auth-token": lambda _: (
            200,
            {"data": {"auth_token": TOKEN}},
        )
    },
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


def _punchh_error(status: int, word: str, text: str = CODE) -> Reply:
    return status, {"errors": {word: [text]}}


def _punchh_tokens(recipient: str) -> Reply:
    """Answer with a token that names the person. The second call has only the token."""
    access = f"{TOKEN}-{recipient.removeprefix('+').partition('@')[0]}"
    tokens = {"access_token": access, "refresh_token": f"{TOKEN}-refresh"}
    return 200, {"data": {**tokens, "token_type": "Bearer", "expires_in": 1800}}


def _punchh_profile(request: Request) -> Reply:
    """Return an id that is made of the token."""
    bearer = request.headers["authorization"].removeprefix("Bearer ")
    return 200, {"user": {"user_id": int.from_bytes(bearer.encode()[-6:])}}


_PROFILE = "api2/mobile/users/profile"
_NAMES = {_PROFILE: "person"}
_VERDICTS = each(Outcome.REJECTED, 400, 401, 403, 404, 409, 410, 422)
_TERMS = _punchh_error(422, "terms", "Please agree on given terms and conditions")
_OURS = {
    word: _punchh_error(status, word)
    for word, status in {
        "unknown_client": 401,
        "invalid_signature": 412,
        "missing_required_param": 400,
    }.items()
}
_BLOCKED = (403, b"<!DOCTYPE html><title>Attention required</title>")
PUNCHH_BY_EMAIL = Adapter(
    name="punchh-email",
    provider="django_piggy_verify.providers.punchh.PunchhProvider",
    options={"name": "other-punchh"},
    settings={
        "PIGGY_VERIFY_CLIENT_ID": "shop",
        "PIGGY_VERIFY_CLIENT_SECRET": CLIENT_SECRET,
        "PIGGY_VERIFY_SMS_COUNTRIES": ("NL", "BE", "DE"),
        "PIGGY_VERIFY_CONSENTS": {
            "terms": {"url": "/terms/", "version": "1"},
            "privacy": {"url": "/privacy/", "version": "1"},
        },
    },
    consents=("terms", "privacy"),
    send_path="api2/password_less/token",
    check_path="api2/password_less/verify",
    code_field="token",
    headers={"user-agent": "Punchh/OnlineOrder/1.0/Web/Server/Python"},
    required={
        "client": "shop",
        "terms_and_conditions": True,
        "privacy_policy": True,
    },
    hidden=("code_verifier", "code_challenge"),
    sent=lambda _: (200, {"data": {"message": ["Sent."]}}),
    proved=_punchh_tokens,
    token_seconds=1800,
    more={_PROFILE: _punchh_profile},
    second_call=_PROFILE,
    wrong=_punchh_error(422, "invalid_otp"),
    used=_punchh_error(422, "invalid_otp"),
    expired=_punchh_error(422, "invalid_otp"),
    misshapen={
        "no data": {"access_token": TOKEN},
        "data a list": {"data": [{"access_token": TOKEN}]},
        "no token": {"data": {"refresh_token": TOKEN}},
        "token a number": {"data": {"access_token": 17}},
        "token blank": {"data": {"access_token": ""}},
        "tokens of another grant": {"data": {"oauth_token": TOKEN}},
    },
    nobody={
        "no user": {"user_id": 17},
        "no id": {"user": {"email": ADDRESS}},
        "id a text": {"user": {"user_id": "17"}},
        "id true": {"user": {"user_id": True}},
        "id zero": {"user": {"user_id": 0}},
        "id negative": {"user": {"user_id": -17}},
        "id a fraction": {"user": {"user_id": 17.0}},
    },
    extra={
        "send: no such address": (
            "send",
            _punchh_error(422, "invalid_email_format"),
            Outcome.RECIPIENT_REFUSED,
        ),
        "send: no such number": (
            "send",
            _punchh_error(422, "invalid_phone_format"),
            Outcome.RECIPIENT_REFUSED,
        ),
        "send: consent": ("send", _TERMS, Outcome.CONSENT_MISSING),
        "check: consent": ("check", _TERMS, Outcome.CHECK_LACKS_CONSENT),
        "send: blocked": ("send", _BLOCKED, Outcome.SEND_UNAVAILABLE),
        "check: blocked": ("check", _BLOCKED, Outcome.CHECK_UNAVAILABLE),
        "check: success with an error": (
            "check",
            _punchh_error(200, "invalid_otp"),
            Outcome.REJECTED,
        ),
        # Some errors of the vendor are a list of texts. So this may be a wrong code.
        "check: list": ("check", (200, [{"code": CODE}, TOKEN]), Outcome.REJECTED),
        "person: deactivated": (
            _PROFILE,
            _punchh_error(403, "deactivated_user"),
            Outcome.LOGIN_REFUSED,
        ),
        **{
            f"{_NAMES.get(call, call)}: {word}": (call, reply, outcome)
            for call, outcome in {
                **_REFUSED,
                _PROFILE: Outcome.CODE_SPENT_REFUSED,
            }.items()
            for word, reply in _OURS.items()
        },
    },
    error_body={"errors": {"other": [f"Oeps {CODE} {TOKEN}"]}},
    send_errors=OVERLOADED | each(Outcome.SEND_UNAVAILABLE, 403),
    send_errors_with_body=OVERLOADED | each(Outcome.SEND_REFUSED, 403),
    check_errors={},
    check_errors_with_body=_VERDICTS,
)


def _number_of(body: Mapping[str, str]) -> str:
    return body["phone_ext"] + body["phone_number"]


PUNCHH_BY_PHONE = replace(
    PUNCHH_BY_EMAIL, name="punchh-phone", people=BY_PHONE, recipient_of=_number_of
)

ADAPTERS: list[Adapter] = [PIGGY, VERIFIK, PUNCHH_BY_EMAIL, PUNCHH_BY_PHONE]
if _path := os.environ.get("CONFORMANCE_ADAPTER"):
    ADAPTERS.append(import_string(_path))
