"""
The pages after a send that has failed, and while no codes are sent.

The failure becomes known after the response to the address. Only a failure that affects
every address in the same way is told. All others look like a code that was sent.
"""

import time

import pytest
from django.test import Client

from django_piggy_verify.login import after_response, rate_limits
from django_piggy_verify.sandbox import Fault
from tests.steps import (
    ADDRESS,
    JSON,
    STRANGER,
    ask_for_code,
    calls,
    is_logged_in,
    type_code,
)

SAID = [Fault.MAINTENANCE, Fault.RATE_LIMITED, Fault.UNAUTHORIZED, Fault.BLOCKED]
HIDDEN = [each for each in Fault if each not in SAID]
EMAIL, CODE, RESEND = "/login/", "/login/code/", "/login/code/resend/"
UNSENT = "<h1>We could not send a code</h1>"
UNAVAILABLE = "<h1>Logging in does not work right now</h1>"


@pytest.fixture
def maintenance(piggy_sandbox, contact):
    """Let every call fail. Return a function that ends this."""
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    def end():
        piggy_sandbox.switches.fault = None

    return end


@pytest.fixture
def failed(client, maintenance):
    """`client` has asked for a code that could not be sent. The API works again."""
    ask_for_code(client, next="/members/?a=1")
    maintenance()


@pytest.fixture
def is_open(maintenance):
    """The API does not work, no codes are sent, and the probe was made just now."""
    ask_for_code(Client(), "carol@example.com")
    ask_for_code(Client(), "carol@example.com")


