"""
Return the API's response to an HTTP request, without sockets, Django or state.

Source: the contact verification and Contacts Portal pages of the Piggy API v3, and
its deprecated OAuth client-credentials grant.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode

from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.errors import (
    AUTH_TOKEN,
    PORTAL,
    SEND,
    TOKEN,
    VERIFY,
    ApiError,
)
from django_piggy_verify.sandbox.records import Call
from django_piggy_verify.sandbox.switches import Fault, Switches

BASE_PATH: Final = "api/v3/oauth/clients"
TOKEN_PATH: Final = "oauth/token"  # noqa: S105 - a path
UNKNOWN: Final = "unknown"
PORTAL_HOME: Final = "https://portal.invalid/home"

_VERIFICATION: Final = f"{BASE_PATH}/contact-verification"
_NAMES: Final = {
    f"{_VERIFICATION}/send": SEND,
    f"{_VERIFICATION}/verify": VERIFY,
    f"{BASE_PATH}/contacts-portal/auth-url": PORTAL,
    TOKEN_PATH: TOKEN,
}
_GETS: Final = {AUTH_TOKEN, PORTAL}
_FIELDS: Final = {
    SEND: "email",
    VERIFY: "code",
    AUTH_TOKEN: "contact_uuid",
    PORTAL: "contact_uuid",
}

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, without the parts that a server adds."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def answer(  # noqa: PLR0913 - the parts of an HTTP request
    sandbox: Sandbox,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    portal: str = PORTAL_HOME,
    sleep: Callable[[float], object] = time.sleep,
) -> Answer:
    """
    Return the response of the remote API to a request. No request raises an error.

    `path` is percent-encoded and has no leading slash. Only the call for the portal
    reads the query. `portal` is the URL at the start of the portal's links. `sleep`
    waits for the `delay` switch. It does so after the call has taken effect, so a code
    is mailed even if the client has given up.
    """
    call = _call(method, path, headers, body)
    sandbox.record(call)
    fault = sandbox.switches.fault_for(call.name)
    given = _fault(fault, sandbox.switches) if fault else _reply(sandbox, call, portal)
    sleep(sandbox.switches.delay)
    return given


def _call(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    lowered = {name.lower(): value for name, value in headers.items()}
    target, _, query = path.partition("?")
    parent, _, segment = target.rpartition("/")
    if parent == f"{_VERIFICATION}/auth-token" and segment:
        return Call(AUTH_TOKEN, {"uid": unquote(segment)}, method, path, lowered)
    if _NAMES.get(target) == PORTAL:
        uid = dict(parse_qsl(query)).get("contact_uuid")
        return Call(PORTAL, {"uid": uid}, method, path, lowered)
    fields = _fields(lowered.get("content-type", "").lower(), body)
    return Call(_NAMES.get(target, UNKNOWN), fields, method, path, lowered)


def _fields(content_type: str, body: bytes) -> dict[str, object]:
    """
    Return the fields of a body: a form if the content type says so, otherwise JSON.

    The vendor's SDK posts forms. A body that cannot be read has no fields, so the API
    returns "Invalid input".
    """
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode(errors="replace")))
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _reply(sandbox: Sandbox, call: Call, portal: str) -> Answer:
    if call.name == UNKNOWN:
        return _json(404, {"message": "Not found."})
    method = "GET" if call.name in _GETS else "POST"
    if call.method != method:
        return _json(405, {"message": "Method not allowed."}, {"Allow": method})
    if call.name == TOKEN:
        return _grant(sandbox, call.body)
    if not sandbox.accepts(_bearer(call)):
        return _unauthorized()
    return _result(sandbox, call, portal)


def _result(sandbox: Sandbox, call: Call, portal: str) -> Answer:
    try:
        if forced := sandbox.switches.error_for(call.name):
            raise forced
        if call.name == PORTAL:
            return _json(200, _portal(sandbox, call.body, portal))
        return _json(200, _SUCCESSES[call.name](sandbox, call.body))
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


_SUCCESSES: Final = {SEND: _send, VERIFY: _verify, AUTH_TOKEN: _auth_token}


def _grant(sandbox: Sandbox, body: Mapping[str, object]) -> Answer:
    """
    Return the response of the token endpoint.

    The vendor documents no errors, so they follow the RFC.

    Source: RFC 6749, sections 4.4 and 5.
    """
    if body.get("grant_type") != "client_credentials":
        return _json(400, {"error": "unsupported_grant_type"})
    token = sandbox.grant(body.get("client_id"), body.get("client_secret"))
    if token is None:
        return _json(401, {"error": "invalid_client"})
    lifetime = int(sandbox.grant_lifetime)
    return _json(
        200, {"token_type": "Bearer", "expires_in": lifetime, "access_token": token}
    )


def _bearer(call: Call) -> str:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


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
    return _json(status, body)


def _unauthorized() -> Answer:
    description = "The access token is missing, wrong or expired."
    body = {"error": "invalid_token", "error_description": description}
    return _json(401, body, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _fault(fault: Fault, switches: Switches) -> Answer:
    return {
        Fault.OUTAGE: _html(500, "Server error"),
        Fault.MAINTENANCE: _html(503, "Be right back"),
        Fault.MALFORMED: _html(200, "Welcome"),
        Fault.NO_DATA: _json(200, {"meta": []}),
        Fault.RATE_LIMITED: _json(
            429, {"message": "Too Many Attempts."}, {"Retry-After": "30"}
        ),
        Fault.UNAUTHORIZED: _unauthorized(),
        Fault.EMPTY: Answer(200, {"Content-Type": JSON}, b""),
        Fault.REDIRECT: _html(302, "Moved", {"Location": switches.redirect_to}),
    }[fault]


def _json(
    status: int, content: object, headers: Mapping[str, str] | None = None
) -> Answer:
    body = json.dumps(content).encode()
    return Answer(status, {"Content-Type": JSON, **(headers or {})}, body)


def _html(status: int, title: str, headers: Mapping[str, str] | None = None) -> Answer:
    body = f"<!DOCTYPE html>\n<title>{title}</title>\n<h1>{title}</h1>\n".encode()
    html = {"Content-Type": "text/html; charset=utf-8"}
    return Answer(status, {**html, **(headers or {})}, body)
