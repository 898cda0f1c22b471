"""The same code posted twice for one login in progress, as by a double click."""

import time
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.test import Client
from django.urls import path

from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.models import Tally
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.signals import code_rejected, limit_reached
from django_piggy_verify.views import CodeView
from tests.steps import ADDRESS, JSON, ask_for_code, calls, is_logged_in, type_code
from tests.urls import urlpatterns

CODE_PAGE = "/login/code/"
NEXT = "/members/?a=1"


def twin_of(browser):
    """A second request of this browser, which has left with the same cookies."""
    twin = Client()
    twin.cookies.load({name: each.value for name, each in browser.cookies.items()})
    return twin


def counts():
    return list(Tally.objects.order_by("key").values_list())


@pytest.fixture
def code(client, contact, piggy_sandbox):
    """The code of a login in progress, which is to lead to a page of its own."""
    ask_for_code(client, next=NEXT)
    return piggy_sandbox.last_code(ADDRESS)


@pytest.fixture
def twin(client, code):
    return twin_of(client)


@pytest.fixture
def complaints():
    """The signals about codes that were wrong, and about limits."""
    heard = []

    def hear(signal, **kwargs):
        heard.append(signal)

    for each in (code_rejected, limit_reached, user_login_failed):
        each.connect(hear)
    yield heard
    for each in (code_rejected, limit_reached, user_login_failed):
        each.disconnect(hear)


@pytest.fixture
def meanwhile(monkeypatch):
    """Have a function called while the first code is checked; return its results."""

    def prepare(act):
        check, results = PiggyProvider.check_code, list[Any]()

        def check_slowly(*args):
            if not results:
                results.append(None)
                results[0] = act()
            return check(*args)

        monkeypatch.setattr(PiggyProvider, "check_code", check_slowly)
        return results

    return prepare


# After the first request.


def test_the_second_request_leads_where_the_first_one_did(client, code, twin):
    pages = [type_code(each, code) for each in (client, twin)]

    assert [page.status_code for page in pages] == [302, 302]
    assert [page.url for page in pages] == [NEXT, NEXT]


def test_a_script_is_told_the_same_twice(client, code, twin):
    form = {"path": CODE_PAGE, "data": {"code": code}, "headers": JSON}

    answers = [each.post(**form) for each in (client, twin)]

    assert [each.status_code for each in answers] == [200, 200]
    assert [each.json() for each in answers] == [{"redirect_to": NEXT}] * 2


def test_the_second_request_does_nothing_else(
    client, code, twin, piggy_sandbox, complaints
):
    type_code(client, code)
    before = counts()

    response = type_code(twin, code)

    assert not is_logged_in(twin)
    assert not response.cookies
    assert counts() == before
    assert complaints == []
    assert calls(piggy_sandbox) == ["send", "verify", "auth-token"]


def test_with_the_cookies_of_the_first_request_it_leads_on_too(client, code):
    login = client.get(CODE_PAGE).context["login"]
    type_code(client, code)

    assert type_code(client, code, login=login).url == NEXT


def test_the_second_request_may_spell_the_code_otherwise(client, code, twin):
    type_code(client, code)

    assert type_code(twin, f" {code[:3]} {code[3:]}").url == NEXT


def test_it_leads_on_whatever_others_have_used_up(client, code, twin, settings):
    type_code(client, code)
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "1/1h"}
    other = Client()
    ask_for_code(other, "bob@example.com")
    type_code(other, "wrong")

    assert type_code(twin, code).url == NEXT


def test_it_leads_on_where_a_code_is_asked_for_again(client, code, settings):
    page = CodeView.as_view(redirect_authenticated_user=False)
    settings.ROOT_URLCONF = (*urlpatterns, path("own/", page))
    login = dict(client.cookies)["piggy_verify_login"].value
    type_code(client, code)
    client.cookies["piggy_verify_login"] = login

    assert client.post("/own/", {"code": code}).url == NEXT


def test_a_right_fifth_code_leads_on_twice(client, code, twin):
    for guess in range(4):
        type_code(client, str(guess))

    assert [type_code(each, code).url for each in (client, twin)] == [NEXT, NEXT]


def test_after_a_resend_it_still_leads_on(client, code, twin, unlimited):
    type_code(client, code)
    twin.post("/login/code/resend/")

    assert type_code(twin, code).url == NEXT


# At the same time.


def test_while_the_first_request_is_under_way_it_leads_to_the_code_page(
    client, code, twin, meanwhile, complaints
):
    results = meanwhile(lambda: type_code(twin, code))

    first = type_code(client, code)

    assert (first.url, results[0].url) == (NEXT, CODE_PAGE)
    assert not results[0].cookies
    assert not is_logged_in(twin)
    assert complaints == []


def test_a_script_is_told_that_the_login_is_still_in_progress(
    client, code, twin, meanwhile
):
    results = meanwhile(
        lambda: twin.post(CODE_PAGE, {"code": code}, headers=JSON),
    )

    type_code(client, code)

    assert results[0].status_code == 202
    assert results[0].json()["recipient"] == ADDRESS


