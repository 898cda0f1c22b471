"""A page about a limit leads a user who connects a contact to a step that works."""

import pytest

from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.login import rate_limits
from tests.connecting.links import follow, go_on
from tests.connecting.steps import (
    CODE,
    CONNECT,
    LINK,
    RESEND,
    ask,
    contacts_of,
    twin_of,
    type_code,
)
from tests.steps import ADDRESS, BOB, UNLIMITED
from tests.views.test_next_steps import buttons, step


@pytest.fixture
def limit(settings):
    """Return a function that sets limits. All others are out of reach."""

    def limit(**rates):
        settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | rates

    return limit


def test_after_a_limit_of_sends_the_code_that_was_sent_connects(
    client, shopper, contact, piggy_sandbox, limit
):
    limit(send_ip="1/1h")
    ask(client)

    page = client.post(RESEND)

    assert step(page) == "code"
    assert buttons(page) == [(CODE, "Enter the code from the newest email")]
    type_code(client, piggy_sandbox.last_code(ADDRESS))
    assert contacts_of(shopper) == [ADDRESS]


def test_after_too_many_checks_of_an_address_another_one_works(
    client, shopper, contact, limit
):
    limit(check_recipient="1/1h")
    ask(client)
    type_code(client, "wrong")

    page = type_code(client, "wrong again")

    assert step(page) == "other"
    assert "used before" not in page.text
    assert buttons(page) == [
        (f"{CONNECT}?other=1", "Use a different email address"),
    ]
    assert ask(client, BOB).url == CODE


def test_who_has_to_wait_may_go_back_to_the_connections(
    client, shopper, contact, limit
):
    limit(check_ip="1/1h")
    ask(client)
    type_code(client, "wrong")

    page = type_code(client, "wrong again")

    assert step(page) == ""
    assert buttons(page)[1:] == [(CONNECT, "Back to your connections")]


def test_after_too_many_tries_another_link_works(asked, shopper, transmit, limit):
    limit(check_login=1, check_recipient="1/1h")
    # Wrong codes for the address stop codes only.
    fixed_windows.take(rate_limits.of_check_by_recipient(ADDRESS, None))

    page = go_on(asked)

    assert step(page) == "new_code"
    assert "Ask for a new link" in page.text
    assert ask(asked).url == LINK
    follow(transmit)
    go_on(asked)
    assert contacts_of(shopper) == [ADDRESS]


def test_within_the_cooldown_the_page_says_when_another_link_comes(asked, limit):
    limit(check_login=1, send_cooldown="1/60s")

    page = go_on(asked)

    assert step(page) == "new_code"
    assert "You can ask for a new link in" in page.text
    assert (
        'aria-disabled="true" data-piggy-verify-ready="Ask for a new link"' in page.text
    )
    assert "New link in " in page.text


def test_after_a_limit_of_sends_the_link_that_was_sent_connects(
    asked, shopper, transmit, limit
):
    limit(send_recipient="1/1h")
    asked.post(RESEND)

    page = asked.post(RESEND)

    assert step(page) == "code"
    assert buttons(page) == [(LINK, "Go on with the link in the newest email")]
    follow(transmit)
    go_on(asked)
    assert contacts_of(shopper) == [ADDRESS]


def test_from_a_place_with_too_many_tries_no_link_works(asked, limit):
    limit(check_ip="1/1h")
    go_on(asked)

    page = go_on(asked)

    assert step(page) == ""
    assert "There were too many attempts. Try again in" in page.text


def test_a_link_of_a_place_that_asks_too_often_may_be_of_another_address(
    asked, shopper, limit
):
    limit(send_recipient="1/1h", check_login=1)
    asked.post(RESEND)

    page = go_on(asked)

    assert step(page) == "other"
    assert ask(asked, BOB).url == LINK


def test_without_a_provider_no_step_works(client, shopper, contact, limit, settings):
    limit(check_login=1)
    ask(client)
    twin = twin_of(client)
    type_code(client, "wrong")
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"unheard_of": 1}

    page = twin.post(RESEND)

    assert step(page) == ""


def test_without_a_provider_a_resend_is_an_outage(client, shopper, contact, settings):
    ask(client)
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"unheard_of": 1}

    page = client.post(RESEND)

    assert (page.status_code, page.context["retry_url"]) == (503, CODE)


def test_a_failed_check_leads_back_to_the_page_for_the_code(client, shopper, contact):
    ask(client)
    client.handler.enforce_csrf_checks = True

    page = client.post(CODE, {"code": "1"})

    assert page.status_code == 403
    assert buttons(page) == [(CODE, "Try again")]
