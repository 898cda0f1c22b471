"""Play Punchh: codes by e-mail and text message, consents, and a second call."""

from collections.abc import Mapping
from dataclasses import replace

from tests.conformance.adapters import BY_PHONE, Adapter, Reply
from tests.conformance.outcomes import OVERLOADED, REFUSED, Outcome, each
from tests.http.hostile import CLIENT_SECRET, CODE, TOKEN, Request
from tests.steps import ADDRESS


def _error(status: int, word: str, text: str = CODE) -> Reply:
    return status, {"errors": {word: [text]}}


def _tokens(recipient: str) -> Reply:
    """Return an answer whose token names the person, for the call of the profile."""
    access = f"{TOKEN}-{recipient.removeprefix('+').partition('@')[0]}"
    tokens = {"access_token": access, "refresh_token": f"{TOKEN}-refresh"}
    return 200, {"data": {**tokens, "token_type": "Bearer", "expires_in": 1800}}


def _profile(request: Request) -> Reply:
    """Return an id that is made of the token."""
    bearer = request.headers["authorization"].removeprefix("Bearer ")
    return 200, {"user": {"user_id": int.from_bytes(bearer.encode()[-6:])}}


_PROFILE = "api2/mobile/users/profile"
_NAMES = {_PROFILE: "person"}
_VERDICTS = each(Outcome.REJECTED, *(set(range(400, 500)) - {429}))
_TERMS = _error(422, "terms", "Please agree on given terms and conditions")
_OURS = {
    word: _error(status, word)
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
    proved=_tokens,
    token_seconds=1800,
    more={_PROFILE: _profile},
    second_call=_PROFILE,
    wrong=_error(422, "invalid_otp"),
    used=_error(422, "invalid_otp"),
    expired=_error(422, "invalid_otp"),
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
            _error(422, "invalid_email_format"),
            Outcome.RECIPIENT_REFUSED,
        ),
        "send: no such number": (
            "send",
            _error(422, "invalid_phone_format"),
            Outcome.RECIPIENT_REFUSED,
        ),
        "send: consent": ("send", _TERMS, Outcome.CONSENT_MISSING),
        "check: consent": ("check", _TERMS, Outcome.CHECK_LACKS_CONSENT),
        "send: blocked": ("send", _BLOCKED, Outcome.SEND_BLOCKED),
        "send: deactivated": (
            "send",
            _error(403, "deactivated_user"),
            Outcome.STRANGER,
        ),
        "check: blocked": ("check", _BLOCKED, Outcome.CHECK_UNAVAILABLE),
        "check: success with an error": (
            "check",
            _error(200, "invalid_otp"),
            Outcome.REJECTED,
        ),
        # Some errors of the vendor are a list of texts. So this may be a wrong code.
        "check: list": ("check", (200, [{"code": CODE}, TOKEN]), Outcome.REJECTED),
        "person: deactivated": (
            _PROFILE,
            _error(403, "deactivated_user"),
            Outcome.LOGIN_REFUSED,
        ),
        **{
            f"{_NAMES.get(call, call)}: {word}": (call, reply, outcome)
            for call, outcome in {
                **REFUSED,
                _PROFILE: Outcome.CODE_SPENT_REFUSED,
            }.items()
            for word, reply in _OURS.items()
        },
    },
    error_body={"errors": {"other": [f"Oeps {CODE} {TOKEN}"]}},
    send_errors=OVERLOADED | each(Outcome.SEND_BLOCKED, 403, 429),
    send_errors_with_body={
        **OVERLOADED,
        **each(Outcome.SEND_REFUSED, 403),
        **each(Outcome.SEND_BLOCKED, 429),
    },
    check_errors={},
    check_errors_with_body=_VERDICTS,
)


def _number_of(body: Mapping[str, str]) -> str:
    return body["phone_ext"] + body["phone_number"]


PUNCHH_BY_PHONE = replace(
    PUNCHH_BY_EMAIL, name="punchh-phone", people=BY_PHONE, recipient_of=_number_of
)
