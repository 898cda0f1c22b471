"""
The duration of a send does not tell contacts from strangers.

The test client sends the code in the request's own thread, after the response. So the
duration of its request is the time until the end of a connection.
"""

import time
from statistics import median

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_piggy_verify.sandbox import Fault
from tests.steps import (
    ADDRESS,
    STRANGER,
    UNLIMITED,
    ask_for_code,
    calls,
    log_in,
    type_code,
)

LATENCY = 0.1
FLOOR = 0.2
TOLERANCE = 0.025
TIMES = 8
REFUSALS = {"send_cooldown": 302, "send_recipient": 429}
SLEEP = "django_piggy_verify.login.after_response.time.sleep"


class Visitor(Client):
    """A browser with a login in progress."""

    def __init__(self, address):
        super().__init__()
        self.address = address
        ask_for_code(self, address)


@pytest.fixture
def pair(contact, unlimited):
    """A contact and a stranger."""
    return Visitor(ADDRESS), Visitor(STRANGER)


@pytest.fixture(params=[ADDRESS, STRANGER])
def visitor(contact, request):
    """A visitor, once with the address of a contact and once with a stranger's."""
    return Visitor(request.param)


@pytest.fixture
def slow_for_contacts(piggy_sandbox, monkeypatch):
    """Make the sandbox slow for contacts and fast for strangers."""
    send = piggy_sandbox.send

    def slowly(email):
        mail = send(email)
        time.sleep(LATENCY)
        return mail

    monkeypatch.setattr(piggy_sandbox, "send", slowly)


@pytest.fixture
def floor(settings):
    settings.PIGGY_VERIFY_SEND_FLOOR = FLOOR


@pytest.fixture
def slept(monkeypatch, floor):
    """Record the seconds of each sleep, without sleeping."""
    seconds: list[float] = []
    monkeypatch.setattr(SLEEP, seconds.append)
    return seconds


def seconds_of(act, *args):
    started = time.monotonic()
    act(*args)
    return time.monotonic() - started


def difference(act, pair):
    """Return the extra seconds for a contact. Both take turns, since load varies."""
    turns = [[seconds_of(act, visitor) for visitor in pair] for _ in range(TIMES)]
    contact, stranger = zip(*turns, strict=True)
    return median(contact) - median(stranger)


def takes_equally_long(act, pair):
    """Measure again if the times differ: load goes away, a leak does not."""
    return any(abs(difference(act, pair)) < TOLERANCE for _ in range(3))


def ask(visitor):
    return ask_for_code(visitor, visitor.address)


def ask_again(visitor):
    return visitor.post("/login/code/resend/")


def mistype(visitor):
    type_code(visitor, "wrong")


def test_without_a_floor_the_times_differ(pair, slow_for_contacts):
    assert difference(ask, pair) > LATENCY / 2


def test_asking_for_a_code_takes_equally_long(pair, slow_for_contacts, floor):
    assert takes_equally_long(ask, pair)


def test_a_resend_takes_equally_long(pair, slow_for_contacts, floor):
    assert takes_equally_long(ask_again, pair)


def test_a_wrong_code_takes_equally_long(pair, piggy_sandbox):
    piggy_sandbox.switches.delay = LATENCY / 2

    assert takes_equally_long(mistype, pair)


@pytest.mark.parametrize("fault", [Fault.MAINTENANCE, Fault.OUTAGE])
def test_a_send_that_fails_keeps_the_floor(
    client, contact, piggy_sandbox, floor, fault
):
    piggy_sandbox.switches.fault = fault

    assert seconds_of(ask_for_code, client) >= FLOOR


def test_a_send_that_is_slower_than_the_floor_is_not_padded(
    client, contact, piggy_sandbox, slept, settings
):
    settings.PIGGY_VERIFY_SEND_FLOOR = 1e-6
    ask_for_code(client)

    assert slept == [0]


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("act", [ask, ask_again])
def test_the_response_waits_neither_for_the_send_nor_for_the_floor(
    visitor, piggy_sandbox, slept, monkeypatch, act
):
    earlier, done = len(piggy_sandbox.calls), []

    def close(_request):
        done.append((calls(piggy_sandbox)[earlier:], [*slept]))

    monkeypatch.setattr(HttpRequest, "close", close)
    act(visitor)

    assert done == [([], [])]
    assert calls(piggy_sandbox)[earlier:] == ["send"]
    assert 0 < sum(slept) <= FLOOR


@pytest.mark.parametrize("act", [ask, ask_again])
@pytest.mark.parametrize("limit", REFUSALS)
def test_a_refusal_does_not_sleep(settings, visitor, slept, act, limit):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {limit: "1/1h"}

    assert act(visitor).status_code == REFUSALS[limit]
    assert slept == []


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("act", [ask, ask_again])
def test_an_open_circuit_and_its_probe_do_not_sleep(visitor, piggy_sandbox, slept, act):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(Client(), "carol@example.com")
    slept.clear()

    assert [act(visitor).status_code for _ in range(2)] == [503, 503]
    assert slept == []


def test_a_send_before_the_response_does_not_sleep(client, contact, slept, settings):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False
    for address in (ADDRESS, STRANGER):
        ask_for_code(client, address)

    assert slept == []


def test_a_login_is_not_padded(client, contact, piggy_sandbox, slept):
    log_in(client, piggy_sandbox)

    send, token = slept
    assert 0 < send <= FLOOR
    assert token == 0


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("fault", [None, Fault.MAINTENANCE])
def test_after_the_floor_there_is_no_query_and_no_call(
    visitor, piggy_sandbox, monkeypatch, fault
):
    done = []

    def note(*_args):
        done.append((len(connection.queries), len(piggy_sandbox.calls)))

    piggy_sandbox.switches.fault = fault
    with CaptureQueriesContext(connection), monkeypatch.context() as patch:
        patch.setattr(SLEEP, note)
        ask(visitor)
        note()

    assert len(done) == 2
    assert done[0] == done[1]
