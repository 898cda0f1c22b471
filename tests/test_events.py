"""Check the log events: their names, their fields, and that none has an address."""

import logging
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from django_piggy_verify import events
from django_piggy_verify.events import Event
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.tokens import get_auth_token
from tests.steps import ADDRESS, STRANGER, ask_for_code, log_in, type_code

EVENTS = {each.name: each for each in vars(events).values() if isinstance(each, Event)}
MASKED = "a***@example.com"
LOGGER = "django_piggy_verify"


@pytest.fixture(autouse=True)
def everything_is_logged(caplog):
    caplog.set_level(logging.DEBUG, logger=LOGGER)


@pytest.fixture
def told(caplog):
    """Return a function that returns the fields of the last record of an event."""

    def find(event):
        records = [each for each in caplog.records if each.name == LOGGER]
        assert all(each.event_name in EVENTS for each in records)
        [*_, record] = [each for each in records if each.event_name == event.name]
        names = re.findall(r"%\((\w+)\)", event.text)
        assert record.getMessage() == event.text % vars(record)
        return {name: getattr(record, name) for name in names}

    return find


def test_no_two_events_have_one_name():
    assert len(EVENTS) == sum(isinstance(each, Event) for each in vars(events).values())


def test_a_login_logs_each_step(client, contact, piggy_sandbox, told):
    log_in(client, piggy_sandbox)

    user = User.objects.get()
    assert told(events.CODE_SENT) == {"recipient": MASKED}
    assert told(events.CONTACT_VERIFIED) == {
        "recipient": MASKED,
        "user_id": user.pk,
        "is_new": True,
    }
    assert told(events.AUTH_TOKEN_FETCHED)["until"]


@pytest.mark.parametrize("verb", ["send", "check", "fetch"])
def test_each_call_is_logged_with_its_duration(
    client, contact, piggy_sandbox, caplog, verb
):
    piggy_sandbox.switches.delay = 0.1

    log_in(client, piggy_sandbox)

    [record] = [each for each in caplog.records if getattr(each, "verb", "") == verb]
    assert record.event_name == "provider_answered"
    assert 0.1 <= record.duration < 5


def test_a_resend_within_the_cooldown_is_logged(client, code, told):
    client.post("/login/code/resend/")

    assert told(events.SEND_HELD_BACK) == {"recipient": MASKED}


def test_an_unknown_contact_is_logged_and_the_call_succeeded(
    client, db, piggy_sandbox, told
):
    ask_for_code(client, STRANGER)

    assert told(events.CONTACT_UNKNOWN) == {"recipient": "n***@example.com"}
    assert told(events.PROVIDER_ANSWERED)["verb"] == "send"


def test_a_wrong_code_is_logged_and_the_call_succeeded(client, code, told):
    type_code(client, "000000000")

    assert told(events.CODE_REJECTED) == {"recipient": MASKED}
    assert told(events.PROVIDER_ANSWERED)["verb"] == "check"


def test_a_limit_is_logged_with_the_wait(client, code, settings, told):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "1/1h"}

    type_code(client, "000000000")
    type_code(client, "000000001")

    assert told(events.LIMIT_REACHED) == {
        "limit": "check_ip",
        "retry_after": 3600,
        "recipient": MASKED,
    }


def test_a_refused_login_is_logged_with_its_reason(client, code, settings, told):
    settings.PIGGY_VERIFY_CREATE_USERS = False

    type_code(client, code)

    assert told(events.LOGIN_REFUSED) == {
        "recipient": MASKED,
        "reason": "the contact has no user, and no users are created",
    }


@pytest.mark.parametrize(
    "failure",
    [
        (Fault.MAINTENANCE, events.PROVIDER_UNAVAILABLE, 503),
        (Fault.UNAUTHORIZED, events.PROVIDER_REFUSED, 401),
        (Fault.OUTAGE, events.SEND_UNCERTAIN, 500),
    ],
    ids=["theirs", "ours", "nobody is told"],
)
def test_the_level_of_a_failure_says_who_must_act(
    client, contact, piggy_sandbox, told, failure
):
    piggy_sandbox.switches.fault, event, status = failure

    ask_for_code(client)

    fields = told(event)
    assert (fields["verb"], fields["status"]) == ("send", status)
    assert fields["duration"] < 5


