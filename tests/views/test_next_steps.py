"""A page about a limit leads to a step that works, or says when one will."""

import re
import time
from html import unescape

import pytest
from django.test import Client
from django.utils.html import strip_tags

from django_piggy_verify.exceptions import RecipientRefused, TooManyAttempts
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.login import axes, failed_sends
from tests import consenting
from tests.connecting.steps import twin_of
from tests.steps import (
    ADDRESS,
    BOB,
    JSON,
    UNLIMITED,
    ask_for_code,
    is_logged_in,
    log_in,
    log_out,
    type_code,
)

pytestmark = pytest.mark.django_db

CODE = "/login/code/"
RESEND = f"{CODE}resend/"
NEIGHBOUR = "+31612345679"
BUTTON = re.compile(r'<a class="button[^"]*" href="([^"]+)"[^>]*>(.*?)</a>', re.DOTALL)


@pytest.fixture
def limit(settings):
    """Return a function that sets limits. All others are out of reach."""

    def limit(**rates):
        settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | rates

    return limit


def step(page):
    """Return the step of the page, after a look at what its button does."""
    assert page.status_code == 429
    return page.context["step"]


def buttons(page):
    """Return the address and the words of each button of the page."""
    found = BUTTON.findall(page.text)
    return [
        (unescape(url), unescape(strip_tags(words)).strip()) for url, words in found
    ]


def follow(browser, page):
    """Press the only button of the page, and return the next page."""
    [(url, _)] = buttons(page)
    return browser.get(url)


def fill_in(browser, page, **fields):
    """Send the form of a first page, as it is filled in or with other fields."""
    form = page.context["form"]
    return browser.post("/login/", {**form.initial, **fields})


def wrong_codes(browser, number):
    """Type so many wrong codes. Return the last page."""
    return [type_code(browser, f"wrong{n}") for n in range(number)][-1]


# The limits of sends.


@pytest.mark.parametrize(
    "name", ["send_recipient", "send_recipient_day", "send_ip", "send_day"]
)
def test_after_a_limit_of_sends_the_code_that_was_sent_works(
    client, contact, piggy_sandbox, limit, name
):
    limit(**{name: "1/1h"})
    ask_for_code(client)

    page = client.post(RESEND)

    assert step(page) == "code"
    assert follow(client, page).status_code == 200
    type_code(client, piggy_sandbox.last_code(ADDRESS))
    assert is_logged_in(client)


@pytest.mark.parametrize("name", ["send_recipient", "send_recipient_day"])
def test_in_another_browser_another_address_works(client, contact, limit, name):
    limit(**{name: "1/1h"})
    ask_for_code(Client())

    page = ask_for_code(client)

    assert step(page) == "other"
    assert fill_in(client, follow(client, page), email=BOB).url == CODE


@pytest.mark.parametrize("name", ["send_ip", "send_day"])
def test_without_a_code_to_enter_such_a_limit_leaves_nothing_but_to_wait(
    client, contact, limit, name
):
    limit(**{name: "1/1h"})
    ask_for_code(client, BOB)

    page = ask_for_code(client)

    assert step(page) == ""
    assert buttons(page) == [("/login/", "Try again in 1:00:00")]
    assert ask_for_code(client, "cleo@example.com").status_code == 429


def test_a_limit_of_refused_sends_leaves_nothing_but_to_wait(
    client, settings, unlimited
):
    refusal = RecipientRefused()
    consenting.use(settings, send_error=refusal)
    for number in range(20):
        consenting.ask(client, phone=f"+316123456{number:02}")
    client.post("/login/cancel/")

    page = consenting.ask(client, phone=NEIGHBOUR)

    assert page.context["limit"] == "send_refused_ip"
    assert step(page) == ""


def test_a_code_that_was_not_sent_is_not_offered(client, contact, limit):
    limit(send_ip="1/1h")
    ask_for_code(client)
    login = client.get(CODE).context["login"]
    fixed_windows.take([failed_sends.claim(login.send_id)])

    page = client.post(RESEND)

    assert step(page) == ""


@pytest.mark.parametrize("check", ["check_recipient", "check_recipient_day"])
def test_after_a_resend_a_code_that_nobody_would_check_is_not_offered(
    client, contact, limit, check
):
    limit(send_recipient="1/1h", **{check: "1/1h"})
    ask_for_code(client)
    wrong_codes(client, 1)

    page = client.post(RESEND)

    assert (step(page), page.context["code_url"]) == ("other", "")
    assert fill_in(client, follow(client, page), email=BOB).url == CODE


