"""The pages do not tell contacts from strangers."""

import pytest
from django.test import Client

from django_piggy_verify.sandbox import ApiError, Fault
from django_piggy_verify.sandbox.errors import DOCUMENTED
from django_piggy_verify.testing import assert_strangers_look_like_contacts, strangers
from tests.steps import (
    ADDRESS,
    JSON,
    STRANGER,
    ask_for_code,
    calls,
    log_in,
    type_code,
)

OTHER = "bob@example.com"
EITHER = pytest.mark.parametrize("address", [ADDRESS, OTHER], ids=["ann", "stranger"])
UNDOCUMENTED = 99999
CODES = [
    (call, code)
    for code, (_, called) in (DOCUMENTED | {UNDOCUMENTED: ("", {"send"})}).items()
    for call in ("send", "verify")
    if call in called
]
# Failures that cannot depend on the contact are shown to everybody, on the code page.
SAID = [Fault.MAINTENANCE, Fault.RATE_LIMITED, Fault.UNAUTHORIZED, Fault.BLOCKED]
HIDDEN = [each for each in Fault if each not in SAID]


@pytest.fixture
def they_look_alike(db, piggy_sandbox, monkeypatch):
    """The assertion, from the address to the resend, and without its sleeps."""
    monkeypatch.setattr(strangers, "STEPS", strangers.STEPS[1:6])
    monkeypatch.setattr(strangers, "FLOOR", 0)

    def look_alike():
        assert_strangers_look_like_contacts(
            piggy_sandbox, contact=ADDRESS, stranger=OTHER
        )

    return look_alike


@pytest.fixture
def misbehave_for(piggy_sandbox, monkeypatch):
    """Let the calls for one address fail, and no other."""

    def begin(address, call, **answers):
        for switch, answer in answers.items():

            def act(name, _answer=answer):
                is_meant = name == call and recorded().get("email") == address
                return _answer if is_meant else None

            monkeypatch.setattr(piggy_sandbox.switches, switch, act)

    def recorded():
        return piggy_sandbox.calls[-1].body

    return begin


@pytest.mark.parametrize("call", ["send", "verify"])
@pytest.mark.parametrize("fault", Fault)
def test_contacts_and_strangers_look_alike_when_a_call_fails(
    they_look_alike, piggy_sandbox, fault, call
):
    piggy_sandbox.switches.fault = fault
    piggy_sandbox.switches.fault_on = frozenset({call})

    they_look_alike()


@pytest.mark.parametrize(("call", "code"), CODES)
def test_contacts_and_strangers_look_alike_after_an_error_of_the_api(
    they_look_alike, piggy_sandbox, call, code
):
    piggy_sandbox.switches.error_code = code
    piggy_sandbox.switches.fault_on = frozenset({call})

    they_look_alike()


@EITHER
def test_an_open_circuit_is_the_same_for_contacts_and_strangers(
    contact, piggy_sandbox, address
):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(Client(), "carol@example.com")

    responses = [ask_for_code(Client(), address) for _ in range(3)]

    assert [each.status_code for each in responses] == [503] * 3
    assert len({each.text for each in responses}) == 1
    assert calls(piggy_sandbox) == ["send", "send"], "one of the three is a probe"


@EITHER
@pytest.mark.parametrize("fault", HIDDEN)
def test_a_send_that_fails_for_one_looks_like_a_code_sent(
    they_look_alike, misbehave_for, fault, address
):
    misbehave_for(address, "send", fault_for=fault)

    they_look_alike()


@EITHER
@pytest.mark.parametrize("code", [1003, 13010, 55031, UNDOCUMENTED])
def test_a_send_that_is_refused_for_one_looks_like_a_code_sent(
    they_look_alike, misbehave_for, code, address
):
    misbehave_for(address, "send", error_for=ApiError(code))

    they_look_alike()


@EITHER
@pytest.mark.parametrize("code", [1003, 13010, 55031])
def test_a_check_that_is_refused_for_one_looks_like_a_wrong_code(
    they_look_alike, misbehave_for, code, address
):
    misbehave_for(address, "verify", error_for=ApiError(code))

    they_look_alike()


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500, 503])
def test_a_stranger_is_known_by_the_code_of_the_error_whatever_the_status(
    they_look_alike, piggy_sandbox, status
):
    piggy_sandbox.switches.error_status = status

    they_look_alike()


@pytest.mark.parametrize("state", ["is_active", "is_staff", "is_superuser"])
def test_a_refused_member_looks_like_a_stranger_until_the_code_is_right(
    they_look_alike, user, state
):
    setattr(user, state, not getattr(user, state))
    user.save()

    they_look_alike()


def test_a_refused_member_gets_neither_session_nor_token(
    user, piggy_sandbox, unlimited
):
    type(user).objects.update(is_active=False)
    earlier = calls(piggy_sandbox)

    response = log_in(Client(), piggy_sandbox)

    assert response.status_code == 403
    assert set(response.cookies) == {"piggy_verify_login"}
    assert calls(piggy_sandbox) == [*earlier, "send", "verify"]


@pytest.mark.parametrize("headers", [{}, JSON], ids=["html", "json"])
@pytest.mark.parametrize("code", sorted({code for _, code in CODES} & {*DOCUMENTED}))
def test_no_text_of_the_api_is_shown(contact, piggy_sandbox, unlimited, code, headers):
    browser = Client(headers=headers)
    responses = [ask_for_code(browser), browser.get("/login/code/")]
    piggy_sandbox.switches.error_code = code
    piggy_sandbox.switches.errors_as = "list"
    responses += [ask_for_code(browser), type_code(browser, "wrong")]

    shown = "".join(each.text for each in responses)
    assert "An email containing a link" not in shown
    assert DOCUMENTED[code][0].rstrip(".") not in shown


def test_a_stranger_gets_an_error_where_the_project_wants_this(
    client, contact, settings
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False

    responses = [client.post("/login/", {"email": STRANGER}) for _ in range(2)]

    assert [each.status_code for each in responses] == [200, 200]
    assert responses[1].context["form"].has_error("email", "unknown_contact")


def test_a_resend_to_a_contact_that_vanished_starts_again(
    client, contact, piggy_sandbox, settings, unlimited
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False
    ask_for_code(client)
    piggy_sandbox.remove_contact(ADDRESS)

    response = client.post("/login/code/resend/")

    assert response.url == "/login/?expired=1"