def test_a_failed_send_is_logged_with_the_seconds_without_codes(
    client, contact, piggy_sandbox, told
):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(client)

    assert told(events.CIRCUIT_OPENED) == {"seconds": 30}


def test_an_address_that_gets_no_code_is_logged_masked(
    client, contact, piggy_sandbox, told
):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    for address in (STRANGER, STRANGER, ADDRESS):
        ask_for_code(client, address)

    assert told(events.SEND_STOPPED) == {"recipient": MASKED}


@pytest.mark.parametrize("fault", [None, Fault.OUTAGE, Fault.MAINTENANCE])
def test_the_probe_that_closes_the_circuit_is_logged(
    client, contact, piggy_sandbox, caplog, fault
):
    """A failure that the visitor is not told, such as `OUTAGE`, closes it too."""
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(client)
    piggy_sandbox.switches.fault = fault
    ask_for_code(client)

    logged = [each.event_name for each in caplog.records if each.name == LOGGER]
    assert ("circuit_closed" in logged) == (fault is not Fault.MAINTENANCE)


def test_the_use_of_an_old_token_is_logged(user, piggy_sandbox, settings, told):
    settings.PIGGY_VERIFY_AUTH_TOKEN_TTL = 60
    get_auth_token(user, refresh=True)
    piggy_sandbox.switches.fault = Fault.OUTAGE

    get_auth_token(user, refresh=True)

    assert told(events.AUTH_TOKEN_KEPT)["until"]


def test_a_contact_that_is_gone_at_the_login_is_logged(
    client, contact, piggy_sandbox, told
):
    piggy_sandbox.switches.error_code = 55031
    piggy_sandbox.switches.fault_on = frozenset({"auth-token"})

    log_in(client, piggy_sandbox)

    assert told(events.CONTACT_GONE) == {"user_id": User.objects.get().pk}


def test_an_unknown_error_of_the_token_fetch_is_logged_with_a_traceback(
    client, code, told, caplog, settings
):
    settings.PIGGY_VERIFY_AUTH_TOKEN_TTL = "no number"

    type_code(client, code)

    assert told(events.AUTH_TOKEN_FAILED) == {"user_id": User.objects.get().pk}
    assert caplog.records[-1].exc_info


def test_no_record_has_a_whole_address(
    client, contact, piggy_sandbox, settings, caplog
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "1/1h"}
    log_in(client, piggy_sandbox)
    other = Client()
    for address in (ADDRESS, STRANGER):
        ask_for_code(other, address)
    for _ in range(2):
        type_code(other, "wrong")

    logged = caplog.text + str([vars(each) for each in caplog.records])
    assert "check_ip" in logged
    assert ADDRESS not in logged
    assert STRANGER not in logged


def test_a_record_names_the_line_that_logged_it(client, code, caplog):
    type_code(client, "000000000")

    assert "checking.py" in {each.filename for each in caplog.records}
    assert "events.py" not in {each.filename for each in caplog.records}


def test_a_record_without_a_handler_is_not_formatted(caplog, monkeypatch):
    caplog.set_level(logging.WARNING, logger=LOGGER)
    monkeypatch.setattr("django_piggy_verify.recipients.masked", pytest.fail)

    events.CODE_SENT.log(recipient=ADDRESS)

    assert caplog.records == []


def test_no_field_can_forge_another_record(caplog):
    events.LOGIN_REFUSED.log(recipient="a@x\n2026 ERROR", reason="no\r\nERROR forged")

    assert caplog.messages == [
        "The login of a***@x?2026 ERROR was refused: no??ERROR forged"
    ]
