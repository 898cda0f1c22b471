"""Log in at the emulated Punchh over the pages."""

from collections import Counter
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from django_piggy_verify.exceptions import LoginRequired
from django_piggy_verify.login.verification import send_code
from django_piggy_verify.models import Consent, Contact
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.tokens import get_auth_token
from tests.consenting import CONSENTS
from tests.steps import ADDRESS, NUMBER, UNLIMITED, is_logged_in, type_code

BOTH = [
    pytest.param({"email": ADDRESS}, ADDRESS, id="email"),
    pytest.param({"phone": "06 12345678"}, NUMBER, id="phone"),
]

pytestmark = pytest.mark.django_db


@pytest.fixture
def punchh(sandbox_for, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED
    return sandbox_for("punchh")


def ask(client, **fields):
    return client.post("/login/", {"email": ADDRESS, **CONSENTS, **fields})


def log_in(client, sandbox):
    ask(client)
    return type_code(client, sandbox.last_code(ADDRESS))


def called(sandbox):
    return [each.name for each in sandbox.calls]


def ahead(**duration):
    return time_machine.travel(timezone.now() + timedelta(**duration))


@pytest.mark.parametrize(("typed", "recipient"), BOTH)
def test_a_person_logs_in_and_is_known_again(client, punchh, typed, recipient):
    for browser in (client, Client()):
        browser.post("/login/", {**typed, **CONSENTS})
        type_code(browser, punchh.last_code(recipient))
        assert is_logged_in(browser)

    [person] = punchh.contacts
    assert person.recipient == recipient
    assert Contact.objects.get().uid == str(person.user_id)
    assert called(punchh) == ["send", "verify", "profile"] * 2


def test_the_address_and_the_number_of_a_person_are_one_user(client, punchh):
    punchh.add_contact(ADDRESS, phone=NUMBER)
    log_in(client, punchh)

    other = Client()
    other.post("/login/", {"phone": NUMBER, **CONSENTS})
    type_code(other, punchh.last_code(NUMBER))

    contact = Contact.objects.get()
    assert is_logged_in(other)
    assert (contact.email, contact.phone) == (ADDRESS, NUMBER)


def test_the_consents_of_a_right_code_are_stored(client, punchh):
    log_in(client, punchh)

    stored = {(each.kind, each.version) for each in Consent.objects.all()}
    assert stored == {("terms", "1"), ("privacy", "1")}


def test_a_code_is_sent_and_checked_without_a_request(punchh):
    send_code(ADDRESS, consents=["terms", "privacy"])

    user = authenticate(None, recipient=ADDRESS, secret_code=punchh.last_code(ADDRESS))

    assert user == User.objects.get()


def test_a_profile_call_that_fails_once_is_repeated(client, punchh):
    punchh.switches.failing_profiles = 1

    log_in(client, punchh)

    assert is_logged_in(client)
    assert called(punchh) == ["send", "verify", "profile", "profile"]


def test_after_a_spent_code_a_new_one_works(client, punchh):
    punchh.switches.failing_profiles = 2
    page = log_in(client, punchh)
    assert page.status_code == 503
    assert page.templates[0].name == "piggy_verify/spent.html"

    client.post("/login/code/resend/")
    type_code(client, punchh.last_code(ADDRESS))

    assert is_logged_in(client)


def test_a_firewall_is_an_outage(client, punchh):
    punchh.switches.fault = Fault.BLOCKED
    ask(client)

    assert client.get("/login/code/").status_code == 503


def test_a_consent_that_the_vendor_misses_is_asked_for_again(client, punchh):
    punchh.switches.error_code = "privacy_policy"
    punchh.switches.fault_on = frozenset({"verify"})

    response = log_in(client, punchh)

    assert response.url == "/login/?missing=privacy"
    assert not is_logged_in(client)


def test_an_address_that_gets_no_mail_is_said_at_the_field(client, punchh):
    ask(client, email="31612345678@phone.punchh.com")

    page = client.get("/login/code/", follow=True)

    assert page.context["form"].has_error("email", "recipient_refused")


def test_wrong_codes_of_one_visitor_block_nobody_else(client, punchh):
    ask(client)
    for _ in range(10):
        type_code(client, "wrong")
    blocked = type_code(client, punchh.last_code(ADDRESS))

    other = Client(REMOTE_ADDR="192.0.2.7")
    log_in(other, punchh)

    assert blocked.status_code == 503
    assert is_logged_in(other)


def test_each_browser_has_a_device_id_of_its_own(client, punchh):
    for browser in (client, client, Client()):
        ask(browser)

    devices = [each.headers["punchh-app-device-id"] for each in punchh.calls]
    assert devices[0] == devices[1] != devices[2]


def test_an_expired_token_is_renewed(client, punchh):
    log_in(client, punchh)
    first = get_auth_token(User.objects.get())

    with ahead(seconds=1801):
        second = get_auth_token(User.objects.get())
        assert get_auth_token(User.objects.get()) == second

    assert first != second
    assert Counter(called(punchh))["refresh"] == 1


def test_a_token_is_renewed_again_and_again(client, punchh):
    log_in(client, punchh)

    for hours in range(1, 4):
        with ahead(hours=hours):
            assert get_auth_token(User.objects.get())

    assert Counter(called(punchh))["refresh"] == 3


@pytest.mark.django_db(transaction=True)
def test_after_a_refused_refresh_only_a_login_helps(client, punchh):
    log_in(client, punchh)
    punchh.sessions.clear()

    with ahead(seconds=1801), pytest.raises(LoginRequired):
        get_auth_token(User.objects.get())
