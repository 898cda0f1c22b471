"""
Check the running example against `docs/openapi.yaml`, with schemathesis.

Every response must be in the document, with its status, type, headers and body. Every
response of the document must occur. Without schemathesis, the tests are skipped.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy, deepcopy
from itertools import count
from pathlib import Path
from typing import Any, Self, TypeAlias

import pytest
import requests
from hypothesis import HealthCheck, settings, strategies as st

from tests.consenting import FUSSY, RIGHT
from tests.documentation import openapi
from tests.documentation.openapi import DOCUMENT, Answer
from tests.example.demo import Demo, running_demo, taken_port
from tests.steps import ADDRESS, JSON, STRANGER, UNLIMITED
from tests.waiting import PATIENCE, wait_until

if "PIGGY_VERIFY_REQUIRE_SERVICES" not in os.environ:
    pytest.importorskip("schemathesis")

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

CONFIG = {
    # Generated requests carry a real CSRF token. Without one, all would be refused.
    "generation": {"with-security-parameters": False},
    "checks": {"ignored_auth": {"enabled": False}},
    "operations": [
        {
            # No generated code is right. No generated address has a login in progress.
            "include-operation-id": "checkCode",
            "checks": {
                "positive_data_acceptance": {"expected-statuses": [200, 400, 409]}
            },
        },
        {
            # The field is optional. A value that is no text counts as missing.
            "include-operation-id": "resendCode",
            "checks": {"negative_data_rejection": {"enabled": False}},
        },
    ],
}
BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
OPEN = {
    "PIGGY_VERIFY_RATE_LIMITS": dict.fromkeys(UNLIMITED, "999999/1s")
    | {"check_login": 999999},
    "PIGGY_VERIFY_EXPOSE_AUTH_TOKEN": True,
}
TEXTING = {**FUSSY, "PIGGY_VERIFY_RATE_LIMITS": UNLIMITED}
AT_ONCE = {**TEXTING, "PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS": False}
CONSENTS = {"consent_terms": True, "consent_privacy": "on"}
MEMBERS = [ADDRESS, "ben@example.com"]
CALM = {"error_status": 400, "errors_as": "absent", "delay": 0}
CLOSED = {
    "PIGGY_VERIFY_RATE_LIMITS": UNLIMITED
    | {"send_recipient": "2/1h", "check_login": 2},
    "PIGGY_VERIFY_CREATE_USERS": False,
    "PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS": False,
}

Case: TypeAlias = schemathesis.Case[Any]

# The longest text and one that is too long. Random texts are rarely so long.
LONG = [f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * n}.com" for n in (56, 57, 58)]
schemathesis.openapi.format(
    "email",
    st.sampled_from([*MEMBERS, *LONG])
    | st.from_regex(r"[a-z0-9+_]{1,20}@[a-z]{1,20}\.(com|example)", fullmatch=True),
)
whole = schemathesis.openapi.from_path(
    DOCUMENT, config=schemathesis.Config.from_dict(CONFIG)
)
# The page for links is in no shop of this module. `test_app_api` is about apps.
schema = whole.exclude(path="/connect/link/").exclude(tag="apps")
guarded = schemathesis.openapi.from_path(
    DOCUMENT,
    config=schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}}),
).exclude(operation_id="begin")
guarded = guarded.exclude(tag="apps")


class Visitor:
    """A script with a cookie jar. It checks each response against the document."""

    ASK, READ, CHECK, RESEND = "askForCode", "readLogin", "checkCode", "resendCode"

    def __init__(self, demo: Demo, recipient: str = ADDRESS) -> None:
        self.demo = demo
        self.recipient = recipient
        self.url = f"{demo.url()}login"
        self.session = requests.Session()
        self.session.trust_env = False
        self.headers = {"Accept": "application/json"}
        answer = self.session.get(f"{self.url}/", headers=JSON, timeout=PATIENCE)
        self.headers["X-CSRFToken"] = answer.json()["csrf_token"]

    def how(self) -> dict[str, Any]:
        """Return the headers of each request."""
        return {
            "base_url": self.url,
            "session": self.session,
            "headers": self.headers,
            "timeout": PATIENCE,
        }

    def send(self, name: str, **body: object) -> Any:
        """Call the operation with this name."""
        operation = whole.find_operation_by_id(name)
        kind: Any = {"media_type": "application/json", "body": body} if body else {}
        case = operation.Case(**kind)
        # The document must have the 503, as it must have every other status.
        return case.call_and_validate(
            excluded_checks=[not_a_server_error], **self.how()
        )

    def ask(self) -> Any:
        return self.send(self.ASK, email=self.recipient)

    def resend(self) -> Any:
        return self.send(self.RESEND, recipient=self.recipient)

    def type_code(self, code: str = "") -> Any:
        code = code or self.demo.last_code(self.recipient)
        return self.send(self.CHECK, code=code, recipient=self.recipient)

    def agree(self, kind: str) -> Self:
        """Ask for a code, with the consents. The address begins with `kind`."""
        self.recipient = f"{kind}.{self.recipient}"
        self.send(self.ASK, email=self.recipient, **CONSENTS)
        return self

    def read_refusal(self) -> Any:
        """Read the state of the login once the refusal of the send is known."""
        wait_until(lambda: self.send(self.READ).status_code == 400)
        return self.send(self.READ)

    def type_code_twice_at_once(self) -> Any:
        """Return the second answer. The API takes its time for the first one."""
        self.tell_sandbox("switches", **{**CALM, "delay": 3})
        first = copy(self)
        first.session = deepcopy(self.session)
        with ThreadPoolExecutor() as pool:
            pool.submit(first.type_code)
            time.sleep(1.5)
            return self.type_code()

    def asked(self) -> Self:
        """Ask for a code, and wait for its mail."""
        self.ask()
        self.demo.last_code(self.recipient)
        return self

    def read_failure(self) -> Any:
        """Read the state of the login once the failure of the send is known."""
        wait_until(lambda: self.send(self.READ).status_code == 503)
        return self.send(self.READ)

    def asked_in_vain(self) -> Self:
        self.in_an_outage().ask()
        self.read_failure()
        return self

    def typed(self, code: str = "") -> Self:
        self.type_code(code)
        return self.with_token_of_cookie()

    def logged_in(self) -> Self:
        return self.asked().typed()

    def with_token_of_cookie(self) -> Self:
        """Use the CSRF token of the cookie, which changes at the login."""
        self.headers["X-CSRFToken"] = self.session.cookies["csrftoken"]
        return self

    def without_token(self) -> Self:
        del self.headers["X-CSRFToken"]
        return self

    def in_an_outage(self, *calls: str) -> Self:
        """Let these calls of the API fail, or all calls."""
        self.tell_sandbox("switches", fault="maintenance", fault_on=calls, **CALM)
        return self

    def tell_sandbox(self, page: str, **fields: Any) -> None:
        headers = {"X-CSRFToken": self.session.cookies["csrftoken"]}
        url = f"{self.demo.url()}sandbox/mailbox/{page}/"
        answer = self.session.post(url, fields, headers=headers, timeout=PATIENCE)
        assert answer.ok


@contextmanager
def shop(folder: Path, wanted: dict[str, Any], **more: str) -> Iterator[Demo]:
    with taken_port() as free_port:
        pass
    variables = {
        **more,
        "DJANGO_SETTINGS_MODULE": "tests.example.example_settings",
        "EXAMPLE_SETTINGS": json.dumps(wanted),
    }
    with running_demo(folder, "--port", str(free_port), **variables) as demo:
        yield demo


@pytest.fixture(scope="module")
def open_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with shop(tmp_path_factory.mktemp("open"), OPEN) as demo:
        yield demo


@pytest.fixture(scope="module")
def closed_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with shop(tmp_path_factory.mktemp("closed"), CLOSED) as demo:
        yield demo


@pytest.fixture(scope="module")
def texting_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with shop(tmp_path_factory.mktemp("texting"), TEXTING) as demo:
        yield demo


@pytest.fixture(scope="module")
def prompt_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A shop that sends texts and mails before its response."""
    with shop(tmp_path_factory.mktemp("prompt"), AT_ONCE) as demo:
        yield demo


