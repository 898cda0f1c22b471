"""The clock jumps while no codes are sent, and one visitor alone gets none."""

import time

import pytest
from django.test import Client

from django_piggy_verify.login.circuit import OPEN_FOR, PROBE_EVERY, Circuit
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.sandbox.blocks import FAILURES
from tests.consenting import CONSENTS
from tests.steps import ADDRESS, ask_for_code, calls, type_code

HOUR = 3600
DAY = 86400


@pytest.fixture
def outage(contact, piggy_sandbox, time_machine, is_refused):
    """The API fails, the circuit is open, and the probe was made. The clock stops."""
    time_machine.move_to(time.time(), tick=False)
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    assert [status_of("first"), status_of("probe")] == [302, 503]
    assert is_refused("other")


@pytest.fixture
def is_refused(piggy_sandbox):
    """Return a function that tells whether an address is refused without a call."""

    def is_refused(name):
        before = len(calls(piggy_sandbox))
        return status_of(name) == 503 and len(calls(piggy_sandbox)) == before

    return is_refused


def status_of(name):
    return ask_for_code(Client(), f"{name}@example.com").status_code


@pytest.mark.parametrize("seconds", [HOUR, DAY])
def test_if_the_clock_is_set_back_codes_are_sent_again(
    outage, piggy_sandbox, time_machine, seconds
):
    piggy_sandbox.switches.fault = None

    time_machine.shift(-seconds)

    assert ask_for_code(Client()).status_code == 302
    assert piggy_sandbox.last_code(ADDRESS)
    assert Circuit("piggy").open_for == 0


def test_if_the_clock_is_set_back_in_an_outage_the_circuit_opens_anew(
    outage, time_machine
):
    time_machine.shift(-HOUR)

    assert status_of("late") == 503
    assert Circuit("piggy").open_for == OPEN_FOR


def test_if_the_clock_is_set_back_by_seconds_a_probe_is_late_by_as_many(
    outage, piggy_sandbox, time_machine, is_refused
):
    piggy_sandbox.switches.fault = None
    time_machine.shift(-OPEN_FOR)

    time_machine.shift(OPEN_FOR + PROBE_EVERY - 1)
    assert is_refused("early")
    time_machine.shift(1)

    assert status_of("late") == 302


def test_if_the_clock_is_set_forward_codes_are_sent_again(
    outage, piggy_sandbox, time_machine
):
    time_machine.shift(HOUR)

    assert status_of("next") == 302
    assert calls(piggy_sandbox) == ["send"] * 3


@pytest.mark.django_db
def test_a_visitor_whom_the_vendor_blocks_stops_no_sends_to_others(
    sandbox_for, unlimited
):
    sandbox = sandbox_for("punchh")
    intruder = Client(REMOTE_ADDR="203.0.113.66")
    ask_for_code(intruder, **CONSENTS)
    for number in range(FAILURES):
        type_code(intruder, f"wrong-{number}")

    # If the first one opened the circuit, the second one would be the probe.
    for name in ("bob", "carol"):
        ask_for_code(intruder, f"{name}@example.com", **CONSENTS)
    ask_for_code(Client(), "dave@example.com", **CONSENTS)

    assert intruder.get("/login/code/").status_code == 503
    assert sandbox.last_code("dave@example.com")
