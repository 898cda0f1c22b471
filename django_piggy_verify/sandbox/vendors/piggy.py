"""
The API of Piggy: its paths, its fields, and the shapes of its responses.

Source: the contact verification, Contacts Portal and contacts pages of the Piggy API
v3, and its deprecated OAuth client-credentials grant.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode

from django_piggy_verify.sandbox import token_endpoint
from django_piggy_verify.sandbox.answers import Answer, in_json, unauthorized
from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.errors import (
    AUTH_TOKEN,
    CONTACT,
    PORTAL,
    SEND,
    TOKEN,
    VERIFY,
    ApiError,
)
from django_piggy_verify.sandbox.fields import bearer_of, fields_of
from django_piggy_verify.sandbox.pages import Pages
from django_piggy_verify.sandbox.records import UNKNOWN, Call
from django_piggy_verify.sandbox.switches import Switches

PROVIDER: Final = "django_piggy_verify.providers.piggy.PiggyProvider"
OPTIONS: Final[Mapping[str, str]] = {}
SETTINGS: Final = {"PIGGY_VERIFY_API_KEY": "sandbox-key"}

BASE_PATH: Final = "api/v3/oauth/clients"
TOKEN_PATH: Final = "oauth/token"  # noqa: S105 - a path

_VERIFICATION: Final = f"{BASE_PATH}/contact-verification"
_PARENTS: Final = {
    f"{_VERIFICATION}/auth-token": AUTH_TOKEN,
    f"{BASE_PATH}/contacts": CONTACT,
}
"""The calls whose path ends with the id of a contact."""

_NAMES: Final = {
    f"{_VERIFICATION}/send": SEND,
    f"{_VERIFICATION}/verify": VERIFY,
    f"{BASE_PATH}/contacts-portal/auth-url": PORTAL,
    TOKEN_PATH: TOKEN,
}
_GETS: Final = {AUTH_TOKEN, PORTAL, CONTACT}
_FIELDS: Final = {
    SEND: "email",
    VERIFY: "code",
    AUTH_TOKEN: "contact_uuid",
    PORTAL: "contact_uuid",
    CONTACT: "contact_uuid",
}


def call_of(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Return the call that a request makes."""
    target, _, query = path.partition("?")
    parent, _, segment = target.rpartition("/")
    if segment and (name := _PARENTS.get(parent)):
        return Call(name, {"uid": unquote(segment)}, method, path, headers)
    if _NAMES.get(target) == PORTAL:
        uid = dict(parse_qsl(query)).get("contact_uuid")
        return Call(PORTAL, {"uid": uid}, method, path, headers)
    fields = fields_of(headers, body)
    return Call(_NAMES.get(target, UNKNOWN), fields, method, path, headers)


def reply(sandbox: Sandbox, call: Call, pages: Pages) -> Answer:
    """Return the response to a call."""
    if call.name == UNKNOWN:
        return in_json(404, {"message": "Not found."})
    method = "GET" if call.name in _GETS else "POST"
    if call.method != method:
        return in_json(405, {"message": "Method not allowed."}, {"Allow": method})
    if call.name == TOKEN:
        return token_endpoint.reply(sandbox, call.body)
    if not sandbox.accepts(bearer_of(call.headers)):
        return unauthorized()
    return _result(sandbox, call, pages.portal)


def _result(sandbox: Sandbox, call: Call, portal: str) -> Answer:
    try:
        if forced := sandbox.switches.error_for(call.name):
            raise forced
        if call.name == PORTAL:
            return in_json(200, _portal(sandbox, call.body, portal))
        return in_json(200, _SUCCESSES[call.name](sandbox, call.body))
    except ApiError as error:
        return _error(error, call.name, sandbox.switches)


def _send(sandbox: Sandbox, body: Mapping[str, object]) -> object:
    mail = sandbox.send(body.get("email"))
    message = (
        "An email containing a link to verify your email has been sent to "
        f"{mail.recipient}. Please check your spam / junk as well."
    )
    return {"data": {"type": "Success", "message": message}, "meta": []}


def _verify(sandbox: Sandbox, body: Mapping[str, object]) -> object:
    contact = sandbox.verify(body.get("email"), body.get("code"))
    return {"data": {"uuid": contact.uid}, "meta": {}}


def _auth_token(sandbox: Sandbox, body: Mapping[str, object]) -> object:
    token = sandbox.auth_token(body["uid"])
    is_bare = sandbox.switches.bare_token
    return {"data": token if is_bare else {"auth_token": token}, "meta": []}


def _portal(sandbox: Sandbox, body: Mapping[str, object], portal: str) -> object:
    query = urlencode({"token": sandbox.portal_token(body["uid"])})
    return {"data": {"url": f"{portal}?{query}"}, "meta": []}


def _contact(sandbox: Sandbox, body: Mapping[str, object]) -> object:
    """
    Return a contact without money, subscriptions and attributes.

    It is a guess that a contact has no other members, and that each is present.
    """
    contact = sandbox.contact(body["uid"])
    data = {
        "uuid": contact.uid,
        "email": contact.email,
        "credit_balance": {"balance": contact.points},
        "prepaid_balance": {"balance_in_cents": 0},
        "current_values": {"email": contact.email},
        "subscriptions": [],
        "attributes": [],
    }
    return {"data": data, "meta": []}


_SUCCESSES: Final = {
    SEND: _send,
    VERIFY: _verify,
    AUTH_TOKEN: _auth_token,
    CONTACT: _contact,
}


def _error(error: ApiError, call: str, switches: Switches) -> Answer:
    status = switches.error_status
    body: dict[str, object] = {
        "message": error.message,
        "code": error.code,
        "status_code": status,
    }
    if switches.errors_as == "text":
        body["errors"] = {_FIELDS[call]: error.message}
    elif switches.errors_as == "list":
        body["errors"] = {_FIELDS[call]: [error.message]}
    return in_json(status, body)