def test_a_login_without_attempts_left_has_no_code_to_enter(client, contact, limit):
    limit(check_login=1, send_recipient="1/1h")
    ask_for_code(client)
    older = twin_of(client)
    wrong_codes(client, 1)

    page = ask_for_code(older)

    assert (step(page), page.context["code_url"]) == ("other", "")


def test_a_login_that_is_too_old_has_no_code_to_enter(
    client, contact, limit, time_machine
):
    time_machine.move_to(time.time())
    limit(send_recipient="1/1h")
    ask_for_code(client)
    time_machine.shift(601)

    page = ask_for_code(client)

    assert step(page) == "other"
    assert follow(client, page).context["form"].initial.get("email") is None


# The limits of texts.


@pytest.mark.parametrize("name", ["send_sms_ip", "send_sms_range", "send_sms_day"])
def test_after_a_limit_of_texts_an_address_works(client, settings, limit, name):
    consenting.use(settings)
    limit(**{name: "1/1h"})
    consenting.ask(client)

    page = client.post(RESEND)

    assert step(page) == "email"
    assert f'<a href="{CODE}">Enter the code' in page.text
    answer = consenting.ask_by_mail(client)
    assert follow(client, page).context["channel"] == "email"
    assert answer.url == CODE


def test_if_the_address_would_be_refused_too_the_text_that_was_sent_works(
    client, settings, limit
):
    consenting.use(settings)
    limit(send_sms_ip="1/1h", send_ip="1/1h")
    consenting.ask(client)

    page = client.post(RESEND)

    assert step(page) == "code"
    assert page.context["email_url"] == ""
    follow(client, page)
    assert type_code(client, consenting.RIGHT).status_code == 302


def test_a_provider_that_sends_texts_only_has_no_page_for_addresses(
    client, settings, limit
):
    consenting.use(settings, channels=frozenset({"sms"}))
    limit(send_sms_range="1/1h")
    consenting.ask(Client())

    page = consenting.ask(client, phone=NEIGHBOUR)

    assert (step(page), page.context["email_url"]) == ("other", "")
    follow(client, page)
    assert consenting.ask(client, phone="+31687654321").url == CODE


def test_after_a_limit_of_a_number_another_number_works(client, settings, limit):
    consenting.use(settings)
    limit(send_recipient="1/1h")
    consenting.ask(Client())

    page = consenting.ask(client)

    assert step(page) == "other"
    assert "Use a different phone number" in page.text
    assert follow(client, page).context["channel"] == "sms"
    assert consenting.ask(client, phone=NEIGHBOUR).url == CODE


# The limits of checks.


def test_after_too_many_wrong_codes_a_new_code_works(
    client, contact, piggy_sandbox, limit, time_machine
):
    time_machine.move_to(time.time())
    limit(check_login=2, send_cooldown="1/60s")
    ask_for_code(client)
    time_machine.shift(60)

    page = wrong_codes(client, 2)

    assert step(page) == "new_code"
    assert "There were too many wrong codes. Ask for a new one." in page.text
    assert "aria-disabled" not in page.text
    assert fill_in(client, follow(client, page)).url == CODE
    type_code(client, piggy_sandbox.last_code(ADDRESS))
    assert is_logged_in(client)


def test_within_the_cooldown_the_page_says_when_a_new_code_comes(
    client, contact, piggy_sandbox, limit, time_machine
):
    time_machine.move_to(time.time())
    limit(check_login=1, send_cooldown="1/60s")
    ask_for_code(client)

    page = wrong_codes(client, 1)

    assert step(page) == "new_code"
    assert "You can ask for a new one in 60 seconds." in page.text
    assert (
        'aria-disabled="true" data-piggy-verify-ready="Ask for a new code"' in page.text
    )
    assert [words for _, words in buttons(page)] == ["New code in 1:00"]
    assert fill_in(client, follow(client, page)).url == CODE
    type_code(client, piggy_sandbox.last_code(ADDRESS))
    assert is_logged_in(client)


