"""
Check the URLs for apps against `docs/openapi.yaml`, with schemathesis.

Every response must be in the document, and every response of the document must occur.
The requests stay in the process of the tests. Without schemathesis, the tests are
skipped.
"""

import os
from typing import Any, Self, TypeAlias

import pytest
from django.test.client import ClientHandler
from django.urls import include, path
from hypothesis import HealthCheck, settings as options

if "PIGGY_VERIFY_REQUIRE_SERVICES" not in os.environ:
    pytest.importorskip("schemathesis")

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

from django_piggy_verify.sandbox import Fault, Switches
from tests.apps.steps import token_of
from tests.consenting import FUSSY, RIGHT
from tests.documentation import openapi
from tests.documentation.openapi import Answer
from tests.steps import ADDRESS, STRANGER
from tests.views.test_repeated_codes import meanwhile

__all__ = ["meanwhile"]

Case: TypeAlias = schemathesis.Case[Any]

ASK, CHECK, RESEND = "askFromApp", "checkFromApp", "resendFromApp"
SITE = "http://testserver"
CONSENTS = {"consent_terms": True, "consent_privacy": "on"}
REFUSED = [400, 404, 405, 409, 415]
CONFIG = {
    "checks": {"negative_data_rejection": {"expected-statuses": REFUSED}},
    "operations": [
        {
            # No generated code is right.
            "include-operation-id": CHECK,
            "checks": {"positive_data_acceptance": {"expected-statuses": [400]}},
        },
    ],
}
BOUNDED = options(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
document = openapi.load()
of_apps = {
    each: operations
    for each, operations in document["paths"].items()
    if each.startswith("/api/login/")
}
schema = schemathesis.openapi.from_dict(
    {**document, "paths": of_apps}, config=schemathesis.Config.from_dict(CONFIG)
)


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Respond as Django's test client does, which keeps the connection open."""
    environ.setdefault("REMOTE_ADDR", "127.0.0.1")
    response: Any = ClientHandler(enforce_csrf_checks=True)(environ)
    status = f"{response.status_code} {response.reason_phrase}"
    start_response(status, [*response.items()])
    return [response.content]


schema.app = application


class Visitor:
    """An app that checks each response against the document."""

    def __init__(self, sandbox: Any, settings: Any, during_check: Any) -> None:
        self.sandbox = sandbox
        self.settings = settings
        self.during_check = during_check
        self.recipient = ADDRESS
        self.login = "forged"

    def send(self, name: str, /, **body: object) -> Any:
        return self.post(name, "application/json", body)

    def post(self, name: str, media_type: str, body: Any) -> Any:
        operation = schema.find_operation_by_id(name)
        case = operation.Case(media_type=media_type, body=body)
        # The document must have the 503, as it must have every other status.
        response = case.call_and_validate(
            base_url=SITE, excluded_checks=[not_a_server_error]
        )
        self.login = response.json().get("login", self.login)
        return response

    def send_form(self, name: str) -> Any:
        """Post a form in place of JSON. The document has no such request."""
        operation = schema.find_operation_by_id(name)
        case = operation.Case(media_type="application/json", body={})
        response = case.call(
            base_url=SITE,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        case.validate_response(response)
        return response

    def ask(self) -> Any:
        return self.send(ASK, email=self.recipient)

    def agree(self, kind: str) -> Self:
        """Ask for a code, with the consents. The address begins with `kind`."""
        self.recipient = f"{kind}.{self.recipient}"
        self.send(ASK, email=self.recipient, **CONSENTS)
        return self

    def asked(self) -> Self:
        self.ask()
        return self

    def resend(self) -> Any:
        return self.send(RESEND, login=self.login)

    def type_code(self, code: str = "") -> Any:
        code = code or self.sandbox.last_code(self.recipient)
        return self.send(CHECK, login=self.login, code=code)

    def typed(self, code: str) -> Self:
        self.type_code(code)
        return self

    def in_an_outage(self) -> Self:
        self.sandbox.switches = Switches(fault=Fault.MAINTENANCE)
        return self

    def with_setting(self, name: str, value: object) -> Self:
        setattr(self.settings, f"PIGGY_VERIFY_{name}", value)
        return self

    def with_fussy_provider(self) -> Self:
        for name, value in FUSSY.items():
            setattr(self.settings, name, value)
        return self

    def with_few(self, **limits: object) -> Self:
        return self.with_setting(
            "RATE_LIMITS", self.settings.PIGGY_VERIFY_RATE_LIMITS | limits
        )

    def without_setting(self) -> Self:
        return self.with_setting("APP_TOKEN", None)

    def told_at_once(self) -> Self:
        return self.with_setting("HIDE_UNKNOWN_CONTACTS", False)

    def type_code_meanwhile(self) -> Any:
        """Return the answer to a code while another request checks the same code."""
        answers = self.during_check(self.type_code)
        self.type_code()
        return answers[0]


@pytest.fixture
def visitor(piggy_sandbox, contact, settings, unlimited, meanwhile):
    settings.ROOT_URLCONF = (
        path("api/login/", include("django_piggy_verify.urls_app")),
    )
    settings.PIGGY_VERIFY_APP_TOKEN = token_of
    settings.PIGGY_VERIFY_BACKGROUND = False
    return Visitor(piggy_sandbox, settings, meanwhile)


def lenient(case: Case) -> list[Any]:
    """
    Return the checks to leave out.

    A device that is no text is ignored. Without text messages and consents, `phone` and
    the consents are ignored too.
    """
    fields = case.body if isinstance(case.body, dict) else {}
    if {"phone", "consent_terms", "consent_privacy"} & fields.keys():
        return [negative_data_rejection, positive_data_acceptance]
    is_text = isinstance(fields.get("device", ""), str)
    return [] if is_text else [negative_data_rejection]


@schema.parametrize()
@BOUNDED
def test_every_response_is_documented(case: Case, visitor: Visitor) -> None:
    if visitor.login == "forged":
        visitor.ask()
    if isinstance(case.body, dict) and isinstance(case.body.get("login"), str):
        case.body["login"] = visitor.login

    case.call_and_validate(base_url=SITE, excluded_checks=lenient(case))


SCENES: dict[Answer, Any] = {
    Answer(ASK, 202): lambda me: me.ask(),
    Answer(ASK, 400, "invalid"): lambda me: me.send(ASK, email="ann"),
    Answer(ASK, 400, "consent_required"): lambda me: me.with_fussy_provider().ask(),
    Answer(ASK, 400, "unknown_contact"): (
        lambda me: me.told_at_once().send(ASK, email=STRANGER)
    ),
    Answer(ASK, 429, "too_many_attempts"): (
        lambda me: me.with_few(send_recipient="1/1h").asked().ask()
    ),
    Answer(ASK, 503, "provider_unavailable"): lambda me: (
        me.in_an_outage().asked().ask()
    ),
    Answer(CHECK, 200): lambda me: me.asked().type_code(),
    Answer(CHECK, 202): lambda me: me.asked().type_code_meanwhile(),
    Answer(CHECK, 400, "invalid"): lambda me: me.asked().type_code("  "),
    Answer(CHECK, 400, "code_rejected"): lambda me: me.asked().type_code("wrong"),
    Answer(CHECK, 400, "consent_required"): (
        lambda me: me.with_fussy_provider().agree("late").type_code(RIGHT)
    ),
    Answer(CHECK, 403, "login_refused"): (
        lambda me: me.with_setting("CREATE_USERS", False).asked().type_code()
    ),
    Answer(CHECK, 409, "login_expired"): lambda me: me.type_code("1"),
    Answer(CHECK, 429, "too_many_attempts"): (
        lambda me: me.with_few(check_login=1).asked().type_code("wrong")
    ),
    Answer(CHECK, 503, "provider_unavailable"): (
        lambda me: me.asked().in_an_outage().type_code()
    ),
    Answer(RESEND, 202): lambda me: me.asked().resend(),
    Answer(RESEND, 400, "invalid"): (
        lambda me: me.with_fussy_provider().told_at_once().agree("once").resend()
    ),
    Answer(RESEND, 400, "consent_required"): (
        lambda me: me.with_fussy_provider().told_at_once().agree("twice").resend()
    ),
    Answer(RESEND, 409, "login_expired"): lambda me: me.resend(),
    Answer(RESEND, 429, "too_many_attempts"): (
        lambda me: (
            me.with_few(send_cooldown="9/1s", send_recipient="1/1h").asked().resend()
        )
    ),
    Answer(RESEND, 503, "provider_unavailable"): (
        lambda me: me.in_an_outage().asked().resend()
    ),
}
for _name in (ASK, CHECK, RESEND):
    SCENES[Answer(_name, 404, "not_found")] = lambda me, name=_name: (
        me.without_setting().send(name)
    )
    SCENES[Answer(_name, 415, "unsupported_media_type")] = lambda me, name=_name: (
        me.send_form(name)
    )


@pytest.mark.parametrize("answer", [*openapi.answers(document, "apps")], ids=str)
def test_every_documented_response_occurs(answer: Answer, visitor: Visitor) -> None:
    response = SCENES[answer](visitor)

    error = response.json()["error"]["code"] if response.status_code >= 400 else ""
    assert (response.status_code, error) == (answer.status, answer.code)
