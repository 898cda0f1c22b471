"""Connecting and logging in share every count of a recipient."""

import pytest
from django.test import Client

from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.testing.transcripts import masked, transcript
from tests.connecting.steps import (
    CODE,
    CONNECT,
    RESEND,
    ask,
    connect,
    contacts_of,
    twin_of,
    type_code,
)
from tests.steps import (
    ADDRESS,
    BOB,
    JSON,
    STRANGER,
    ask_for_code,
    calls,
    is_logged_in,
    log_in,
    type_code as type_login_code,
)

pytestmark = pytest.mark.usefixtures("contact", "shopper")

WRONG = "000000"


@pytest.fixture
def visitor():
    """Somebody else, who is not logged in."""
    return Client()


@pytest.fixture
def no_cooldown(settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "99/1h"}


def seen(page):
    """Return what a browser gets, without random parts."""
    return masked(transcript(page, ()), address=ADDRESS, ignore="")


def limit_of(response):
    assert response.status_code == 429
    return response.json()["error"]["limit"]


def type_wrong_codes(browser, url, number):
    for n in range(number):
        browser.post(url, {"code": f"wrong{n}"})


# Sends.


def test_a_send_within_the_cooldown_of_a_login_sends_nothing(
    client, visitor, piggy_sandbox
):
    ask_for_code(visitor)

    response = ask(client)

    assert response.url == CODE
    assert calls(piggy_sandbox) == ["send"]


def test_a_login_within_the_cooldown_of_a_connection_sends_nothing(
    client, visitor, piggy_sandbox
):
    ask(client)

    ask_for_code(visitor)

    assert calls(piggy_sandbox) == ["send"]


def test_a_resend_within_the_cooldown_sends_nothing(client, piggy_sandbox):
    ask(client)

    response = client.post(RESEND)

    assert response.url == CODE
    assert calls(piggy_sandbox) == ["send"]


def test_a_resend_after_the_cooldown_sends_another_code(
    client, piggy_sandbox, no_cooldown
):
    ask(client)

    client.post(RESEND)

    assert calls(piggy_sandbox) == ["send", "send"]


@pytest.mark.usefixtures("no_cooldown")
@pytest.mark.parametrize("address", [ADDRESS, STRANGER])
def test_connections_and_logins_share_the_sends_of_an_address(
    client, visitor, settings, address
):
    settings.PIGGY_VERIFY_RATE_LIMITS["send_recipient"] = "3/1h"
    ask(client, address)
    ask_for_code(visitor, address)
    ask(client, address)

    body = {"path": CONNECT, "data": {"email": address}, "headers": JSON}

    assert limit_of(client.post(**body)) == "send_recipient"
    assert limit_of(visitor.post(**{**body, "path": "/login/"})) == "send_recipient"


