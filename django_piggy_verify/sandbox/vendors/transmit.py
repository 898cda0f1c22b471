"""
The API of Transmit Security: its paths and its rules.

The documentation does not state all rules. The docstrings say which rules are guesses.
`transmit_shapes` has the fields and the errors.

Source: "Verification" and "Users" of the Mosaic API reference.
"""

import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

from django_piggy_verify.sandbox import token_endpoint
from django_piggy_verify.sandbox.answers import Answer, in_html, in_json
from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.errors import LINK, SEND, TOKEN, USER, VERIFY
from django_piggy_verify.sandbox.fields import bearer_of, fields_of
from django_piggy_verify.sandbox.links import (
    REDIRECT_URI,
    UPDATE_PRIMARY,
    follow,
    is_web_page,
)
from django_piggy_verify.sandbox.pages import Pages
from django_piggy_verify.sandbox.records import UNKNOWN, Call, Mail, Verdict
from django_piggy_verify.sandbox.vendors.transmit_shapes import (
    ERRORS,
    Refused,
    error_answer,
    fields_about,
    message_of,
    recipient_of,
)

PROVIDER: Final = "django_piggy_verify.providers.transmit.TransmitProvider"
OPTIONS: Final = {"message": "{otp} is your code for {app}."}
SETTINGS: Final[Mapping[str, object]] = {
    "PIGGY_VERIFY_API_KEY": "sandbox-key",
    "PIGGY_VERIFY_CONNECT": True,
    "PIGGY_VERIFY_SMS_COUNTRIES": ("NL", "DE", "BE", "US"),
    "PIGGY_VERIFY_PHONE_REGION": "NL",
}

BASE_PATH: Final = "transmit"
_USERS: Final = f"{BASE_PATH}/v1/users"
_VERIFICATION: Final = f"{BASE_PATH}/v1/verification"
_BY_LINK: Final = f"{_VERIFICATION}/links/email"
_BY_EMAIL: Final = f"{_VERIFICATION}/otp/email/send"
_BY_TEXT: Final = f"{_VERIFICATION}/otp/sms/send"
_FOLLOW: Final = f"{BASE_PATH}/verify"
_SENT: Final = {
    _BY_LINK: "Verification email sent",
    _BY_EMAIL: "Email sent successfully",
    _BY_TEXT: "SMS sent",
}
_NAMES: Final = {
    **dict.fromkeys(_SENT, SEND),
    f"{_VERIFICATION}/otp/email/validate": VERIFY,
    f"{_VERIFICATION}/otp/sms/validate": VERIFY,
    f"{BASE_PATH}/oidc/token": TOKEN,
    _FOLLOW: LINK,
}

ATTEMPTS: Final = 5
"""
Wrong passcodes after which no passcode of the same mail is accepted.

The number is a guess. It is a setting of the vendor's customer.
"""

_WORDS: Final = {
    Verdict.WRONG: "auth_invalid_credentials",
    Verdict.USED: "auth_invalid_credentials",
    Verdict.EXPIRED: "auth_otp_passcode_expired",
    Verdict.TOO_MANY: "auth_locked",
    Verdict.NOT_MAILED: "auth_invalid_credentials",
}


