"""Write the responses that all emulated APIs share: JSON, HTML, and a broken server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from django_piggy_verify.sandbox.switches import Fault, Switches

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, without the parts that a server adds."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def in_json(
    status: int, content: object, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return a response with a JSON body."""
    body = json.dumps(content).encode()
    return Answer(status, {"Content-Type": JSON, **(headers or {})}, body)


def in_html(
    status: int, title: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return a response with an HTML body."""
    body = f"<!DOCTYPE html>\n<title>{title}</title>\n<h1>{title}</h1>\n".encode()
    html = {"Content-Type": "text/html; charset=utf-8"}
    return Answer(status, {**html, **(headers or {})}, body)


def unauthorized() -> Answer:
    """Return the response to a wrong bearer token."""
    description = "The access token is missing, wrong or expired."
    body = {"error": "invalid_token", "error_description": description}
    return in_json(401, body, {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def blocked() -> Answer:
    """Return the response of a firewall that takes us for a robot."""
    return in_html(403, "Attention required")


def of_fault(fault: Fault, switches: Switches) -> Answer:
    """Return the response of a server in front of the API."""
    return {
        Fault.OUTAGE: in_html(500, "Server error"),
        Fault.MAINTENANCE: in_html(503, "Be right back"),
        Fault.MALFORMED: in_html(200, "Welcome"),
        Fault.NO_DATA: in_json(200, {"meta": []}),
        Fault.RATE_LIMITED: in_json(
            429, {"message": "Too Many Attempts."}, {"Retry-After": "30"}
        ),
        Fault.UNAUTHORIZED: unauthorized(),
        Fault.EMPTY: Answer(200, {"Content-Type": JSON}, b""),
        Fault.REDIRECT: in_html(302, "Moved", {"Location": switches.redirect_to}),
        Fault.BLOCKED: blocked(),
    }[fault]