@pytest.mark.parametrize("name", ["send_ip", "send_day"])
def test_connections_and_logins_share_the_sends_of_all_addresses(
    client, visitor, settings, name
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {name: "2/1h"}
    ask(client, "one@example.com")
    ask_for_code(visitor, "two@example.com")

    body = {"data": {"email": "three@example.com"}, "headers": JSON}

    assert limit_of(client.post(CONNECT, **body)) == name
    assert limit_of(visitor.post("/login/", **body)) == name


def test_a_resend_counts_like_a_login(client, visitor, settings, no_cooldown):
    settings.PIGGY_VERIFY_RATE_LIMITS["send_ip"] = "2/1h"
    ask(client)
    client.post(RESEND)

    response = visitor.post("/login/", {"email": BOB}, headers=JSON)

    assert limit_of(response) == "send_ip"


def test_the_circuit_of_a_connection_stops_logins(client, visitor, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask(client)

    assert client.get(CODE).status_code == 503
    assert ask_for_code(visitor, BOB).status_code == 503


# Checks.


def test_wrong_codes_of_a_connection_count_for_logins(client, visitor, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_recipient": "3/1h"}
    ask(client)
    type_wrong_codes(client, CODE, 3)
    ask_for_code(visitor)

    response = visitor.post("/login/code/", {"code": WRONG}, headers=JSON)

    assert limit_of(response) == "check_recipient"


def test_wrong_codes_of_logins_count_for_a_connection(client, visitor, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_recipient": "3/1h"}
    ask_for_code(visitor)
    type_wrong_codes(visitor, "/login/code/", 3)
    ask(client)

    response = client.post(CODE, {"code": WRONG}, headers=JSON)

    assert limit_of(response) == "check_recipient"


def test_wrong_codes_of_connections_count_for_the_client_address(
    client, visitor, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "3/1h"}
    ask(client)
    type_wrong_codes(client, CODE, 3)
    ask_for_code(visitor, BOB)

    response = visitor.post("/login/code/", {"code": WRONG}, headers=JSON)

    assert limit_of(response) == "check_ip"


def test_a_limit_of_checks_makes_no_call(client, settings, piggy_sandbox):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "1/1h"}
    ask(client)
    type_wrong_codes(client, CODE, 3)

    assert calls(piggy_sandbox) == ["send", "verify"]


def test_the_fifth_wrong_code_closes_the_connection(client, piggy_sandbox):
    ask(client)
    type_wrong_codes(client, CODE, 4)

    fifth = client.post(CODE, {"code": WRONG}, headers=JSON)
    right = type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert limit_of(fifth) == "check_login"
    assert right.url == f"{CONNECT}?expired=1"
    assert calls(piggy_sandbox).count("verify") == 5


def test_a_form_of_a_closed_connection_stays_closed(client, piggy_sandbox, shopper):
    ask(client)
    form = str(client.get(CODE).context["login"])
    cookie = client.cookies["piggy_verify_connect"].value
    type_wrong_codes(client, CODE, 5)
    client.cookies["piggy_verify_connect"] = cookie

    response = type_code(client, piggy_sandbox.last_code(ADDRESS), login=form)

    assert response.status_code == 429
    assert not contacts_of(shopper)


def test_a_closed_connection_sends_no_other_code(client, piggy_sandbox, no_cooldown):
    ask(client)
    cookie = client.cookies["piggy_verify_connect"].value
    type_wrong_codes(client, CODE, 5)
    client.cookies["piggy_verify_connect"] = cookie

    response = client.post(RESEND)

    assert response.status_code == 429
    assert calls(piggy_sandbox).count("send") == 1


def test_a_connection_that_is_too_old_connects_nothing(
    client, shopper, settings, piggy_sandbox
):
    ask(client)
    settings.PIGGY_VERIFY_LOGIN_TTL = 0

    response = type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert response.url == f"{CONNECT}?expired=1"
    assert "verify" not in calls(piggy_sandbox)


def test_an_outage_uses_up_no_attempt(client, shopper, piggy_sandbox, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 2}
    ask(client)
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    failed = [type_code(client, f"wrong{n}").status_code for n in range(3)]
    piggy_sandbox.switches.fault = None

    type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert failed == [503] * 3
    assert contacts_of(shopper) == [ADDRESS]


# Codes that are posted again.


def test_a_code_of_a_connection_is_refused_at_a_login(client, visitor, piggy_sandbox):
    piggy_sandbox.switches.reuse_codes = True
    connect(client, piggy_sandbox)
    ask_for_code(visitor)

    response = type_login_code(visitor, piggy_sandbox.last_code(ADDRESS))

    assert response.status_code == 200
    assert not is_logged_in(visitor)
    assert calls(piggy_sandbox).count("verify") == 1


def test_a_code_of_a_login_is_refused_at_a_connection(
    client, visitor, shopper, piggy_sandbox
):
    piggy_sandbox.switches.reuse_codes = True
    log_in(visitor, piggy_sandbox)
    ask(client)

    response = type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert response.status_code == 200
    assert not contacts_of(shopper)
    assert calls(piggy_sandbox).count("verify") == 1


def test_a_code_that_was_used_counts_like_a_wrong_one(
    client, visitor, settings, piggy_sandbox
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 2}
    log_in(visitor, piggy_sandbox)
    ask(client)
    code = piggy_sandbox.last_code(ADDRESS)

    statuses = [type_code(client, code).status_code for _ in range(2)]

    assert statuses == [200, 429]


@pytest.mark.parametrize("headers", [{}, JSON], ids=["HTML", "JSON"])
def test_a_second_click_leads_on_like_the_first_one(client, piggy_sandbox, headers):
    ask(client, next="/members/")
    data, twin = {"code": piggy_sandbox.last_code(ADDRESS)}, twin_of(client)

    first, second = (each.post(CODE, data, headers=headers) for each in (client, twin))

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers.get("location") == second.headers.get("location")
    assert not second.cookies
    assert calls(piggy_sandbox).count("verify") == 1


def test_a_second_click_during_the_check_leads_to_the_code_page(
    client, piggy_sandbox, monkeypatch, shopper
):
    ask(client)
    code, twin, seen = piggy_sandbox.last_code(ADDRESS), twin_of(client), []
    check = PiggyProvider.check_code

    def check_slowly(*args):
        seen.append(type_code(twin, code))
        return check(*args)

    monkeypatch.setattr(PiggyProvider, "check_code", check_slowly)
    type_code(client, code)

    assert [page.url for page in seen] == [CODE]
    assert contacts_of(shopper) == [ADDRESS]


@pytest.fixture
def owner(visitor, piggy_sandbox, settings):
    """The user who has the contact already."""
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "99/1h"}
    log_in(visitor, piggy_sandbox)
    return visitor


@pytest.mark.parametrize("headers", [{}, JSON], ids=["HTML", "JSON"])
def test_a_second_click_on_a_conflict_gets_the_same_conflict(
    client, owner, piggy_sandbox, headers
):
    ask(client)
    data, before = {"code": piggy_sandbox.last_code(ADDRESS)}, calls(piggy_sandbox)

    pages = [client.post(CODE, data, headers=headers) for _ in range(2)]

    assert [page.status_code for page in pages] == [409, 409]
    first, second = map(seen, pages)
    assert first == second
    assert calls(piggy_sandbox) == [*before, "verify"]


def test_a_second_click_on_a_second_contact_gets_the_same_conflict(
    client, piggy_sandbox, no_cooldown
):
    connect(client, piggy_sandbox)
    piggy_sandbox.add_contact(BOB)
    ask(client, BOB)
    data, before = {"code": piggy_sandbox.last_code(BOB)}, calls(piggy_sandbox)

    pages = [client.post(CODE, data, headers=JSON) for _ in range(2)]

    codes = [page.json()["error"]["code"] for page in pages]
    assert codes == ["already_connected"] * 2
    assert calls(piggy_sandbox) == [*before, "verify"]


def test_a_conflict_uses_up_no_attempt(client, owner, piggy_sandbox, settings):
    """The code was right, so nobody has guessed."""
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"check_ip": "2/1h"}
    for _ in range(3):
        ask(client)
        response = type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert response.status_code == 409


# Known browsers.


def test_a_browser_that_the_member_has_used_has_counts_of_its_own(
    client, visitor, shopper, settings, piggy_sandbox
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {
        "check_recipient": "2/1h",
        "send_cooldown": "99/1h",
    }
    log_in(visitor, piggy_sandbox)
    client.cookies["piggy_verify_device"] = visitor.cookies["piggy_verify_device"].value
    stranger = Client()
    ask_for_code(stranger)
    type_wrong_codes(stranger, "/login/code/", 3)

    ask(client)
    response = type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert response.status_code == 409  # the contact of the visitor


def test_a_connection_makes_no_browser_a_known_one(client, piggy_sandbox):
    connect(client, piggy_sandbox)

    assert "piggy_verify_device" not in client.cookies
