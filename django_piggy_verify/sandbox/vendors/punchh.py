"""
The API of PAR Punchh: its paths, its fields, and the shapes of its responses.

Most statuses and words of errors are guesses, and so is the order in which the API
looks for errors. The docstrings below call the other guesses by this name.

Source: "Advanced Authentication" of the Punchh developer documentation, with its pages
"Send OTP", "Verify Token" and "Refresh Token".
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

from django_piggy_verify.sandbox.answers import Answer, blocked, in_html, in_json
from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.errors import PROFILE, REFRESH, SEND, VERIFY
from django_piggy_verify.sandbox.fields import bearer_of, fields_of, key_of, same
from django_piggy_verify.sandbox.pages import Pages
from django_piggy_verify.sandbox.records import UNKNOWN, Call, SandboxContact, Verdict
from django_piggy_verify.sandbox.sessions import Tokens

PROVIDER: Final = "django_piggy_verify.providers.punchh.PunchhProvider"
OPTIONS: Final[Mapping[str, str]] = {}
SETTINGS: Final[Mapping[str, object]] = {
    "PIGGY_VERIFY_CLIENT_ID": "sandbox",
    "PIGGY_VERIFY_CLIENT_SECRET": "sandbox",
    "PIGGY_VERIFY_SMS_COUNTRIES": ("NL", "DE", "BE", "US"),
    "PIGGY_VERIFY_PHONE_REGION": "NL",
    "PIGGY_VERIFY_CONSENTS": {
        "terms": {"url": "/terms/", "version": "1"},
        "privacy": {"url": "/privacy/", "version": "1"},
    },
}

BASE_PATH: Final = "punchh"

_CALLS: Final = {
    f"{BASE_PATH}/api2/password_less/token": SEND,
    f"{BASE_PATH}/api2/password_less/verify": VERIFY,
    f"{BASE_PATH}/api2/password_less/refresh_token": REFRESH,
    f"{BASE_PATH}/api2/mobile/users/profile": PROFILE,
}
_REQUIRED: Final = {
    SEND: ("client", "validation_method", "code_challenge"),
    VERIFY: ("client", "token", "code_verifier"),
    REFRESH: ("client", "refresh_token"),
    PROFILE: ("client",),
}
_EVERYWHERE: Final = ("accept", "content-type")
_HEADERS: Final = {
    SEND: (*_EVERYWHERE, "punchh-app-device-id"),
    VERIFY: (*_EVERYWHERE, "punchh-app-device-id", "client-type"),
    REFRESH: _EVERYWHERE,
    PROFILE: _EVERYWHERE,
}
_CONSENTS: Final = ("terms_and_conditions", "privacy_policy")
_CLIENT_TYPES: Final = ("online_ordering", "external_mobile_app")
_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")
# The vendor makes such addresses up for people who have a number only.
_MADE_UP: Final = "@phone.punchh.com"
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{0,2} [0-9]{4,14}")

ERRORS: Final = {
    "unknown_client": (401, "The client is unknown."),
    "invalid_signature": (412, "The signature does not match."),
    "missing_required_param": (400, "A parameter or a header is missing."),
    "missing_user_agent": (403, "The header User-Agent is missing."),
    "invalid_email_format": (422, "This is no e-mail address."),
    "invalid_phone_format": (422, "This is no phone number."),
    "terms_and_conditions": (422, "Please agree on given terms and conditions"),
    "privacy_policy": (422, "Please agree on given privacy policy"),
    "invalid_otp": (422, "The code is wrong, used or expired."),
    "invalid_code_verifier": (422, "The code verifier does not match."),
    "unauthorized": (401, "The access token is missing, wrong or expired."),
    "blacklisted_token": (401, "The refresh token is wrong or was used before."),
    "deactivated_user": (403, "The account is not active."),
    "not_available": (403, "Sorry, this functionality is not available"),
}
"""
For each word: the HTTP status and the text.

The documentation has the words `unknown_client`, `invalid_signature`,
`missing_required_param`, `invalid_email_format`, `invalid_phone_format` and
`deactivated_user`, and the texts about the consents. The rest is a guess.
"""


class _Refused(Exception):
    """Errors for which the API has words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        super().__init__(*words)