def call_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Return the call that a request makes."""
    target, _, query = path.partition("?")
    parent, _, segment = target.rpartition("/")
    name, fields = _NAMES.get(target, UNKNOWN), fields_of(headers, body)
    if parent == _USERS and segment:
        name, fields = USER, {"uid": unquote(segment)}
    elif name == LINK:
        fields = dict(parse_qsl(query))
    return Call(name, fields, method, path, headers, vendor="transmit")


def reply(sandbox: Sandbox, call: Call, pages: Pages) -> Answer:
    """Return the response to a call. The links in mails begin with `pages.root`."""
    method = "GET" if call.name in {USER, LINK} else "POST"
    if call.name == UNKNOWN or call.method != method:
        return error_answer("not_found")
    if call.name == TOKEN:
        return token_endpoint.reply(sandbox, call.body)
    if call.name == LINK:
        return _follow(sandbox, call)
    try:
        return in_json(200, _result(sandbox, call, pages))
    except Refused as error:
        return error_answer(error.word)


def _result(sandbox: Sandbox, call: Call, pages: Pages) -> object:
    forced = sandbox.switches.word_for(call.name)
    if forced in ERRORS:
        raise Refused(str(forced))
    if call.name == USER:
        return _user(sandbox, call)
    uid = _uid(sandbox, call)
    if call.name == VERIFY:
        return _validate(sandbox, call, uid)
    return _send(sandbox, call, uid, pages)


def _uid(sandbox: Sandbox, call: Call) -> str:
    """
    Return the id of the user whose access token the call has.

    It is a guess that the status is 404 after the user was deleted.
    """
    uid = sandbox.users.uid_of(bearer_of(call.headers))
    if uid is None:
        raise Refused("invalid_token")
    if sandbox.users.with_uid(uid) is None:
        raise Refused("not_found")
    return uid


def _send(sandbox: Sandbox, call: Call, uid: str, pages: Pages) -> object:
    """
    Send a passcode or a link to an address or number. Earlier ones become invalid.

    Two rules are guesses. The passcodes and links that other users have asked for
    become invalid, too. The status 409 means that the address or number is verified
    for another user.
    """
    target, recipient = call.path.partition("?")[0], recipient_of(call)
    mail = sandbox.new_mail(recipient, call.body)
    mail.owner = uid
    if target == _BY_TEXT:
        mail.text = message_of(call.body, mail.code)
    if target == _BY_LINK:
        _add_link(mail, pages)
    owner = sandbox.users.with_verified(recipient)
    if owner and owner.uid != uid:
        raise Refused("conflict")
    sandbox.deliver(mail)
    return {"message": _SENT[target]}


def _validate(sandbox: Sandbox, call: Call, uid: str) -> object:
    """
    Compare a passcode, and write the address or number into the profile of the user.

    Three rules are guesses. A passcode is right only for the user who has asked for it.
    The API compares the passcode before it looks for another user. After the status
    409, the passcode cannot be used again.
    """
    recipient, passcode = recipient_of(call), call.body.get("passcode")
    if not isinstance(passcode, str) or not passcode:
        raise Refused("bad_request")
    mail = sandbox.mailbox.newest(recipient)
    if mail is None or mail.owner != uid or mail.link:
        raise Refused(_WORDS[Verdict.NOT_MAILED])
    verdict = sandbox.judge(recipient, passcode, attempts=ATTEMPTS)
    if verdict != Verdict.RIGHT:
        raise Refused(_WORDS[verdict])
    is_primary = call.body.get(UPDATE_PRIMARY) is True
    if not sandbox.users.verify(uid, recipient, update_primary=is_primary):
        raise Refused("conflict")
    return {"result": True}


def _user(sandbox: Sandbox, call: Call) -> object:
    """
    Return the profile of a user. The access token must be a client's.

    Source: GET v1/users/{user_id}. The format of the times is a guess.
    """
    bearer = bearer_of(call.headers)
    if sandbox.users.uid_of(bearer) is not None or not sandbox.accepts(bearer):
        raise Refused("invalid_token")
    user = sandbox.users.with_uid(str(call.body["uid"]))
    if user is None:
        raise Refused("not_found")
    emails = fields_about(user.emails, "email")
    phones = fields_about(user.phones, "phone_number")
    return {"result": {"user_id": user.uid, **emails, **phones}}


def _follow(sandbox: Sandbox, call: Call) -> Answer:
    """Redirect the browser of somebody who follows a link."""
    location = follow(sandbox, str(call.body.get("token", "")))
    if location is None:
        return in_html(404, "The link is not known")
    return in_html(302, "Moved", {"Location": location})


def _add_link(mail: Mail, pages: Pages) -> None:
    """
    Replace the code of a mail by a link.

    The API knows the allowed redirect URIs of each application. The sandbox allows any
    absolute URL with http or https. It is a guess that the status is 400 for others.
    """
    if not is_web_page(mail.request.get(REDIRECT_URI)):
        raise Refused("bad_request")
    mail.code = secrets.token_urlsafe(32)
    mail.link = f"{pages.root}{_FOLLOW}?token={mail.code}"
