"""Play Verifik: errors have a word, and a token comes with a right code."""

from collections.abc import Mapping
from itertools import count

from tests.conformance.adapters import Adapter, Reply
from tests.conformance.outcomes import OVERLOADED, Outcome, each
from tests.http.hostile import CODE, TOKEN
from tests.steps import ADDRESS, STRANGER

_LOGINS = count()
_WORDS = (
    *("otp_does_not_match", "email_validation_not_found"),
    *("emailValidation_has_expired", "EMAIL_VALIDATION_NOT_FOUND"),
    *("INVALID_CODE", "CODE_EXPIRED", "MAX_ATTEMPTS_EXCEEDED"),
)
_MISSHAPEN: Mapping[str, Mapping[str, object]] = {
    "email of somebody else": {"email": STRANGER},
    "type of no login": {"type": "validation"},
    "appLogin pending": {"appLogin": {"status": "pending"}},
    "appLogin a list": {"appLogin": [{"status": "validated"}]},
    "no appLogin": {"appLogin": None},
    "no token": {"token": None},
    "token a number": {"token": 17},
}
_MISSING = (409, {"code": "MissingParameter", "message": f"missing {CODE}"})


def _login(address: str, **changes: object) -> Reply:
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
    make_code=lambda number: f"0420742074207{number:03}",
    sent=lambda code: (201, {"data": {"status": "sent", "otp": code}}),
    proved=_login,
    token_seconds=3600,
    hint=(
        "face_liveness",
        _login(ADDRESS, showFaceLivenessRecommendation=True),
    ),
    wrong=(403, {"code": "otp_does_not_match", "message": "403:otp_does_not_match"}),
    used=(404, {"code": "email_validation_not_found", "message": "404"}),
    expired=(412, {"code": "emailValidation_has_expired", "message": "412"}),
    misshapen={
        name: _login(ADDRESS, **changes)[1] for name, changes in _MISSHAPEN.items()
    },
    second_factor=(200, {"data": {"message": f"Authenticator {TOKEN}"}}),
    extra={
        "send: MissingParameter": ("send", _MISSING, Outcome.LOOKS_SENT),
        "check: MissingParameter": ("check", _MISSING, Outcome.CHECK_REFUSED),
        **{
            f"check: {word}, 401": ("check", (401, {"code": word}), Outcome.REJECTED)
            for word in _WORDS
        },
    },
    send_errors={**each(Outcome.SEND_REFUSED, 401), **OVERLOADED},
    check_errors=each(Outcome.CHECK_REFUSED, 401),
    check_errors_with_body={
        **each(Outcome.CHECK_REFUSED, 401),
        **each(Outcome.REJECTED, 400, 403, 404, 409, 410, 412),
    },
)
