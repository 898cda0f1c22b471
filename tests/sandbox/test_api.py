"""Check the rules of the emulated API over real HTTP."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import pytest
import time_machine
from hypothesis import given, settings, strategies as st

from django_piggy_verify.sandbox import Fault, Mail, Sandbox
from django_piggy_verify.sandbox.api import answer
from django_piggy_verify.sandbox.errors import DOCUMENTED
from django_piggy_verify.sandbox.mailbox import MAILS_KEPT
from django_piggy_verify.sandbox.server import SandboxServer
from django_piggy_verify.sandbox.vendors.piggy import BASE_PATH, TOKEN_PATH
from tests.steps import NUMBER

EMAIL = "john@example.com"
VERIFICATION = f"/{BASE_PATH}/contact-verification"
PORTAL = f"/{BASE_PATH}/contacts-portal/auth-url"
CONTACTS = f"/{BASE_PATH}/contacts"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Client:
    """A keep-alive connection, with the `headers` and `status` of the last response."""

    def __init__(self, url: str) -> None:
        self.connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
        self.bearer = "Bearer key"
        self.status = 0
        self.headers: dict[str, str] = {}

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """Send one request and return the body of the response."""
        bearer = {"Authorization": self.bearer} if self.bearer else {}
        self.connection.request(method, path, body, {**bearer, **(headers or JSON)})
        response = self.connection.getresponse()
        self.status, self.headers = response.status, dict(response.getheaders())
        return response.read()

    def json(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Send one request and return the JSON object of the response."""
        answered: dict[str, Any] = json.loads(self.ask(method, path, body))
        return answered

    def send(self, **fields: object) -> dict[str, Any]:
        """Call send with a JSON body."""
        return self.json("POST", f"{VERIFICATION}/send", json.dumps(fields).encode())

    def verify(self, **fields: object) -> dict[str, Any]:
        """Call verify with a JSON body."""
        return self.json("POST", f"{VERIFICATION}/verify", json.dumps(fields).encode())

    def auth_token(self, uid: str) -> dict[str, Any]:
        """Call auth-token."""
        return self.json("GET", f"{VERIFICATION}/auth-token/{quote(uid, safe='')}")

    def portal(self, **query: str) -> dict[str, Any]:
        """Call the portal's auth-url."""
        return self.json("GET", f"{PORTAL}?{urlencode(query)}")

    def contact(self, uid: str) -> dict[str, Any]:
        """Call contacts."""
        return self.json("GET", f"{CONTACTS}/{quote(uid, safe='')}")

    def grant(self, **fields: str) -> dict[str, Any]:
        """Call the token endpoint."""
        fields = {"grant_type": "client_credentials", **fields}
        return self.json("POST", f"/{TOKEN_PATH}", json.dumps(fields).encode())


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with SandboxServer(sandbox) as server:
        client = Client(server.url)
        yield client
        client.connection.close()


# Codes.


