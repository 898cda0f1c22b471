"""
The provider for Verifik, with the vendor's paths, fields and words for errors.

Source: Email Validations, Verifik API v2,
https://docs.verifik.co/resources/email-access-example
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django_piggy_verify import recipients
from django_piggy_verify.exceptions import CodeRejected, LoginRefused, ProviderError
from django_piggy_verify.http.client import Answer
from django_piggy_verify.providers import base, calls, credentials, options
from django_piggy_verify.providers.base import Challenge, Proof
from django_piggy_verify.traits import Traits

# Two families of words are documented. The HTTP status may contradict both.
_REJECTIONS: Final = (
    *("otp_does_not_match", "email_validation_not_found"),
    "emailValidation_has_expired",
    *("INVALID_CODE", "CODE_EXPIRED", "MAX_ATTEMPTS_EXCEEDED"),
    "EMAIL_VALIDATION_NOT_FOUND",
)
# With any other word, these statuses mean a wrong code too, so that guesses count.
_VERDICTS: Final = frozenset({400, 403, 404, 409, 410, 412})
_OPTIONS: Final = {
    "name": options.name("verifik"),
    "project": options.text(),
    "flow": options.text(),
    "token_lifetime": options.seconds(3600),
    "send_client_address": options.flag(default=False),
}


class VerifikProvider:
    """
    Calls Email Validations of the Verifik API, for the logins of a project flow.

    `project` and `flow` are the ids of the project and of its login flow. The vendor
    does not say how long a token is valid, so `token_lifetime` (seconds) is a guess.
    With `send_client_address`, the vendor gets the visitor's IP address.

    The vendor has no id of a person: ``appLogin._id`` is another one at each login. So
    the uid is a hash of the project and the address.
    """

    base_url = "https://api.verifik.co/v2"
    refusal_hint = "Look at the access token, the project and its flow at Verifik."
    send_condition = "the flow mails codes"

    def __init__(self, /, **given: Any) -> None:
        self._options = options.Options(_OPTIONS, given)
        self.name = self._options.name
        self.traits = Traits(
            knows_members=False,
            knows_people=False,
            issues_tokens=True,
            wants_client_address=self._options["send_client_address"] is True,
        )

    def problems(self) -> Iterator[base.Problem]:
        """Return what is wrong with the key and with the options."""
        yield from credentials.key_problems("Use the access token of your account.")
        yield from self._options.problems()

    def send_code(self, challenge: Challenge) -> Challenge:
        """
        Have a code mailed to the address. Verifik mails to anybody.

        In the samples, the answer contains the code. It is not read. A failure may
        depend on the person, because a flow may have a list of those who may log in.

        Source: POST /v2/email-validations, Verifik API.
        """
        visitor = challenge.visitor
        more = {"ipAddress": visitor.address} if visitor and visitor.address else {}
        answer = self._call("email-validations", challenge, more)
        if not calls.is_success(answer):
            raise calls.failure(answer.status, refused={401})
        _content(answer)
        return challenge

    def check_code(self, challenge: Challenge, code: str) -> Proof:
        """
        Exchange a code for the identity of the person and for a token.

        The hint is "face_liveness" if the vendor recommends this check. Raises
        LoginRefused if the flow wants a second factor.

        Source: POST /v2/email-validations/validate, Verifik API.
        """
        answer = self._call("email-validations/validate", challenge, {"otp": code})
        if error := _error_in(answer):
            raise error
        recipient = challenge.recipient
        match found := _content(answer):
            case {
                "email": str(email),
                "type": "login",
                "appLogin": {"status": "validated" | "completed"},
                "token": token,
            } if recipients.is_spelling(email, recipient):
                subject = f"{self._options['project']}\0{recipient.lower()}"
                uid = hashlib.sha256(subject.encode()).hexdigest()
            case {"success": False} | {"code": str()} if "token" not in found:
                raise CodeRejected
            case {"message": _} if "token" not in found:
                raise LoginRefused("the vendor wants a second factor")
            case _:
                raise calls.unreadable("it is no login of this address")
        lifetime = self._options["token_lifetime"]
        is_recommended = found.get("showFaceLivenessRecommendation") is True
        return Proof(
            identity=base.Identity(provider=self.name, uid=uid, email=recipient),
            tokens=base.TokenSet(access=calls.token_in(token), expires_in=lifetime),
            hint="face_liveness" if is_recommended else "",
        )

    def _call(self, path: str, challenge: Challenge, more: Mapping[str, str]) -> Answer:
        self._options.require()
        payload = {
            "project": self._options["project"],
            "projectFlow": self._options["flow"],
            "email": challenge.recipient,
            "validationMethod": "verificationCode",
            "type": "login",
            **more,
        }
        return calls.call("POST", path, base_url=self.base_url, json=payload)


def _error_in(answer: Answer) -> CodeRejected | ProviderError | None:
    """Return the exception for an answer to a check, or None for a success."""
    body, status = answer.body, answer.status
    word = body.get("code") if isinstance(body, dict) else None
    if word == "MissingParameter":
        return credentials.refusal("a parameter is missing", status=status)
    if word in _REJECTIONS or (isinstance(body, dict) and status in _VERDICTS):
        return CodeRejected()
    return None if calls.is_success(answer) else calls.failure(status, refused={401})


def _content(answer: Answer) -> Mapping[str, object]:
    """Return the object of a 2xx, which may be in `data` or flat, and its `success`."""
    body = answer.body
    if isinstance(body, dict) and isinstance(found := body.get("data", body), dict):
        return {"success": body.get("success"), **found}
    raise calls.unreadable("it has no object", status=answer.status)
