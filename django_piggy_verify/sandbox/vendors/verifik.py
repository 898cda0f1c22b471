"""
The API of Verifik: its paths, its fields, and the shapes of its responses.

The pages of the vendor contradict each other. Where they do, this module chooses one
of their shapes, and says so. What no page says is a guess, and is called one.

Source: Email Validations, Verifik API v2,
https://docs.verifik.co/resources/email-access-example
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django_piggy_verify.sandbox.answers import Answer, in_json
from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.errors import SEND, VERIFY, ApiError
from django_piggy_verify.sandbox.fields import bearer_of, fields_of, text_of
from django_piggy_verify.sandbox.pages import Pages
from django_piggy_verify.sandbox.records import UNKNOWN, Call, Verdict

PROVIDER: Final = "django_piggy_verify.providers.verifik.VerifikProvider"
OPTIONS: Final = {"project": "sandbox-project", "flow": "sandbox-flow"}
SETTINGS: Final = {"PIGGY_VERIFY_API_KEY": "sandbox-key"}

BASE_PATH: Final = "verifik/v2"

_NAMES: Final = {
    f"{BASE_PATH}/email-validations": SEND,
    f"{BASE_PATH}/email-validations/validate": VERIFY,
}
_REQUIRED: Final = ("project", "projectFlow", "validationMethod", "email", "type")

ATTEMPTS: Final = 3
"""Wrong codes after which no code of the same mail is accepted."""

_WORDS: Final = {
    Verdict.WRONG: "otp_does_not_match",
    # A guess: the pages do not say what happens to a used code.
    Verdict.USED: "email_validation_not_found",
    Verdict.EXPIRED: "emailValidation_has_expired",
    Verdict.TOO_MANY: "MAX_ATTEMPTS_EXCEEDED",
    Verdict.NOT_MAILED: "email_validation_not_found",
}

ERRORS: Final = {
    "otp_does_not_match": 403,
    "email_validation_not_found": 404,
    "emailValidation_has_expired": 412,
    "MissingParameter": 409,
    "INVALID_CODE": 400,
    "CODE_EXPIRED": 409,
    "MAX_ATTEMPTS_EXCEEDED": 410,
    "EMAIL_VALIDATION_NOT_FOUND": 404,
    "INVALID_EMAIL": 400,
}
"""The words of both families of errors, and their HTTP statuses."""


class _Refused(Exception):
    """An error for which the API has a word."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


def call_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Return the call that a request makes."""
    name = _NAMES.get(path.partition("?")[0], UNKNOWN)
    fields = fields_of(headers, body)
    return Call(name, fields, method, path, headers, vendor="verifik")


def reply(sandbox: Sandbox, call: Call, _pages: Pages) -> Answer:
    """
    Return the response to a call. It has no link to a page.

    The bodies of the statuses 401 and 404 are guesses.
    """
    if call.name == UNKNOWN or call.method != "POST":
        return in_json(404, {"message": "Not found."})
    if not sandbox.accepts(bearer_of(call.headers)):
        return in_json(401, {"code": "Unauthorized", "message": "token_not_valid"})
    try:
        found = _found(sandbox, call)
    except _Refused as error:
        return _error(error.word)
    is_flat = sandbox.switches.flat
    return in_json(200, found if is_flat else {"success": True, "data": found})


def _found(sandbox: Sandbox, call: Call) -> dict[str, object]:
    if forced := sandbox.switches.word_for(call.name):
        raise _Refused(forced)
    if call.name == SEND:
        return _send(sandbox, call.body)
    return _check(sandbox, call.body)


def _send(sandbox: Sandbox, body: Mapping[str, object]) -> dict[str, object]:
    """
    Mail a code to anybody. The response contains the code, as in the samples.

    It is a guess that earlier codes become invalid.
    """
    mail = sandbox.send_to_anybody(_address(body))
    return {
        "_id": _object_id(),
        "email": mail.recipient.lower(),
        "status": "sent",
        "otp": mail.code,
        "expiresAt": _written(mail.expires_at),
    }


def _check(sandbox: Sandbox, body: Mapping[str, object]) -> dict[str, object]:
    """
    Log a person in, or say that a second factor is wanted.

    The shape of the second answer is a guess.
    """
    address, typed = _address(body), body.get("otp")
    if typed in (None, ""):
        raise _Refused("MissingParameter")
    verdict = sandbox.judge(address, str(typed), attempts=ATTEMPTS)
    if verdict != Verdict.RIGHT:
        raise _Refused(_WORDS[verdict])
    if sandbox.switches.second_factor:
        return {"message": "An authenticator code is required."}
    return {
        "email": address.lower(),
        "type": "login",
        "showFaceLivenessRecommendation": sandbox.switches.face_liveness,
        # The ids belong to this login, not to the person.
        "appLogin": {
            "_id": _object_id(),
            "status": "validated",
            "project": body["project"],
            "projectFlow": body["projectFlow"],
            "type": "email",
            "emailValidation": _object_id(),
        },
        "token": f"eyJ{secrets.token_urlsafe(60)}",
    }


def _address(body: Mapping[str, object]) -> str:
    """Return the address of a request, after a look at the other fields."""
    for name in _REQUIRED:
        if not isinstance(body.get(name), str) or not body[name]:
            raise _Refused("MissingParameter")
    try:
        return text_of(body["email"])
    except ApiError:
        raise _Refused("INVALID_EMAIL") from None


def _error(word: str) -> Answer:
    """Return an error in the shape of its family. An unknown word has status 400."""
    status = ERRORS.get(word, 400)
    if word.isupper():
        body: dict[str, object] = {"success": False, "error": word, "code": word}
    else:
        body = {"code": word, "message": f"{status}:{word}"}
    return in_json(status, body)


def _object_id() -> str:
    return secrets.token_hex(12)


def _written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