def call_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Return the call that a request makes."""
    name = _CALLS.get(path.partition("?")[0], UNKNOWN)
    fields = fields_of(headers, body)
    return Call(name, fields, method, path, headers, vendor="punchh", content=body)


def reply(sandbox: Sandbox, call: Call, _pages: Pages) -> Answer:
    """
    Return the response to a call. It has no link to a page.

    Two things are guesses: how the API answers a blocked client address, and that such
    an address cannot get or use a code.
    """
    method = "GET" if call.name == PROFILE else "POST"
    if call.name == UNKNOWN or call.method != method:
        return in_json(404, {"errors": {"not_found": ["Not found."]}})
    if call.name in {SEND, VERIFY} and sandbox.blocks.has(_visitor(call)):
        return blocked()
    try:
        _require(sandbox, call)
        return _REPLIES[call.name](sandbox, call)
    except _Refused as error:
        return _error(error.words)


def _require(sandbox: Sandbox, call: Call) -> None:
    """Raise an error unless the call has what every call of its name must have."""
    forced = sandbox.switches.word_for(call.name)
    if forced in ERRORS:
        raise _Refused(forced)
    if not call.headers.get("user-agent"):
        raise _Refused("missing_user_agent")
    values = [call.body.get(name) for name in _REQUIRED[call.name]]
    values += [call.headers.get(name) for name in _HEADERS[call.name]]
    if not all(isinstance(each, str) and each for each in values):
        raise _Refused("missing_required_param")
    if not sandbox.knows_client(call.body["client"]):
        raise _Refused("unknown_client")


def _send(sandbox: Sandbox, call: Call) -> Answer:
    """
    Send a code to anybody. Earlier codes and challenges become invalid.

    The names of the fields `code_challenge` and `validation_method`, and the value
    "otp", are guesses.
    """
    recipient = _recipient(call.body)
    _require_consents(call.body)
    if call.body["validation_method"] != "otp":
        raise _Refused("missing_required_param")
    sandbox.send_to_anybody(recipient, call.body)
    return in_json(200, {"data": {"message": ["The code was sent."]}})


def _verify(sandbox: Sandbox, call: Call) -> Answer:
    """
    Exchange a code for tokens. A person who does not exist is created.

    It is a guess that a wrong verifier does not use the code up.
    """
    recipient = _recipient(call.body)
    _require_consents(call.body)
    if call.headers["client-type"] not in _CLIENT_TYPES:
        raise _Refused("missing_required_param")
    if word := _fault_of(sandbox, call, recipient):
        sandbox.blocks.add_failure(_visitor(call))
        raise _Refused(word)
    person = _person(sandbox, recipient)
    return _tokens(
        sandbox, sandbox.sessions.open(person.user_id, sandbox.token_lifetime)
    )


def _fault_of(sandbox: Sandbox, call: Call, recipient: str) -> str | None:
    """Return the word for what is wrong with the code or the verifier, or None."""
    mail = sandbox.mailbox.newest(recipient)
    if mail is None or _as_sent(mail.request) != _as_sent(call.body):
        return "invalid_otp"
    verifier = str(call.body["code_verifier"])
    if not same(_challenge(verifier), str(mail.request["code_challenge"])):
        return "invalid_code_verifier"
    verdict = sandbox.judge(recipient, str(call.body["token"]))
    return None if verdict == Verdict.RIGHT else "invalid_otp"


def _refresh(sandbox: Sandbox, call: Call) -> Answer:
    """
    Exchange a refresh token for two new tokens.

    Three rules are guesses. A used refresh token revokes all tokens of the login. The
    earlier access token stays valid. A refresh token does not expire.
    """
    token = str(call.body["refresh_token"])
    tokens = sandbox.sessions.refresh(token, sandbox.token_lifetime)
    if tokens is None:
        raise _Refused("blacklisted_token")
    return _tokens(sandbox, tokens)


def _profile(sandbox: Sandbox, call: Call) -> Answer:
    """
    Return who has the access token.

    Source: "x-pch-digest Generation", with this path as its example.
    """
    if sandbox.take_failing_profile():
        return in_html(500, "Server error")
    digest = _digest(sandbox.client_secret, call)
    if not same(call.headers.get("x-pch-digest"), digest):
        raise _Refused("invalid_signature")
    user_id = sandbox.sessions.user_id(bearer_of(call.headers))
    if user_id is None:
        raise _Refused("unauthorized")
    person = sandbox.people.with_user_id(user_id)
    if person is None:
        raise _Refused("deactivated_user")
    user = {"user_id": user_id, "email": person.email, "phone": person.phone}
    return in_json(200, {"user": user})


_REPLIES: Final = {SEND: _send, VERIFY: _verify, REFRESH: _refresh, PROFILE: _profile}


def _recipient(body: Mapping[str, object]) -> str:
    """
    Return the address of a request, or its number in E.164 form.

    It is a guess that the address counts if a request has both.
    """
    email, ext, number = _as_sent(body)
    if email:
        if not _ADDRESS.fullmatch(email) or email.endswith(_MADE_UP):
            raise _Refused("invalid_email_format")
        return str(body["email"])
    if not ext and not number:
        raise _Refused("missing_required_param")
    if not _NUMBER.fullmatch(f"{ext} {number}"):
        raise _Refused("invalid_phone_format")
    return f"{ext}{number}"


def _as_sent(body: Mapping[str, object]) -> list[str]:
    """Return the address and the two parts of the number, in lower case."""
    values = (body.get(name) for name in ("email", "phone_ext", "phone_number"))
    return [key_of(each) if isinstance(each, str) else "" for each in values]


def _require_consents(body: Mapping[str, object]) -> None:
    """Raise an error for each consent that is not `true`."""
    if missing := [name for name in _CONSENTS if body.get(name) is not True]:
        raise _Refused(*missing)


def _person(sandbox: Sandbox, recipient: str) -> SandboxContact:
    """Return the person with an address or number, who may be a new one."""
    if "@" in recipient:
        return sandbox.people.add(recipient, "", None)
    return sandbox.people.add("", recipient, None)


def _visitor(call: Call) -> str:
    """
    Return the client address that the request names, for counting failed checks.

    It is a guess that all requests without an address are counted together.
    """
    return call.headers.get("x_true_client_ip", "")


def _challenge(verifier: str) -> str:
    """Return the code challenge of a verifier. Source: RFC 7636 section 4.2."""
    digest = hashlib.sha256(verifier.encode(errors="surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _digest(secret: str, call: Call) -> str:
    """Return the signature of the path and of the body without white space."""
    path = call.path.removeprefix(BASE_PATH).encode()
    content = b"".join(call.content.split())
    return hmac.new(secret.encode(), path + content, "sha256").hexdigest()


def _tokens(sandbox: Sandbox, tokens: Tokens) -> Answer:
    data = {
        "access_token": tokens.access,
        "token_type": "Bearer",
        "refresh_token": tokens.refresh,
        "expires_in": int(sandbox.token_lifetime),
    }
    return in_json(200, {"data": data})


def _error(words: Sequence[str]) -> Answer:
    """Return errors with the status of the first one."""
    status, _ = ERRORS[words[0]]
    return in_json(status, {"errors": {word: [ERRORS[word][1]] for word in words}})