@pytest.fixture(scope="module")
def visitor(open_shop: Demo) -> Visitor:
    """A visitor with a login in progress."""
    visitor = Visitor(open_shop)
    visitor.ask()
    return visitor


# Every response is in the document.


def lenient(case: Case) -> list[Any]:
    """
    Return the checks to leave out.

    A `next` that is no text is ignored. Without text messages and consents, `phone` and
    the consents are ignored too.
    """
    fields = case.body if isinstance(case.body, dict) else {}
    if {"phone", "consent_terms", "consent_privacy"} & fields.keys():
        return [negative_data_rejection, positive_data_acceptance]
    return [] if isinstance(fields.get("next", ""), str) else [negative_data_rejection]


@schema.parametrize()
@BOUNDED
def test_every_response_is_documented(case: Case, visitor: Visitor) -> None:
    before = visitor.session.cookies.copy()

    case.call_and_validate(excluded_checks=lenient(case), **visitor.how())

    visitor.session.cookies = before


@schema.parametrize()
@settings(BOUNDED, max_examples=10)
def test_every_response_of_a_shop_with_texts_is_documented(
    case: Case, texting_shop: Demo
) -> None:
    visitor = Visitor(texting_shop)
    visitor.agree("somebody")

    # The document does not know which consents the provider wants.
    excluded: list[Any] = [negative_data_rejection, positive_data_acceptance]
    case.call_and_validate(excluded_checks=excluded, **visitor.how())


