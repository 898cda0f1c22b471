"""The id of a browser stays the same over all logins with it."""

import re

import pytest
from django.test import Client

from django_piggy_verify.login import browsers, verification
from django_piggy_verify.traits import Traits
from tests.login import stateful
from tests.steps import ADDRESS, ask_for_code, log_out, type_code

pytestmark = pytest.mark.django_db

OTHER = "bob@example.com"


@pytest.fixture
def vendor(settings, unlimited, monkeypatch):
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "9/60s"
    vendor = stateful.use(settings)
    monkeypatch.setattr(vendor, "traits", Traits(wants_device=True))
    return vendor


def devices(vendor):
    """Return the ids of the browsers of all sends and all checks."""
    challenges = [*(each for each, _ in vendor.sent), *vendor.checked]
    return [each.visitor.device for each in challenges]


def log_in(browser, vendor, address=ADDRESS):
    ask_for_code(browser, address)
    return type_code(browser, f"code-{len(vendor.sent)}")


def test_the_send_and_the_check_of_a_new_browser_have_the_same_id(client, vendor):
    log_in(client, vendor)

    sent, checked = devices(vendor)
    assert sent == checked
    assert re.fullmatch(r"[0-9a-f]{32}", sent)


def test_a_browser_keeps_its_id_over_its_logins_and_members(client, vendor):
    for address in (ADDRESS, OTHER, ADDRESS):
        log_in(client, vendor, address)
        log_out(client)

    assert len(devices(vendor)) == 6
    assert len(set(devices(vendor))) == 1


def test_two_browsers_have_different_ids(vendor):
    log_in(Client(), vendor)
    log_in(Client(), vendor)

    assert len(set(devices(vendor))) == 2


def test_the_id_is_never_the_value_of_the_cookie(client, vendor):
    ask_for_code(client)

    cookie = client.cookies[browsers.COOKIE].value
    assert cookie not in devices(vendor)[0]
    assert devices(vendor)[0] not in cookie


def test_a_cookie_that_a_visitor_has_chosen_is_hashed_too(client, vendor):
    client.cookies[browsers.COOKIE] = "A" * 22

    ask_for_code(client)

    assert "A" * 22 not in devices(vendor)[0]
    assert client.cookies[browsers.COOKIE].value == "A" * 22


@pytest.mark.parametrize("value", ["short", "a" * 23, "a" * 21 + "\u00e9", "a/" * 11])
def test_a_cookie_of_another_form_is_replaced(client, vendor, value):
    client.cookies[browsers.COOKIE] = value

    ask_for_code(client)

    assert client.cookies[browsers.COOKIE].value != value
    assert re.fullmatch(r"[\w-]{22}", client.cookies[browsers.COOKIE].value)


def test_the_cookie_is_hidden_from_scripts_and_lasts_400_days(client, vendor):
    ask_for_code(client)

    cookie = client.cookies[browsers.COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 400 * 24 * 3600


def test_a_send_that_the_cooldown_holds_back_sets_the_cookie_too(vendor, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "1/60s"
    ask_for_code(Client())
    late = Client()

    ask_for_code(late)

    assert len(vendor.sent) == 1
    assert browsers.COOKIE in late.cookies


def test_without_a_request_the_id_is_made_of_the_recipient(vendor):
    for recipient in (ADDRESS, ADDRESS.upper(), OTHER):
        verification.send_code(recipient)

    one, same, other = devices(vendor)
    assert one == same != other


def test_without_the_trait_there_is_no_cookie_and_no_id(client, contact):
    ask_for_code(client)

    assert browsers.COOKIE not in client.cookies


def test_the_client_address_and_the_id_are_wanted_apart(client, vendor, monkeypatch):
    monkeypatch.setattr(vendor, "traits", Traits(wants_client_address=True))

    ask_for_code(client)

    visitor = vendor.sent[0][0].visitor
    assert (visitor.address, visitor.device) == ("127.0.0.1", "")
