"""
The fields and the errors of the API of Transmit Security.

The documentation shows no errors of the five verification calls. Their statuses are
from its lists. That their bodies are like those of similar calls is a guess.

Source: "Verification" and "Users" of the Mosaic API reference.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from django_piggy_verify.sandbox.answers import Answer, in_json
from django_piggy_verify.sandbox.links import UPDATE_PRIMARY
from django_piggy_verify.sandbox.records import Call
from django_piggy_verify.sandbox.users import Attribute

APP: Final = "Sandbox"
"""The name of the application, for `{app}` in a text message."""

_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SENDER: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,9}[A-Za-z0-9])?")
_LONGEST_MESSAGE: Final = 140

ERRORS: Final = {
    "bad_request": (400, "The request is not valid."),
    "invalid_token": (401, "Invalid token"),
    "not_found": (404, "Not found"),
    "conflict": (409, "The value is verified for another user."),
    "auth_invalid_credentials": (400, "The passcode is wrong or used."),
    "auth_otp_passcode_expired": (400, "The passcode is expired."),
    "auth_locked": (403, "The user is locked."),
}
"""
For each word: the HTTP status and the message.

A response contains the words that begin with "auth_". In place of any other word, it
contains the status.
"""


class Refused(Exception):
    """An error of the API."""

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(word)


def recipient_of(call: Call) -> str:
    """
    Return the address or the number of a request.

    It is a guess that the status is 400 for any other value, and for an
    `update_primary` that is no boolean.
    """
    is_text = "/otp/sms/" in call.path
    value = call.body.get("phone_number" if is_text else "email")
    form = _NUMBER if is_text else _ADDRESS
    if not isinstance(value, str) or not value.isprintable():
        raise Refused("bad_request")
    is_boolean = isinstance(call.body.get(UPDATE_PRIMARY, False), bool)
    if not form.fullmatch(value) or not is_boolean:
        raise Refused("bad_request")
    return value


def message_of(body: Mapping[str, object], code: str) -> str:
    """
    Return the text of a message.

    It is a guess that the status is 400 for a message or a sender of another form.

    Source: `custom_message` and `sender_id` of "Send SMS OTP".
    """
    message, sender = body.get("custom_message"), body.get("sender_id", "Sandbox")
    if (
        not isinstance(message, str)
        or len(message) > _LONGEST_MESSAGE
        or not all(each in message for each in ("{otp}", "{app}"))
        or not isinstance(sender, str)
        or not _SENDER.fullmatch(sender)
    ):
        raise Refused("bad_request")
    return message.replace("{otp}", code).replace("{app}", APP)


def fields_about(attributes: Sequence[Attribute], name: str) -> dict[str, object]:
    """Return addresses or numbers as fields. It is a guess that none is no field."""
    values = [
        {
            "value": each.value,
            f"{name}_verified": each.is_verified,
            "verified_at": each.verified_at and each.verified_at.isoformat(),
        }
        for each in attributes
    ]
    primary: dict[str, object] = {name: values[0]} if values else {}
    plural = {"email": "emails", "phone_number": "phone_numbers"}[name]
    return {**primary, f"secondary_{plural}": values[1:]}


def error_answer(word: str) -> Answer:
    """Return an error. `ts_error_code` is documented, but its value is a guess."""
    status, text = ERRORS[word]
    body: dict[str, object] = {
        "message": [text] if word == "bad_request" else text,
        "error_code": word if word.startswith("auth_") else status,
    }
    if word == "conflict":
        body["ts_error_code"] = "conflict"
    return in_json(status, body)