@guarded.parametrize()
@settings(BOUNDED, max_examples=10)
def test_invented_cookies_and_tokens_give_no_access(
    case: Case, open_shop: Demo
) -> None:
    case.call_and_validate(
        base_url=f"{open_shop.url()}login",
        headers={"Accept": "application/json"},
        timeout=PATIENCE,
    )


def test_responses_along_the_links_are_documented(open_shop: Demo) -> None:
    class Wanderer(schema.as_state_machine()):  # type: ignore[misc]
        """A visitor who types a member's address and code in half of the requests."""

        def setup(self) -> None:
            self.visitor = Visitor(open_shop)
            self.recipient = ""
            self.calls: Counter[str] = Counter()
            self.is_helped = False

        def before_call(self, case: Case) -> None:
            fields = case.body if isinstance(case.body, dict) else {}
            right: dict[str, str] = {}
            if "email" in fields:
                right = {"email": ADDRESS}
            elif "code" in fields and self.recipient == ADDRESS:
                code = open_shop.last_code(ADDRESS)
                right = {"recipient": ADDRESS, "code": code}
            self.calls[case.operation.label] += bool(right)
            self.is_helped = bool(right) and self.calls[case.operation.label] % 2 == 1
            if self.is_helped:
                fields.update(right)

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return self.visitor.how()

        def after_call(self, response: schemathesis.Response, case: Case) -> None:
            if response.status_code == 202:
                self.recipient = response.json()["recipient"]
            self.visitor.with_token_of_cookie()

        def validate_response(
            self, response: schemathesis.Response, case: Case, **_: Any
        ) -> None:
            # Who is logged in already is redirected, whatever the request contains.
            is_sent_on = "sessionid" in self.visitor.session.cookies
            is_special = self.is_helped or is_sent_on
            unfair = [negative_data_rejection] if is_special else lenient(case)
            case.validate_response(response, excluded_checks=unfair)

    Wanderer.run(settings=settings(BOUNDED, max_examples=12, stateful_step_count=8))