@pytest.fixture
def no_room():
    """Refuse all work after responses, as when too much of it waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(after_response, "run", lambda *_args, **_kwargs: False)
        yield patch


def counted(address=ADDRESS):
    return [each.limit for each in rate_limits.usage_of(address) if each.number]


def assert_is_json_of_an_outage(response):
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (503, "provider_unavailable")
    assert int(response["Retry-After"]) == error["retry_after"] == 30
    assert "limit" not in error


@pytest.mark.parametrize("address", [ADDRESS, STRANGER])
@pytest.mark.parametrize("fault", SAID)
def test_the_code_page_says_that_no_code_could_be_sent(
    client, contact, piggy_sandbox, fault, address
):
    piggy_sandbox.switches.fault = fault

    asked, page = ask_for_code(client, address), client.get(CODE)

    assert (asked.status_code, asked.url) == (302, CODE)
    assert (page.status_code, page["Retry-After"]) == (503, "30")
    assert UNSENT in page.text
    assert "Try again in 30 seconds." in page.text


@pytest.mark.parametrize("fault", HIDDEN)
def test_a_failure_that_may_depend_on_the_contact_looks_like_a_code_sent(
    client, contact, piggy_sandbox, fault
):
    piggy_sandbox.switches.fault = fault
    ask_for_code(client)

    assert client.get(CODE).status_code == 200
    assert ask_for_code(Client(), STRANGER).status_code == 302


def test_a_script_is_told_that_no_code_could_be_sent(client, maintenance):
    asked = client.post(EMAIL, {"email": ADDRESS}, headers=JSON)

    assert (asked.status_code, asked.json()["sent"]) == (202, True)
    assert_is_json_of_an_outage(client.get(CODE, headers=JSON))


@pytest.mark.parametrize("typed", ["123456", ""], ids=["code", "blank"])
def test_no_code_is_checked_if_none_could_be_sent(client, failed, piggy_sandbox, typed):
    page = type_code(client, typed)

    assert (page.status_code, page["Retry-After"]) == (503, "30")
    assert UNSENT in page.text
    assert calls(piggy_sandbox) == ["send"]
    assert counted() == []


def test_no_code_of_a_script_is_checked_if_none_could_be_sent(
    client, failed, piggy_sandbox
):
    assert_is_json_of_an_outage(client.post(CODE, {"code": "123456"}, headers=JSON))
    assert calls(piggy_sandbox) == ["send"]


def test_reading_only_the_headers_of_the_code_page_tells_the_failure(client, failed):
    assert client.head(CODE).status_code == 503


def test_a_failed_send_is_given_back_with_its_cooldown(client, maintenance):
    ask_for_code(client)

    assert counted() == []


def test_trying_again_sends_a_code_that_logs_in(client, failed, piggy_sandbox):
    login = client.get(CODE).context["login"]

    again = client.post(RESEND, {"login": login})

    assert (again.status_code, again.url) == (302, CODE)
    assert client.get(CODE).status_code == 200
    assert type_code(client, piggy_sandbox.last_code(ADDRESS)).url == "/members/?a=1"
    assert is_logged_in(client)


def test_the_failure_is_forgotten_when_the_visitor_cancels(client, failed):
    assert client.post("/login/cancel/").url == "/login/?next=%2Fmembers%2F%3Fa%3D1"
    assert client.get(CODE).url == "/login/?expired=none"


def test_a_failed_resend_is_said_although_the_first_code_was_sent(
    client, code, piggy_sandbox, unlimited
):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    again, page = client.post(RESEND), client.get(CODE)

    assert (again.status_code, again.url) == (302, CODE)
    assert page.status_code == 503
    assert UNSENT in page.text


@pytest.mark.parametrize("second", [EMAIL, RESEND])
def test_a_failure_that_follows_a_second_press_of_the_button_is_said(
    client, maintenance, monkeypatch, second
):
    """The second request is held back by the cooldown of the first."""
    jobs = []

    def keep(_request, job, **_kwargs):
        jobs.append(job)
        return True

    monkeypatch.setattr(after_response, "run", keep)
    ask_for_code(client)
    client.post(second, {"email": ADDRESS})

    [send] = jobs
    send()

    assert client.get(CODE).status_code == 503


@pytest.mark.parametrize("again", [EMAIL, RESEND])
def test_a_code_that_was_sent_for_another_browser_can_be_typed_after_a_failure(
    client, failed, piggy_sandbox, again
):
    """The second request is held back by the cooldown of the other browser."""
    ask_for_code(Client())
    client.post(again, {"email": ADDRESS})

    assert client.get(CODE).context["is_held_back"]
    type_code(client, piggy_sandbox.last_code(ADDRESS))
    assert is_logged_in(client)


def test_the_failure_is_said_of_no_other_login(client, maintenance):
    other = Client()
    ask_for_code(other, STRANGER)
    login = client.get(CODE)
    maintenance()
    ask_for_code(client)

    assert login.url == "/login/?expired=none"
    assert client.get(CODE).status_code == 200
    assert other.get(CODE).status_code == 503


def test_each_tab_tells_the_failure_of_its_own_login(client, failed, piggy_sandbox):
    mine = client.get(CODE).context["login"]
    ask_for_code(client, STRANGER)

    assert type_code(client, "wrong").status_code == 200
    assert type_code(client, "123456", login=mine).status_code == 503


def test_the_next_address_is_a_probe_whose_failure_is_shown_at_once(
    client, failed, piggy_sandbox
):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    page = ask_for_code(Client(), STRANGER)

    assert (page.status_code, page["Retry-After"]) == (503, "30")
    assert UNAVAILABLE in page.text
    assert "attempt" not in page.text
    assert calls(piggy_sandbox) == ["send", "send"]
    assert counted(STRANGER) == []


@pytest.mark.parametrize("address", [ADDRESS, STRANGER])
def test_while_the_circuit_is_open_no_address_causes_a_call_or_a_count(
    client, is_open, piggy_sandbox, address
):
    page = ask_for_code(client, address)

    assert (page.status_code, page["Retry-After"]) == (503, "30")
    assert UNAVAILABLE in page.text
    assert not page.cookies
    assert calls(piggy_sandbox) == ["send", "send"]
    assert counted(address) == []


def test_a_script_is_told_that_the_circuit_is_open(client, is_open, piggy_sandbox):
    assert_is_json_of_an_outage(client.post(EMAIL, {"email": ADDRESS}, headers=JSON))
    assert calls(piggy_sandbox) == ["send", "send"]


def test_while_the_circuit_is_open_no_other_code_is_sent(
    client, code, is_open, piggy_sandbox
):
    page = client.post(RESEND)

    assert page.status_code == 503
    assert calls(piggy_sandbox) == ["send", "send", "send"]


def test_a_code_that_was_mailed_can_be_typed_while_the_circuit_is_open(
    client, code, is_open, maintenance
):
    maintenance()

    assert type_code(client, code).url == "/members/"


def test_one_address_in_five_seconds_is_a_probe(
    client, maintenance, piggy_sandbox, time_machine
):
    time_machine.move_to(time.time(), tick=False)
    ask_for_code(client)
    for _ in range(12):
        assert ask_for_code(client).status_code == 503
        time_machine.shift(1)

    assert len(calls(piggy_sandbox)) == 1 + 3


def test_a_probe_that_succeeds_lets_all_codes_through(client, failed, piggy_sandbox):
    probe = ask_for_code(client)
    other = ask_for_code(Client(), STRANGER)

    assert (probe.url, other.url) == (CODE, CODE)
    assert calls(piggy_sandbox) == ["send"] * 3
    assert type_code(client, piggy_sandbox.last_code(ADDRESS)).url == "/members/"


@pytest.mark.parametrize("fault", HIDDEN)
def test_the_next_address_does_not_show_that_a_probe_has_failed_for_a_contact(
    client, failed, piggy_sandbox, fault
):
    piggy_sandbox.switches.fault = fault
    probe = ask_for_code(client)
    piggy_sandbox.switches.fault = None

    other = ask_for_code(Client(), STRANGER)

    assert (probe.url, other.url) == (CODE, CODE)


def test_the_circuit_closes_thirty_seconds_after_the_last_failure(
    client, maintenance, piggy_sandbox, time_machine
):
    time_machine.move_to(time.time(), tick=False)
    statuses = []
    for seconds in (0, 20, 29, 30):
        time_machine.shift(seconds)
        statuses.append(ask_for_code(client).status_code)

    assert statuses == [302, 503, 503, 302]


def test_a_clock_that_is_set_back_does_not_keep_the_circuit_open(
    client, maintenance, time_machine
):
    now = time.time()
    time_machine.move_to(now + 3600)
    for _ in ("the failure", "the probe"):
        ask_for_code(client)
    time_machine.move_to(now)
    maintenance()

    assert ask_for_code(client).url == CODE


def test_an_address_without_room_in_the_process_is_refused_and_not_counted(
    client, contact, piggy_sandbox, no_room
):
    page = ask_for_code(client)

    assert (page.status_code, page["Retry-After"]) == (503, "30")
    assert UNAVAILABLE in page.text
    assert calls(piggy_sandbox) == counted() == []


def test_a_script_is_told_that_there_is_no_room(client, contact, no_room):
    assert_is_json_of_an_outage(client.post(EMAIL, {"email": ADDRESS}, headers=JSON))


def test_a_process_without_room_opens_no_circuit(client, contact, no_room):
    ask_for_code(client)
    no_room.undo()

    assert ask_for_code(client).url == CODE


def test_after_a_resend_without_room_the_first_code_can_be_typed(
    client, code, unlimited, no_room
):
    assert client.post(RESEND).status_code == 503

    assert client.get(CODE).status_code == 200
    assert type_code(client, code).url == "/members/"


def test_a_failure_is_shown_at_once_where_strangers_are_told_so(
    client, maintenance, settings, piggy_sandbox
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False

    page = ask_for_code(client)

    assert page.status_code == 503
    assert UNAVAILABLE in page.text
    assert counted() == []
    assert client.get(CODE).url == "/login/?expired=none"


def test_an_outage_at_a_check_opens_no_circuit(client, code, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    type_code(client, code)
    piggy_sandbox.switches.fault = None

    assert client.get(CODE).status_code == 200
    assert ask_for_code(Client(), STRANGER).status_code == 302
    assert calls(piggy_sandbox) == ["send", "verify", "send"]
