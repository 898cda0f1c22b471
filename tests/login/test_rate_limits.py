"""The limits of sends and checks, over the pages."""

import re

import pytest
from django.contrib.auth import authenticate
from django.test import Client

from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.models import Tally
from django_piggy_verify.sandbox import Fault
from tests.steps import (
    ADDRESS,
    SPELLINGS,
    STRANGER,
    UNLIMITED,
    ask_for_code,
    calls,
    type_code,
)

SENDS = ["send_cooldown", "send_recipient", "send_recipient_day", "send_ip"]
CHECKS = ["check_recipient", "check_recipient_day", "check_ip"]


def count_of(claim):
    [usage] = fixed_windows.usage([claim])
    return usage.number


def test_no_address_is_stored(client, contact):
    ask_for_code(client)

    assert Tally.objects.count() == 4
    for tally in Tally.objects.all():
        assert re.fullmatch("[0-9a-f]{44}:[a-z_]+", tally.key)
        assert "ann" not in str(tally)


def exhaust(settings, name, rate="1/1h"):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {name: rate}


@pytest.mark.parametrize("name", ["send_recipient", "send_recipient_day", "send_ip"])
def test_each_limit_of_sends_is_enforced(client, contact, settings, name):
    exhaust(settings, name)

    statuses = [ask_for_code(client).status_code for _ in range(2)]

    assert statuses == [302, 429]


@pytest.mark.parametrize("name", ["check_recipient", "check_recipient_day", "check_ip"])
def test_each_limit_of_checks_is_enforced_over_all_sessions(
    contact, settings, name, piggy_sandbox
):
    exhaust(settings, name)
    browsers = [Client(), Client()]
    for browser in browsers:
        ask_for_code(browser)

    statuses = [type_code(browser, "wrong").status_code for browser in browsers]

    assert statuses == [200, 429]
    assert calls(piggy_sandbox).count("verify") == 1


def test_guesses_from_many_addresses_share_the_limit_of_the_recipient(
    contact, piggy_sandbox
):
    """Each guess has a login in progress and a client address of its own."""
    for number in range(15):
        browser = Client(REMOTE_ADDR=f"198.51.100.{number}")
        ask_for_code(browser)
        response = type_code(browser, f"wrong-{number}")

    assert response.status_code == 429
    assert calls(piggy_sandbox) == ["send"] + 10 * ["verify"]


def counted(names):
    """Return the counts of Ann's address and of the client address of the tests."""
    subjects = (("127.0.0.1" if "_ip" in name else ADDRESS) for name in names)
    return [count_of(each) for each in map(fixed_windows.claim, names, subjects)]


def test_a_send_whose_failure_is_shown_does_not_count(client, contact, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(client)

    assert counted(SENDS) == [0, 0, 0, 0]


@pytest.mark.parametrize("fault", [None, Fault.OUTAGE, Fault.MALFORMED])
def test_a_send_that_may_have_mailed_a_code_counts(
    client, contact, piggy_sandbox, fault
):
    piggy_sandbox.switches.fault = fault
    ask_for_code(client)

    assert counted(SENDS) == [1, 1, 1, 1]


def test_a_send_to_a_stranger_who_is_told_so_starts_no_cooldown(
    client, contact, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False
    piggy_sandbox.remove_contact(ADDRESS)
    ask_for_code(client)

    assert counted(SENDS) == [0, 1, 1, 1]


def test_a_check_without_a_verdict_does_not_count(client, code, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.OUTAGE
    type_code(client, code)

    assert counted(CHECKS) == [0, 0, 0]


def test_a_repeated_used_code_counts_as_wrong(client, code):
    type_code(client, code)
    thief = Client()
    ask_for_code(thief)

    type_code(thief, code)

    assert counted(CHECKS) == [1, 1, 1]


def test_a_used_code_tells_nothing_once_a_limit_is_reached(
    client, code, settings, unlimited
):
    type_code(client, code)
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"check_recipient": "1/1h"}
    thief = Client()
    ask_for_code(thief)
    type_code(thief, "wrong")

    assert type_code(thief, code).status_code == 429


def test_a_wrong_code_is_sent_to_the_api_each_time(client, code, piggy_sandbox):
    for _ in range(2):
        type_code(client, "wrong")

    assert calls(piggy_sandbox) == ["send", "verify", "verify"]


def test_checks_without_a_login_in_progress_are_counted(contact, rf):
    """A project may call `authenticate()` from a view of its own."""
    authenticate(rf.post("/"), recipient=ADDRESS, secret_code="wrong")

    assert counted(CHECKS) == [1, 1, 1]


@pytest.mark.parametrize("other", SPELLINGS.values(), ids=SPELLINGS)
def test_all_spellings_of_an_address_share_their_counts(
    client, contact, settings, other
):
    exhaust(settings, "send_recipient")
    ask_for_code(client, "ann@example.com")

    assert ask_for_code(client, other).status_code == 429


@pytest.mark.parametrize("other", SPELLINGS.values(), ids=SPELLINGS)
def test_all_spellings_of_an_address_share_their_wrong_codes(contact, settings, other):
    exhaust(settings, "check_recipient")
    statuses = []
    for spelling in (ADDRESS, other):
        browser = Client()
        ask_for_code(browser, spelling)
        statuses.append(type_code(browser, "wrong").status_code)

    assert statuses == [200, 429]


def test_a_refused_send_starts_no_cooldown(client, contact, settings):
    exhaust(settings, "send_ip")
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "1/60s"
    ask_for_code(client, STRANGER)
    ask_for_code(client)

    assert count_of(fixed_windows.claim("send_cooldown", ADDRESS)) == 0


def test_the_cooldown_holds_back_before_any_other_limit(client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = dict.fromkeys(
        ("send_cooldown", "send_recipient", "send_ip"), "1/1h"
    )
    ask_for_code(client)

    assert ask_for_code(client).url == "/login/code/"


def test_a_right_code_clears_only_the_counts_of_the_recipient(
    client, code, settings, piggy_sandbox
):
    exhaust(settings, "check_ip", "2/1h")
    type_code(client, "wrong")
    type_code(client, code)

    assert count_of(fixed_windows.claim("check_recipient", ADDRESS)) == 0
    assert count_of(fixed_windows.claim("check_ip", "127.0.0.1")) == 1
