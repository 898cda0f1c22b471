"""
The provider for Transmit Security, with the vendor's paths, fields and shapes.

Source: Verification API and Users API, Transmit Security,
https://developer.transmitsecurity.com/guides/user/verify_email_otp
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from django_piggy_verify import recipients
from django_piggy_verify.exceptions import CodeRejected, ContactTaken, ContactUnknown
from django_piggy_verify.http.client import Answer
from django_piggy_verify.providers import base, calls, credentials, options, user_calls
from django_piggy_verify.providers.base import Challenge, Identity
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, Traits

# The statuses of a wrong code. The documentation does not show the bodies of errors.
_REJECTED: Final = frozenset({400, 403, 404})
# With a JSON object, these statuses mean a wrong code too, so that each guess counts.
_VERDICTS: Final = frozenset(range(400, 500)) - {401, 409, 429}
_MESSAGE: Final = (
    r"(?=.{,140}\Z)[^{}]*(\{otp}[^{}]*\{app}|\{app}[^{}]*\{otp})[^{}]*",
    "a text of up to 140 characters: {otp} and {app} once each, no other braces",
)
# The sender ids that Amazon SNS accepts. The vendor sends its texts with Amazon SNS.
_SENDER: Final = (
    r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{,9}[A-Za-z0-9])?",
    "a text of 1 to 11 letters, digits and inner hyphens, with a letter",
)
_OPTIONS: Final = {
    "name": options.name("transmit"),
    "email_by": options.choice("code", "link"),
    "message": options.matching(*_MESSAGE, is_required=True),
    "sender_id": options.matching(*_SENDER),
    "email_content": options.json_object(),
    "update_primary": options.flag(default=False),
    "redirect_uri": options.url(),
}


class TransmitProvider:
    """
    Proves addresses and numbers of users who are logged in at Transmit Security.

    It logs nobody in. Codes and links are sent, and codes are checked, with the access
    token of the user. With ``email_by="link"``, the vendor mails links. The links lead
    to `redirect_uri`, or with None to our own page. `check_link` then uses our own key
    or client, which needs the permission ``users:read``.

    `message` is the text message. `email_content` replaces the vendor's e-mail as a
    whole. With `update_primary`, the vendor makes a proved contact the primary one.
    """

    base_url = "https://api.transmitsecurity.io/cis"
    refusal_hint = "Look at the application, its client and its URLs at Transmit."
    send_condition = "the application sends codes"

    def __init__(self, /, **given: Any) -> None:
        self._options = options.Options(_OPTIONS, given)
        self.name = self._options.name
        email = Channel.LINK if self._options["email_by"] == "link" else Channel.EMAIL
        self.traits = Traits(
            channels=frozenset({email, Channel.SMS}),
            can_log_in=False,
            knows_members=False,
            wants_user_access=True,
        )

    def problems(self) -> Iterator[base.Problem]:
        """Return what is wrong with the options and, for links only, with the key."""
        if Channel.LINK in self.traits.channels:
            hint = f"{credentials.SET_CLIENT} Or let a callable return a client token."
            yield from credentials.key_problems(hint, or_client=True)
        yield from self._options.problems()

    def new_state(self, challenge: Challenge) -> Mapping[str, Secret]:
        """Return the id of the user, because only this user may use the code."""
        return user_calls.state_of(challenge)

    def send_code(self, challenge: Challenge) -> Challenge:
        """Have a code sent. Source: POST v1/verification/otp/{email,sms}/send."""
        given = self._options.require()
        if challenge.channel is Channel.EMAIL:
            body = {"email_content": given["email_content"]}
        else:
            body = {"custom_message": given["message"], "sender_id": given["sender_id"]}
        return self._send("otp/{}/send", challenge, **body)

    def send_link(self, challenge: Challenge) -> Challenge:
        """Have a link mailed. Source: POST v1/verification/links/email."""
        given = self._options.require()
        url = given["redirect_uri"] or challenge.return_url
        further = {each: given[each] for each in ("email_content", "update_primary")}
        return self._send("links/{}", challenge, redirect_uri=url, **further)

    def check_code(self, challenge: Challenge, code: str) -> Identity:
        """Prove a contact. Source: POST v1/verification/otp/{email,sms}/validate."""
        primary = self._options.require()["update_primary"]
        uid = user_calls.uid_of(challenge)
        body = {"passcode": code, "update_primary": primary}
        answer = self._post("otp/{}/validate", challenge, **body)
        match calls.is_success(answer) and answer.body:
            case {"result": True}:
                return Identity.of(challenge.recipient, provider=self.name, uid=uid)
        is_verdict = answer.status in _VERDICTS and isinstance(answer.body, dict)
        if is_verdict or answer.status in _REJECTED:
            raise CodeRejected
        raise calls.no_success(answer)

    def check_link(self, challenge: Challenge) -> Identity:
        """
        Ask whether the user has proved the address. Source: GET v1/users/{user_id}.

        An id of dots alone would change the path: RFC 3986, section 5.2.4.
        """
        self._options.require()
        uid = user_calls.uid_of(challenge)
        if not base.is_uid(uid) or not uid.strip("."):
            raise CodeRejected
        path = f"v1/users/{quote(uid, safe='')}"
        answer = calls.call("GET", path, base_url=self.base_url)
        match calls.is_success(answer) and answer.body:
            case {"result": dict(user)} if _has_proved(user, challenge.recipient):
                return Identity.of(challenge.recipient, provider=self.name, uid=uid)
            case {"result": dict()}:
                raise CodeRejected
        error = calls.no_success(answer, refused={401, 403})
        raise CodeRejected if answer.status == 404 else error  # noqa: PLR2004

    def _send(self, path: str, challenge: Challenge, **body: object) -> Challenge:
        answer = self._post(path, challenge, **body)
        match calls.is_success(answer) and answer.body:
            case {"message": str()}:
                return challenge
        if answer.status == 404:  # noqa: PLR2004
            raise ContactUnknown
        if answer.status != 403:  # noqa: PLR2004
            raise calls.no_success(answer)
        error = credentials.refusal("the vendor refuses this user", status=403)
        error.may_depend_on_visitor = True
        raise error

    def _post(self, path: str, challenge: Challenge, **body: object) -> Answer:
        is_address = challenge.channel is Channel.EMAIL
        kind, field = ("email", "email") if is_address else ("sms", "phone_number")
        given = {name: value for name, value in body.items() if value is not None}
        answer = user_calls.post(
            challenge,
            f"v1/verification/{path.format(kind)}",
            base_url=self.base_url,
            json={field: challenge.recipient, **given},
        )
        if answer.status == 409:  # noqa: PLR2004
            raise ContactTaken
        return answer


def _has_proved(user: Mapping[str, Any], address: str) -> bool:
    others = user.get("secondary_emails")
    for each in [user.get("email"), *(others if isinstance(others, list) else ())]:
        match each:
            case {"value": str(value), "email_verified": True}:
                if recipients.is_spelling(value, address):
                    return True
    return False