def test_send_responds_as_documented(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact("John@Example.com")

    answered = client.send(email=EMAIL)

    assert client.status == 200
    assert answered["data"]["type"] == "Success"
    assert "sent to John@Example.com. Please" in answered["data"]["message"]
    assert answered["meta"] == []


def test_a_mailed_code_is_traded_for_the_uid(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact(EMAIL, uid="123abc-lmnopq")
    client.send(email=EMAIL)

    answered = client.verify(email="JOHN@example.com", code=sandbox.last_code(EMAIL))

    assert client.status == 200
    assert answered == {"data": {"uuid": "123abc-lmnopq"}, "meta": {}}
    assert [mail.used for mail in sandbox.mails] == [True]


def test_a_form_is_read_like_json(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact(EMAIL)

    body = urlencode({"email": EMAIL}).encode()
    client.ask("POST", f"{VERIFICATION}/send", body, FORM)

    assert client.status == 200
    assert [mail.recipient for mail in sandbox.mails] == [EMAIL]


def test_a_stranger_gets_no_code(sandbox: Sandbox, client: Client) -> None:
    answered = client.send(email=EMAIL)

    assert client.status == 400
    assert answered == {
        "message": "Contact not found.",
        "code": 55031,
        "status_code": 400,
    }
    assert not sandbox.mails


def test_a_used_code_is_refused(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact(EMAIL)
    code = sandbox.send(EMAIL).code
    client.verify(email=EMAIL, code=code)

    answered = client.verify(email=EMAIL, code=code)

    assert (client.status, answered["code"]) == (400, 13010)


def test_a_used_code_stays_good_if_so_switched(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.switches.reuse_codes = True
    sandbox.add_contact(EMAIL)
    code = sandbox.send(EMAIL).code
    client.verify(email=EMAIL, code=code)

    client.verify(email=EMAIL, code=code)

    assert client.status == 200


def test_a_wrong_code_is_refused_and_uses_nothing_up(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.add_contact(EMAIL)
    code = sandbox.send(EMAIL).code

    answered = client.verify(email=EMAIL, code="wrong")

    assert answered["code"] == 13010
    assert "uuid" in client.verify(email=EMAIL, code=code)["data"]


def test_an_expired_code_is_refused(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact(EMAIL)
    mail = sandbox.send(EMAIL)

    with time_machine.travel(mail.expires_at + timedelta(seconds=1)):
        answered = client.verify(email=EMAIL, code=mail.code)

    assert answered["code"] == 13010


def _another_code(sandbox: Sandbox, code: str) -> str:
    """Send until the code differs. One code in a million is the same."""
    return next(new for _ in range(9) if (new := sandbox.send(EMAIL).code) != code)


def test_a_new_code_voids_the_one_before(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact(EMAIL)
    first = sandbox.send(EMAIL).code
    second = _another_code(sandbox, first)

    assert client.verify(email=EMAIL, code=first)["code"] == 13010
    assert client.verify(email=EMAIL, code=second)["data"]


def test_a_stranger_cannot_verify(client: Client) -> None:
    assert client.verify(email=EMAIL, code="123456")["code"] == 13010


def test_a_code_is_six_digits(sandbox: Sandbox) -> None:
    sandbox.add_contact(EMAIL)

    codes = {sandbox.send(EMAIL).code for _ in range(50)}

    assert all(len(code) == 6 and code.isdecimal() for code in codes)
    assert len(codes) > 1


BAD_TEXTS = {
    "absent": None,
    "empty": "",
    "blank": "  ",
    "number": 123456,
    "list": ["a"],
    "object": {"a": 1},
    "null byte": "a\0b",
    "line break": "a\r\nb",
    "lone surrogate": "\ud800",
    "10 kB": "a" * 10_240,
}


@pytest.mark.parametrize("bad", BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_a_field_that_is_no_text_is_invalid_input(client: Client, bad: object) -> None:
    assert client.send(email=bad)["code"] == 1003
    assert client.verify(email=bad, code="123456")["code"] == 1003
    assert client.verify(email=EMAIL, code=bad)["code"] == 1003


BAD_BODIES = {
    "empty": b"",
    "text": b"hello",
    "list": b'["email"]',
    "number": b"1",
    "huge number": b"1" * 5000,
    "deep": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe\xfa",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize("headers", [JSON, FORM], ids=["json", "form"])
def test_a_body_that_is_no_object_is_invalid_input(
    client: Client, body: bytes, headers: dict[str, str]
) -> None:
    answered = json.loads(client.ask("POST", f"{VERIFICATION}/send", body, headers))

    assert (client.status, answered["code"]) == (400, 1003)


FIELD_NAMES = st.sampled_from(["email", "code", "grant_type", "client_id"])
FIELDS = st.none() | st.integers() | st.floats() | st.text() | st.lists(st.text())
BODIES = st.binary() | st.dictionaries(FIELD_NAMES, FIELDS).map(
    lambda fields: json.dumps(fields).encode()
)
PATHS = st.text() | st.sampled_from(
    [
        TOKEN_PATH,
        *(f"{VERIFICATION[1:]}/{call}" for call in ("send", "verify")),
        "transmit/v1/verification/otp/email/validate",
    ]
)


@settings(max_examples=50, deadline=None)
@given(path=PATHS, kind=st.sampled_from([JSON, FORM]), body=BODIES)
def test_no_request_makes_the_sandbox_raise(
    path: str, kind: dict[str, str], body: bytes
) -> None:
    headers = {"Authorization": "Bearer key", **kind}

    answered = answer(Sandbox(), "POST", path, headers, body)

    assert 400 <= answered.status < 500
    assert isinstance(json.loads(answered.body), dict)


# Auth tokens.


def test_an_auth_token_looks_like_the_vendors(sandbox: Sandbox, client: Client) -> None:
    uid = sandbox.add_contact(EMAIL).uid

    answered = client.auth_token(uid)

    token = answered["data"]["auth_token"]
    assert answered["meta"] == []
    assert 300 <= len(token) <= 400
    assert set(json.loads(base64.b64decode(token))) == {"iv", "value", "mac", "tag"}
    assert client.auth_token(uid)["data"]["auth_token"] != token


def test_an_auth_token_may_come_bare(sandbox: Sandbox, client: Client) -> None:
    sandbox.switches.bare_token = True
    uid = sandbox.add_contact(EMAIL).uid

    assert client.auth_token(uid)["data"].startswith("eyJ")


@pytest.mark.parametrize("uid", ["a/b", "../send", "%2F", "a?b#c", "ü ☃", "a;b"])
def test_a_uid_is_one_segment_of_the_path(
    sandbox: Sandbox, client: Client, uid: str
) -> None:
    sandbox.add_contact(EMAIL, uid=uid)

    for ask in (client.auth_token, client.contact):
        ask(uid)

        assert client.status == 200
        assert sandbox.calls[-1].body == {"uid": uid}


def test_an_unknown_uid_is_refused(client: Client) -> None:
    assert client.auth_token("nobody")["code"] == 55031
    assert client.contact("nobody")["code"] == 55031


# The contact.


def test_a_contact_is_shown_with_its_points(sandbox: Sandbox, client: Client) -> None:
    uid = sandbox.add_contact(EMAIL).uid
    assert client.contact(uid)["data"]["credit_balance"] == {"balance": 0}

    sandbox.set_points(EMAIL, 99)

    assert client.contact(uid) == {
        "data": {
            "uuid": uid,
            "email": EMAIL,
            "credit_balance": {"balance": 99},
            "prepaid_balance": {"balance_in_cents": 0},
            "current_values": {"email": EMAIL},
            "subscriptions": [],
            "attributes": [],
        },
        "meta": [],
    }


@pytest.mark.parametrize("points", ["99", None, 9.5, -5, []], ids=str)
def test_points_may_have_any_value(
    sandbox: Sandbox, client: Client, points: object
) -> None:
    uid = sandbox.add_contact(EMAIL).uid

    sandbox.set_points(EMAIL, points)

    assert client.contact(uid)["data"]["credit_balance"] == {"balance": points}


def test_points_stay_when_the_contact_gets_a_number(sandbox: Sandbox) -> None:
    contact = sandbox.add_contact(EMAIL)
    sandbox.set_points(EMAIL, 99)

    sandbox.add_contact(EMAIL, phone="+31612345678")

    assert [each.points for each in sandbox.contacts] == [99]
    assert sandbox.contacts[0].uid == contact.uid


def test_points_make_no_other_contact(sandbox: Sandbox) -> None:
    contact = sandbox.add_contact(EMAIL)

    sandbox.set_points(EMAIL, 99)

    assert sandbox.contacts == (contact,)


def test_nobody_has_no_points(sandbox: Sandbox) -> None:
    with pytest.raises(LookupError):
        sandbox.set_points(EMAIL, 99)


def test_a_contact_needs_an_id(client: Client) -> None:
    assert client.contact(" ")["code"] == 1003


# The portal.


def test_a_link_opens_the_portal_of_a_contact(sandbox: Sandbox, client: Client) -> None:
    contact = sandbox.add_contact(EMAIL)

    answered = client.portal(contact_uuid=contact.uid)

    home, _, token = answered["data"]["url"].partition("?token=")
    assert home == "https://portal.invalid/home"
    assert sandbox.visitor(unquote(token)) == contact
    assert client.portal(contact_uuid=contact.uid) != answered


@pytest.mark.parametrize("uid", ["a&b=c", "../send", "%2F", "a?b#c", "ü ☃", "a;b"])
def test_a_uid_is_one_value_of_the_query(
    sandbox: Sandbox, client: Client, uid: str
) -> None:
    sandbox.add_contact(EMAIL, uid=uid)

    client.portal(contact_uuid=uid)

    assert client.status == 200
    assert sandbox.calls[-1].body == {"uid": uid}


@pytest.mark.parametrize(
    ("query", "code"),
    [({"contact_uuid": "nobody"}, 55031), ({"contact_uuid": " "}, 1003), ({}, 1003)],
    ids=["unknown", "blank", "missing"],
)
def test_a_link_needs_a_contact(
    client: Client, query: dict[str, str], code: int
) -> None:
    assert client.portal(**query)["code"] == code


def test_a_contact_that_is_gone_is_not_let_into_the_portal(sandbox: Sandbox) -> None:
    token = sandbox.portal_token(sandbox.add_contact(EMAIL).uid)

    sandbox.remove_contact(EMAIL)

    assert sandbox.visitor(token) is None
    assert sandbox.visitor("made up") is None


def test_the_links_that_are_remembered_are_bounded(sandbox: Sandbox) -> None:
    uid = sandbox.add_contact(EMAIL).uid

    tokens = [sandbox.portal_token(uid) for _ in range(MAILS_KEPT + 1)]

    assert [sandbox.visitor(token) is None for token in tokens[:2]] == [True, False]


# The bearer token of each call.


@pytest.mark.parametrize("bearer", ["", "Bearer ", "Basic key", "key", "Bearer other"])
def test_a_wrong_bearer_is_refused(
    sandbox: Sandbox, client: Client, bearer: str
) -> None:
    sandbox.api_key = "key"
    client.bearer = bearer

    answered = client.send(email=EMAIL)

    assert (client.status, answered["error"]) == (401, "invalid_token")


def test_the_one_api_key_is_accepted(sandbox: Sandbox, client: Client) -> None:
    sandbox.api_key = "key"

    assert client.send(email=EMAIL)["code"] == 55031


def test_without_an_api_key_any_bearer_but_a_blank_one_will_do(
    sandbox: Sandbox,
) -> None:
    assert sandbox.accepts("anything")
    assert not sandbox.accepts("")


@pytest.mark.parametrize("api_key", [None, "another"])
def test_a_granted_token_is_accepted_until_it_expires(
    sandbox: Sandbox, client: Client, api_key: str | None
) -> None:
    sandbox.api_key = api_key
    answered = client.grant(client_id="sandbox", client_secret="sandbox")
    client.bearer = f"{answered['token_type']} {answered['access_token']}"

    assert answered["expires_in"] == 3600
    assert client.send(email=EMAIL)["code"] == 55031
    sandbox.grant_lifetime = -1
    client.bearer = f"Bearer {sandbox.grant('sandbox', 'sandbox')}"
    assert client.send(email=EMAIL)["error"] == "invalid_token"


def test_a_revoked_grant_is_refused(sandbox: Sandbox, client: Client) -> None:
    client.bearer = f"Bearer {sandbox.grant('sandbox', 'sandbox')}"

    sandbox.revoke_grants()

    assert client.send(email=EMAIL)["error"] == "invalid_token"


def test_a_grant_may_be_asked_for_with_a_form(client: Client) -> None:
    body = "grant_type=client_credentials&client_id=sandbox&client_secret=sandbox"

    client.ask("POST", f"/{TOKEN_PATH}", body.encode(), FORM)

    assert client.status == 200


@pytest.mark.parametrize(
    ("client_id", "client_secret"), [("x", "sandbox"), ("sandbox", "x")]
)
def test_a_wrong_client_gets_no_grant(
    client: Client, client_id: str, client_secret: str
) -> None:
    answered = client.grant(client_id=client_id, client_secret=client_secret)

    assert (client.status, answered["error"]) == (401, "invalid_client")


def test_another_kind_of_grant_is_refused(client: Client) -> None:
    answered = client.grant(grant_type="password")

    assert (client.status, answered["error"]) == (400, "unsupported_grant_type")


def test_another_path_is_not_found(client: Client) -> None:
    for path in ("/", "/other", f"{VERIFICATION}/auth-token/", f"{CONTACTS}/"):
        client.ask("POST", path)
        assert client.status == 404


def test_another_method_is_not_allowed(client: Client) -> None:
    client.ask("GET", f"{VERIFICATION}/send")
    assert (client.status, client.headers["Allow"]) == (405, "POST")

    for path in (f"{VERIFICATION}/auth-token/x", PORTAL, f"{CONTACTS}/x"):
        client.ask("DELETE", path)
        assert (client.status, client.headers["Allow"]) == (405, "GET")


# Switches.

FAULTS = {
    Fault.OUTAGE: (500, "text/html", b"<!DOCTYPE"),
    Fault.MAINTENANCE: (503, "text/html", b"<!DOCTYPE"),
    Fault.MALFORMED: (200, "text/html", b"<!DOCTYPE"),
    Fault.NO_DATA: (200, "application/json", b'{"meta": []}'),
    Fault.RATE_LIMITED: (429, "application/json", b'{"message"'),
    Fault.UNAUTHORIZED: (401, "application/json", b'{"error": "invalid_token"'),
    Fault.EMPTY: (200, "application/json", b""),
    Fault.REDIRECT: (302, "text/html", b"<!DOCTYPE"),
    Fault.BLOCKED: (403, "text/html", b"<!DOCTYPE"),
}


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_stands_in_front_of_the_api(
    sandbox: Sandbox, client: Client, fault: Fault
) -> None:
    sandbox.add_contact(EMAIL)
    sandbox.switches.fault = fault

    body = client.ask("POST", f"{VERIFICATION}/send", b'{"email": "john@example.com"}')

    status, content_type, start = FAULTS[fault]
    assert client.status == status
    assert client.headers["Content-Type"].startswith(content_type)
    assert body.startswith(start)
    assert not sandbox.mails


def test_a_rate_limit_says_when_to_come_back(sandbox: Sandbox, client: Client) -> None:
    sandbox.switches.fault = Fault.RATE_LIMITED

    client.send()

    assert client.headers["Retry-After"] == "30"


def test_a_redirect_leads_to_another_host(sandbox: Sandbox, client: Client) -> None:
    sandbox.switches.fault = Fault.REDIRECT

    client.ask("POST", f"{VERIFICATION}/send")

    assert client.headers["Location"] == sandbox.switches.redirect_to


def test_a_fault_can_be_kept_to_some_calls(sandbox: Sandbox, client: Client) -> None:
    sandbox.switches.fault = Fault.UNAUTHORIZED
    sandbox.switches.fault_on = frozenset({"token"})

    assert client.send(email=EMAIL)["code"] == 55031
    assert client.grant()["error"] == "invalid_token"


@pytest.mark.parametrize("code", DOCUMENTED)
def test_a_forced_error_comes_from_the_calls_that_document_it(
    sandbox: Sandbox, client: Client, code: int
) -> None:
    uid = sandbox.add_contact(EMAIL).uid
    mailed = sandbox.send(EMAIL).code
    sandbox.switches.error_code = code

    codes = {
        "auth-token": client.auth_token(uid).get("code"),
        "portal": client.portal(contact_uuid=uid).get("code"),
        "contact": client.contact(uid).get("code"),
        "verify": client.verify(email=EMAIL, code=mailed).get("code"),
        "send": client.send(email=EMAIL).get("code"),
    }

    forced = {call for call, answered in codes.items() if answered == code}
    assert forced == DOCUMENTED[code][1]


def test_an_undocumented_code_can_be_forced_too(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.switches.error_code = 99999
    sandbox.switches.error_status = 422

    answered = client.send(email=EMAIL)

    assert client.status == 422
    assert (answered["code"], answered["status_code"]) == (99999, 422)


def test_a_forced_error_can_be_kept_to_some_calls(
    sandbox: Sandbox, client: Client
) -> None:
    sandbox.switches.error_code = 7002
    sandbox.switches.fault_on = frozenset({"auth-token"})

    assert client.send(email=EMAIL)["code"] == 55031
    assert client.auth_token("x")["code"] == 7002


def test_errors_come_in_three_shapes(sandbox: Sandbox, client: Client) -> None:
    assert "errors" not in client.send()

    sandbox.switches.errors_as = "text"
    assert client.send()["errors"] == {"email": "Invalid input."}

    sandbox.switches.errors_as = "list"
    assert client.send()["errors"] == {"email": ["Invalid input."]}


def test_a_delayed_call_takes_effect_before_it_is_answered() -> None:
    sandbox, mailed_before = Sandbox(), []
    sandbox.add_contact(EMAIL)
    sandbox.switches.delay = 7.5

    def sleep(seconds: float) -> None:
        mailed_before.append((seconds, len(sandbox.mails)))

    headers = {"Authorization": "bearer key"}
    body = b'{"email": "john@example.com"}'
    answer(sandbox, "POST", f"{VERIFICATION[1:]}/send", headers, body, sleep=sleep)

    assert mailed_before == [(7.5, 1)]


# Contacts, mails, calls.


def test_a_contact_gets_a_uid_of_its_own(sandbox: Sandbox) -> None:
    john, jane = sandbox.add_contact(EMAIL), sandbox.add_contact("jane@example.com")

    assert john.uid != jane.uid
    assert sandbox.contacts == (john, jane)


def test_adding_a_contact_again_returns_the_first(sandbox: Sandbox) -> None:
    john = sandbox.add_contact(EMAIL, uid="1")

    assert sandbox.add_contact(EMAIL.upper()) == john
    assert sandbox.add_contact(EMAIL, uid="1") == john
    assert sandbox.contacts == (john,)


def test_an_address_can_change_hands(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact(EMAIL, uid="old")
    code = sandbox.send(EMAIL).code

    sandbox.add_contact(EMAIL, uid="new")

    assert [contact.uid for contact in sandbox.contacts] == ["new"]
    assert client.verify(email=EMAIL, code=code)["code"] == 13010


def test_a_contact_can_change_its_address(sandbox: Sandbox) -> None:
    sandbox.add_contact("jane@example.com", uid="2")
    sandbox.add_contact(EMAIL, uid="1")

    sandbox.add_contact("new@example.com", uid="1")

    emails = [contact.email for contact in sandbox.contacts]
    assert emails == ["jane@example.com", "new@example.com"]


def test_a_contact_can_have_a_number_too(sandbox: Sandbox) -> None:
    john = sandbox.add_contact(EMAIL, uid="1")

    with_number = sandbox.add_contact(EMAIL, phone=NUMBER)

    assert sandbox.add_contact(phone=NUMBER) == with_number
    assert sandbox.contacts == (with_number,)
    assert (with_number.uid, with_number.user_id) == ("1", john.user_id)


def test_a_contact_who_gets_the_number_of_another_takes_its_place(
    sandbox: Sandbox,
) -> None:
    john = sandbox.add_contact(EMAIL)
    sandbox.add_contact(phone=NUMBER)

    sandbox.add_contact(EMAIL, phone=NUMBER)

    [contact] = sandbox.contacts
    assert (contact.email, contact.phone) == (EMAIL, NUMBER)
    assert contact.user_id == john.user_id


def test_an_address_that_changes_hands_has_another_user_id(sandbox: Sandbox) -> None:
    old = sandbox.add_contact(EMAIL, uid="old")

    new = sandbox.add_contact(EMAIL, uid="new")

    assert new.user_id != old.user_id


def test_a_contact_with_a_number_only_is_removed_by_the_number(
    sandbox: Sandbox,
) -> None:
    sandbox.add_contact(phone=NUMBER)
    sandbox.send_to_anybody(NUMBER)

    sandbox.remove_contact(NUMBER)

    assert not sandbox.contacts
    with pytest.raises(LookupError):
        sandbox.last_code(NUMBER)


def test_a_blank_text_is_the_address_of_nobody(sandbox: Sandbox) -> None:
    john = sandbox.add_contact(phone=NUMBER)

    sandbox.remove_contact("")

    assert sandbox.contacts == (john,)


def test_a_number_is_no_address(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact(EMAIL, phone=NUMBER)

    assert client.send(email=NUMBER)["code"] == 55031


def test_a_removed_contact_is_a_stranger(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact(EMAIL)
    code = sandbox.send(EMAIL).code

    sandbox.remove_contact(EMAIL.upper())

    assert client.send(email=EMAIL)["code"] == 55031
    assert client.verify(email=EMAIL, code=code)["code"] == 13010


def test_mails_are_newest_first_and_bounded(sandbox: Sandbox) -> None:
    sandbox.add_contact(EMAIL)

    sent = [sandbox.send(EMAIL) for _ in range(201)]

    assert sandbox.mails == tuple(reversed(sent[1:]))


def test_there_is_no_last_code_before_the_first(sandbox: Sandbox) -> None:
    sandbox.add_contact(EMAIL)

    with pytest.raises(LookupError):
        sandbox.last_code(EMAIL)


def test_each_mail_is_announced() -> None:
    announced: list[Mail] = []
    sandbox = Sandbox(announce=announced.append)
    sandbox.add_contact(EMAIL)

    mail = sandbox.send(EMAIL)

    assert announced == [mail]


def test_every_call_is_recorded_in_order(sandbox: Sandbox, client: Client) -> None:
    sandbox.switches.fault = Fault.NO_DATA

    client.send(email=EMAIL)
    client.verify(email=EMAIL, code="123456")
    client.auth_token("a b")
    client.portal(contact_uuid="a b")
    client.contact("a b")
    client.grant()
    client.ask("GET", "/elsewhere?a=1")

    names = ["send", "verify", "auth-token", "portal", "contact", "token", "unknown"]
    assert [call.name for call in sandbox.calls] == names
    assert sandbox.calls[1].body == {"email": EMAIL, "code": "123456"}
    assert sandbox.calls[2].path == f"{VERIFICATION[1:]}/auth-token/a%20b"
    assert sandbox.calls[3].path == f"{PORTAL[1:]}?contact_uuid=a+b"
    assert sandbox.calls[4].path == f"{CONTACTS[1:]}/a%20b"
    assert sandbox.calls[5].headers["authorization"] == "Bearer key"
    assert (sandbox.calls[6].method, sandbox.calls[6].path) == ("GET", "elsewhere?a=1")


def test_no_code_key_or_uid_is_in_a_repr(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_contact(EMAIL)
    mail = sandbox.send(EMAIL)
    client.bearer = "Bearer my-key"
    client.verify(email=EMAIL, code=mail.code)
    client.auth_token("my-uid")
    client.portal(contact_uuid="my-uid")

    shown = repr((sandbox, sandbox.mails, sandbox.calls))

    assert not any(secret in shown for secret in (mail.code, "my-key", "my-uid"))


def test_a_reset_forgets_everything(sandbox: Sandbox, client: Client) -> None:
    uid = sandbox.add_contact(EMAIL).uid
    sandbox.switches.error_code = 1003
    client.bearer = f"Bearer {sandbox.grant('sandbox', 'sandbox')}"
    sandbox.send(EMAIL)
    client.send(email=EMAIL)
    token = sandbox.portal_token(uid)

    sandbox.reset()

    assert (sandbox.contacts, sandbox.mails, sandbox.calls) == ((), (), ())
    assert sandbox.switches.error_code is None
    assert client.send(email=EMAIL)["error"] == "invalid_token"
    sandbox.add_contact(EMAIL, uid)
    assert sandbox.visitor(token) is None