@pytest.mark.parametrize(
    "other", ["check_recipient", "check_recipient_day", "send_recipient"]
)
def test_if_a_new_code_would_be_refused_another_address_works(
    client, contact, limit, other
):
    limit(check_login=1, **{other: "1/1h"})
    ask_for_code(client)

    page = wrong_codes(client, 1)

    assert step(page) == "other"
    assert page["Retry-After"] != page.context["wait"] == 3600
    assert "You can ask for a new one in 60 minutes." in page.text
    first = follow(client, page)
    assert "email" not in first.context["form"].initial
    assert fill_in(client, first, email=BOB).url == CODE


@pytest.mark.parametrize("other", ["check_ip", "send_ip", "send_day"])
def test_if_no_address_works_the_page_says_when_one_will(client, contact, limit, other):
    limit(check_login=1, **{other: "1/1h"})
    ask_for_code(client)

    page = wrong_codes(client, 1)

    assert step(page) == ""
    assert buttons(page) == [("/login/", "Try again in 1:00:00")]


@pytest.mark.parametrize("name", ["check_recipient", "check_recipient_day"])
def test_after_too_many_checks_of_an_address_another_one_works(
    client, contact, limit, name
):
    limit(**{name: "1/1h"})
    ask_for_code(client)

    page = wrong_codes(client, 2)

    assert (step(page), page.context["code_url"]) == ("other", "")
    assert "with a browser that you have used before" in page.text
    assert fill_in(client, follow(client, page), email=BOB).url == CODE
    assert wrong_codes(client, 1).status_code == 200


def test_a_known_browser_is_told_of_no_other_browser(
    client, contact, piggy_sandbox, limit
):
    log_in(client, piggy_sandbox)
    log_out(client)
    limit(check_recipient="1/1h")
    ask_for_code(client)

    page = wrong_codes(client, 2)

    assert step(page) == "other"
    assert "used before" not in page.text


def test_too_many_checks_from_one_place_leave_nothing_but_to_wait(
    client, contact, limit, time_machine
):
    time_machine.move_to(time.time(), tick=False)
    limit(check_ip="1/1h")
    ask_for_code(client)

    page = wrong_codes(client, 2)

    assert step(page) == ""
    assert buttons(page) == [("/login/", "Try again in 1:00:00")]


def test_a_known_browser_enters_its_code_behind_a_crowded_address(
    client, contact, piggy_sandbox, limit
):
    log_in(client, piggy_sandbox)
    log_out(client)
    limit(check_ip="1/1h", send_recipient="1/1h")
    ask_for_code(Client(), BOB)
    wrong = Client()
    ask_for_code(wrong, BOB)
    wrong_codes(wrong, 1)
    ask_for_code(client)

    page = client.post(RESEND)

    assert step(page) == "code"
    follow(client, page)
    type_code(client, piggy_sandbox.last_code(ADDRESS))
    assert is_logged_in(client)


def test_nobody_knows_what_axes_locks(client, code, monkeypatch, limit):
    limit()
    lockout = TooManyAttempts(limit="lockout", retry_after=60)

    def lock_out(request):
        raise lockout

    monkeypatch.setattr(axes, "raise_if_locked_out", lock_out)

    page = type_code(client, "wrong")

    assert step(page) == ""
    assert "There were too many attempts." in page.text
    assert buttons(page) == [(CODE, "Try again in 1:00")]


# The page with nothing to do.


BRANDS = {
    "Back to the home page": {"url": "/"},
    "Back to Ann & Ben": {"url": "/", "name": "Ann & Ben"},
}


@pytest.mark.parametrize("words", BRANDS)
def test_who_has_to_wait_may_go_back_to_the_shop(
    client, contact, limit, settings, words
):
    settings.PIGGY_VERIFY_BRAND = BRANDS[words]
    limit(send_day="1/1h")
    ask_for_code(client, BOB)

    page = ask_for_code(client)

    assert buttons(page)[1:] == [("/", words)]


# What the answers to scripts and the queries cost.


def test_a_script_gets_no_step_and_costs_no_query(
    client, contact, limit, django_assert_num_queries
):
    limit(send_ip="1/1h")
    ask_for_code(client, BOB)

    with django_assert_num_queries(1):
        response = client.post("/login/", {"email": ADDRESS}, headers=JSON)

    assert set(response.json()["error"]) == {
        *("code", "message", "fields", "retry_after", "limit"),
    }


def test_the_steps_take_one_query(client, contact, limit, django_assert_num_queries):
    limit(send_recipient="1/1h")
    ask_for_code(client)

    with django_assert_num_queries(2):
        ask_for_code(client)