# Every response of the document occurs.

IN_THE_OPEN_SHOP = {
    Answer("begin", 200): lambda me: me.send("begin"),
    Answer("askForCode", 202): lambda me: me.ask(),
    Answer("askForCode", 200): lambda me: me.logged_in().ask(),
    Answer("askForCode", 400, "invalid"): lambda me: me.send("askForCode", email="ann"),
    Answer("askForCode", 403, "csrf_failed"): lambda me: me.without_token().ask(),
    Answer("askForCode", 503, "provider_unavailable"): (
        lambda me: me.asked_in_vain().ask()
    ),
    Answer("readLogin", 200): lambda me: me.asked().send("readLogin"),
    Answer("readLogin", 409, "login_expired"): lambda me: me.send("readLogin"),
    Answer("readLogin", 503, "provider_unavailable"): (
        lambda me: me.asked_in_vain().read_failure()
    ),
    Answer("checkCode", 200): lambda me: me.asked().type_code(),
    Answer("checkCode", 202): lambda me: me.asked().type_code_twice_at_once(),
    Answer("checkCode", 400, "invalid"): lambda me: me.asked().type_code("  "),
    Answer("checkCode", 400, "code_rejected"): lambda me: me.asked().type_code("wrong"),
    Answer("checkCode", 403, "csrf_failed"): (
        lambda me: me.asked().without_token().type_code("1")
    ),
    Answer("checkCode", 409, "login_expired"): (
        lambda me: me.asked().send("checkCode", code="1", recipient=STRANGER)
    ),
    Answer("checkCode", 503, "provider_unavailable"): (
        lambda me: me.asked().in_an_outage().type_code()
    ),
    Answer("resendCode", 202): lambda me: me.asked().resend(),
    Answer("resendCode", 200): lambda me: me.logged_in().resend(),
    Answer("resendCode", 403, "csrf_failed"): (
        lambda me: me.asked().without_token().resend()
    ),
    Answer("resendCode", 409, "login_expired"): lambda me: me.resend(),
    Answer("resendCode", 503, "provider_unavailable"): (
        lambda me: me.asked_in_vain().resend()
    ),
    Answer("cancelLogin", 204): lambda me: me.asked().send("cancelLogin"),
    Answer("cancelLogin", 200): lambda me: me.logged_in().send("cancelLogin"),
    Answer("cancelLogin", 403, "csrf_failed"): (
        lambda me: me.asked().without_token().send("cancelLogin")
    ),
    Answer("readAuthToken", 200): lambda me: me.logged_in().send("readAuthToken"),
    Answer("readAuthToken", 403, "login_required"): lambda me: me.send("readAuthToken"),
    Answer("readAuthToken", 503, "provider_unavailable"): (
        lambda me: me.in_an_outage("auth-token").logged_in().send("readAuthToken")
    ),
}
IN_THE_CLOSED_SHOP = {
    Answer("askForCode", 400, "unknown_contact"): (
        lambda me: me.send("askForCode", email=STRANGER)
    ),
    Answer("askForCode", 429, "too_many_attempts"): lambda me: me.asked().asked().ask(),
    Answer("resendCode", 429, "too_many_attempts"): (
        lambda me: me.asked().asked().resend()
    ),
    Answer("checkCode", 429, "too_many_attempts"): (
        lambda me: me.asked().typed("wrong").type_code("wrong")
    ),
    Answer("checkCode", 403, "login_refused"): lambda me: me.asked().type_code(),
    Answer("readAuthToken", 404, "not_found"): lambda me: me.send("readAuthToken"),
}
IN_THE_TEXTING_SHOP = {
    Answer("askForCode", 400, "consent_required"): lambda me: me.ask(),
    Answer("readLogin", 400, "invalid"): lambda me: me.agree("refused").read_refusal(),
    Answer("readLogin", 400, "consent_required"): (
        lambda me: me.agree("unasked").read_refusal()
    ),
    Answer("checkCode", 400, "consent_required"): (
        lambda me: me.agree("late").type_code(RIGHT)
    ),
}
IN_THE_PROMPT_SHOP = {
    Answer("resendCode", 400, "invalid"): lambda me: me.agree("once").resend(),
    Answer("resendCode", 400, "consent_required"): (
        lambda me: me.agree("twice").resend()
    ),
}
SCENES = (
    IN_THE_OPEN_SHOP | IN_THE_CLOSED_SHOP | IN_THE_TEXTING_SHOP | IN_THE_PROMPT_SHOP
)
# Other tests ask the paths for apps, which are routed elsewhere in the example.
PATHS = [
    each
    for each, operations in openapi.load()["paths"].items()
    if each != "/connect/link/" and "servers" not in operations
]
numbers = count()


