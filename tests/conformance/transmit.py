"""Play Transmit: codes by e-mail and text message, and links. Nobody logs in by it."""

from collections.abc import Mapping
from dataclasses import replace

from django.http import HttpRequest

from django_piggy_verify.providers.base import UserAccess
from django_piggy_verify.secret import Secret
from tests.conformance.adapters import BY_PHONE, Adapter, Reply
from tests.conformance.outcomes import OVERLOADED, Outcome, each
from tests.http.hostile import CODE, KEY, TOKEN
from tests.steps import ADDRESS, BOB

_TOKEN = f"{TOKEN}-of-the-user"
_MESSAGE = "{otp} is your code for {app}."
_EMAIL = {"subject": "Your code"}
_PRIMARY = {"update_primary": True}


def _access(request: HttpRequest) -> UserAccess:
    return UserAccess(uid=f"user-{request.user.pk}", token=Secret(_TOKEN))


def _error(status: int, word: str) -> Reply:
    return status, {"message": [f"Oeps {CODE}"], "error_code": word}


_WRONG = _error(400, "auth_invalid_credentials")
_SEND_ERRORS = {
    **OVERLOADED,
    **each(Outcome.SEND_LACKS_LOGIN, 401),
    **each(Outcome.SEND_BLOCKED_REFUSED, 403),
    **each(Outcome.STRANGER, 404),
    **each(Outcome.SEND_TAKEN, 409),
}
_CHECK_ERRORS = {
    **each(Outcome.CHECK_LACKS_LOGIN, 401),
    **each(Outcome.CHECK_TAKEN, 409),
}
TRANSMIT_BY_EMAIL = Adapter(
    name="transmit-email",
    provider="django_piggy_verify.providers.transmit.TransmitProvider",
    options={
        "name": "other-transmit",
        "message": _MESSAGE,
        "sender_id": "Shop",
        "email_content": _EMAIL,
        **_PRIMARY,
    },
    settings={
        "PIGGY_VERIFY_USER_ACCESS": _access,
        "PIGGY_VERIFY_SMS_COUNTRIES": ("NL", "BE", "DE"),
    },
    send_path="v1/verification/otp/email/send",
    check_path="v1/verification/otp/email/validate",
    code_field="passcode",
    can_log_in=False,
    headers={"authorization": f"Bearer {_TOKEN}"},
    required_at={"send": {"email_content": _EMAIL}, "check": _PRIMARY},
    sent=lambda _: (200, {"message": "Email sent successfully"}),
    proved=lambda _: (200, {"result": True}),
    wrong=_WRONG,
    used=_WRONG,
    expired=_error(400, "auth_otp_passcode_expired"),
    stranger=_error(404, "not_found"),
    misshapen={
        f"result {name}": {"result": value}
        for name, value in {
            "a text": "true",
            "a number": 1,
            "false": False,
            "a URI": "https://shop.example/?result=true",
            "an object": {"result": True},
        }.items()
    },
    extra={
        "send: no message": ("send", (200, {"result": True}), Outcome.LOOKS_SENT),
        "check: locked": ("check", _error(403, "auth_locked"), Outcome.REJECTED),
    },
    error_body={"message": [f"Oeps {CODE} {TOKEN}"], "error_code": 400},
    send_errors=_SEND_ERRORS,
    check_errors=_CHECK_ERRORS | each(Outcome.REJECTED, 400, 403, 404),
    check_errors_with_body={
        **_CHECK_ERRORS,
        **each(Outcome.REJECTED, 400, 403, 404, 410, 412, 422),
    },
)


def _number_of(body: Mapping[str, str]) -> str:
    return body["phone_number"]


TRANSMIT_BY_PHONE = replace(
    TRANSMIT_BY_EMAIL,
    name="transmit-phone",
    people=BY_PHONE,
    recipient_of=_number_of,
    send_path="v1/verification/otp/sms/send",
    check_path="v1/verification/otp/sms/validate",
    required_at={
        "send": {"custom_message": _MESSAGE, "sender_id": "Shop"},
        "check": _PRIMARY,
    },
)


def _user(primary: str, *others: str, verified: object = True) -> Reply:
    """Return a profile in which the last address was verified, or was not."""
    emails: list[dict[str, object]] = [
        {"value": each, "email_verified": False} for each in (primary, *others)
    ]
    emails[-1]["email_verified"] = verified
    user = {"user_id": "17", "email": emails[0], "secondary_emails": emails[1:]}
    return 200, {"result": user}


_VERDICTS: Mapping[str, tuple[Reply, Outcome]] = {
    "verified in upper case": (_user(ADDRESS.upper()), Outcome.LOGGED_IN),
    "verified second": (_user(BOB, ADDRESS), Outcome.LOGGED_IN),
    "verified a text": (_user(ADDRESS, verified="true"), Outcome.REJECTED),
    "verified a number": (_user(ADDRESS, verified=1), Outcome.REJECTED),
    "other address verified": (_user(ADDRESS, BOB), Outcome.REJECTED),
    "no address": ((200, {"result": {}}), Outcome.REJECTED),
    "addresses a text": (
        (200, {"result": {"email": ADDRESS, "secondary_emails": ADDRESS}}),
        Outcome.REJECTED,
    ),
}
TRANSMIT_BY_LINK = replace(
    TRANSMIT_BY_EMAIL,
    name="transmit-link",
    options={**TRANSMIT_BY_EMAIL.options, "email_by": "link"},
    send_path="v1/verification/links/email",
    check_path="v1/users/user-",
    code_field="",
    check_headers={"authorization": f"Bearer {KEY}"},
    required_at={
        "send": {
            "redirect_uri": "http://testserver/login/connect/link/",
            "email_content": _EMAIL,
            **_PRIMARY,
        }
    },
    proved=_user,
    wrong=_user(ADDRESS, verified=False),
    misshapen={
        "result true": {"result": True},
        "result a list": {"result": [{"email": ADDRESS}]},
        "no result": {"email": {"value": ADDRESS, "email_verified": True}},
    },
    extra={
        f"check: {name}": ("check", *verdict) for name, verdict in _VERDICTS.items()
    },
    check_errors={
        **each(Outcome.CHECK_REFUSED, 401, 403),
        **each(Outcome.REJECTED, 404),
    },
    check_errors_with_body=None,
)