def test_it_is_counted_once_while_it_is_under_way(
    client, code, twin, meanwhile, piggy_sandbox
):
    meanwhile(lambda: type_code(twin, "wrong"))

    type_code(client, "wrong")

    assert [each[1] for each in counts() if each[0].endswith(":check_login")] == [1]
    assert calls(piggy_sandbox) == ["send", "verify"]


def test_once_the_first_request_is_done_it_leads_on(client, code, twin, meanwhile):
    meanwhile(lambda: type_code(twin, code))
    type_code(client, code)

    assert type_code(twin, code).url == NEXT


def test_after_an_outage_the_code_is_checked_again(
    client, code, twin, meanwhile, piggy_sandbox
):
    piggy_sandbox.switches.fault = Fault.OUTAGE
    results = meanwhile(lambda: type_code(twin, code))
    first = type_code(client, code)
    piggy_sandbox.switches.fault = None

    assert (first.status_code, results[0].url) == (503, CODE_PAGE)
    assert type_code(twin, code).url == NEXT
    assert is_logged_in(twin)


def test_half_a_minute_after_an_outage_the_code_may_be_posted_twice(
    client, code, meanwhile, piggy_sandbox, time_machine
):
    """The page of the outage asks the visitor to wait for so long."""
    time_machine.move_to(time.time(), tick=False)
    piggy_sandbox.switches.fault = Fault.OUTAGE
    type_code(client, code)
    piggy_sandbox.switches.fault = None
    time_machine.shift(30)
    results = meanwhile(lambda: type_code(twin_of(client), code))

    first = type_code(client, code)

    assert (first.url, results[0].url) == (NEXT, CODE_PAGE)


def test_a_request_that_died_is_not_under_way_for_ever(
    client, code, twin, monkeypatch, time_machine
):
    def die(*args):
        raise KeyboardInterrupt

    time_machine.move_to(time.time(), tick=False)
    monkeypatch.setattr(PiggyProvider, "check_code", die)
    with pytest.raises(KeyboardInterrupt):
        type_code(client, code)
    soon = type_code(twin, code)
    time_machine.shift(21)
    later = type_code(twin, code)

    assert soon.url == CODE_PAGE
    assert later.context["form"].has_error("code", "code_rejected")


# Where nobody is led on.


def test_a_wrong_code_stays_wrong_and_is_counted_again(client, code, twin):
    pages = [type_code(each, "wrong") for each in (client, twin)]

    assert [page.status_code for page in pages] == [200, 200]
    assert [each[1] for each in counts() if each[0].endswith(":check_login")] == [2]


def test_another_code_is_wrong_after_the_right_one(client, code, twin):
    type_code(client, code)

    response = type_code(twin, "wrong")

    assert response.context["form"].has_error("code", "code_rejected")


def test_in_another_login_of_the_browser_the_code_is_wrong(client, code):
    ask_for_code(client)
    twin = twin_of(client)
    first = client.get(CODE_PAGE).context["login"]
    type_code(client, code)
    ask_for_code(twin)

    responses = [type_code(twin, code), type_code(twin, code, login=first)]

    assert responses[0].context["form"].has_error("code", "code_rejected")
    assert responses[1].url == "/members/"


def test_in_a_foreign_browser_its_login_and_code_are_worth_nothing(client, code):
    login = client.get(CODE_PAGE).context["login"]
    thief = Client()
    ask_for_code(thief)
    type_code(client, code)

    response = type_code(thief, code, login=login)

    assert response.url.startswith("/login/?expired=lost")


def test_a_login_that_was_refused_is_refused_again(
    client, code, twin, settings, piggy_sandbox
):
    settings.PIGGY_VERIFY_CREATE_USERS = False
    type_code(client, code)
    before = counts()

    response = type_code(twin, code)

    assert response.status_code == 403
    assert "cannot log in to this account with a code" in response.text
    assert counts() == before
    assert calls(piggy_sandbox) == ["send", "verify"]


class Failing(PiggyBackend):
    def update_user(self, request, user, identity):
        raise RuntimeError("out of order")


def test_after_a_crash_nobody_is_led_on(client, code, twin, settings):
    failing = f"{__name__}.{Failing.__name__}"
    settings.AUTHENTICATION_BACKENDS = [failing]
    with pytest.raises(RuntimeError):
        type_code(client, code)

    response = type_code(twin, code)

    assert response.context["form"].has_error("code", "code_rejected")


def test_a_login_that_is_too_old_leads_nobody_on(client, code, twin, settings):
    type_code(client, code)
    settings.PIGGY_VERIFY_LOGIN_TTL = 0

    assert type_code(twin, code).url.startswith("/login/?expired=1")


def test_a_login_that_was_cancelled_leads_nobody_on(client, code, twin):
    type_code(client, code)
    twin.post("/login/cancel/")

    assert type_code(twin, code).url == "/login/?expired=none"


@pytest.mark.parametrize("with_request", [True, False])
def test_without_the_code_page_a_code_is_accepted_once(
    code, rf, piggy_sandbox, with_request
):
    piggy_sandbox.switches.reuse_codes = True
    request = rf.post("/") if with_request else None
    proof = {"recipient": ADDRESS, "secret_code": code}

    users = [authenticate(request, **proof) for _ in range(2)]

    assert users == [User.objects.get(), None]