@pytest.fixture
def member(answer: Answer, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A new member, in the shop that gives this response."""
    shops = {
        "open_shop": IN_THE_OPEN_SHOP,
        "closed_shop": IN_THE_CLOSED_SHOP,
        "texting_shop": IN_THE_TEXTING_SHOP,
        "prompt_shop": IN_THE_PROMPT_SHOP,
    }
    [name] = [name for name, scenes in shops.items() if answer in scenes]
    shop = request.getfixturevalue(name)
    member = Visitor(shop, recipient=f"member{next(numbers)}@example.com")
    member.tell_sandbox("add", email=member.recipient)
    yield member
    member.tell_sandbox("switches", **CALM)
    shop.close_circuit()


@pytest.mark.parametrize(
    "answer", [*openapi.answers(openapi.load(), "login", "token")], ids=str
)
def test_every_documented_response_occurs(answer: Answer, member: Visitor) -> None:
    response = SCENES[answer](member)

    error = response.json()["error"]["code"] if response.status_code >= 400 else ""
    assert (response.status_code, error) == (answer.status, answer.code)


def test_the_whole_login_by_text_message_is_documented(texting_shop: Demo) -> None:
    visitor = Visitor(texting_shop)
    number = "+31612345678"

    asked = visitor.send("askForCode", phone="06 12345678", **CONSENTS)
    read = visitor.send("readLogin")
    checked = visitor.send("checkCode", code=RIGHT, recipient=number)

    assert asked.json()["recipient"] == read.json()["recipient"] == number
    assert (read.json()["channel"], checked.status_code) == ("sms", 200)


def test_a_spent_code_is_documented(texting_shop: Demo) -> None:
    visitor = Visitor(texting_shop).agree("spent")

    assert visitor.type_code(RIGHT).status_code == 503


# The CSRF check, and methods that do not exist.


@pytest.mark.parametrize("cookie", ["", "a" * 32, "x"])
def test_a_csrf_token_without_its_cookie_is_refused(
    open_shop: Demo, cookie: str
) -> None:
    visitor = Visitor(open_shop)
    visitor.session.cookies.set("csrftoken", cookie)

    assert visitor.ask().status_code == 403


def test_the_csrf_token_from_before_the_login_is_refused(open_shop: Demo) -> None:
    visitor = Visitor(open_shop).asked()
    visitor.type_code()
    del visitor.session.cookies["sessionid"]

    assert visitor.ask().status_code == 403
    assert visitor.with_token_of_cookie().ask().status_code == 202


def test_a_logged_in_visitor_is_redirected_with_any_csrf_token(open_shop: Demo) -> None:
    visitor = Visitor(open_shop).asked()
    visitor.type_code()

    assert visitor.ask().status_code == 200
    assert visitor.with_token_of_cookie().ask().status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_405_lists_the_allowed_methods(visitor: Visitor, path: str) -> None:
    url, headers = f"{visitor.url}{path}", visitor.headers
    answer = visitor.session.put(url, headers=headers, timeout=PATIENCE)

    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert answer.headers["Allow"]
