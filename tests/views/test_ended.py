"""The first page says why there is no open login in progress."""

import pytest

from tests.steps import ADDRESS, ask_for_code, type_code

CODE = "/login/code/"


def login_of(browser):
    """Return the value with which the code page names its login in progress."""
    return browser.get(CODE).context["login"]


def ended(page):
    """Return what the first page knows, and the address that it fills in."""
    context = page.context
    address = context["form"].initial.get("email", "")
    return context["ended"], context["is_expired"], address


def test_a_login_that_is_too_old_has_expired(client, contact, settings):
    ask_for_code(client)
    settings.PIGGY_VERIFY_LOGIN_TTL = 0

    page = client.get(CODE, follow=True)

    assert ended(page) == ("expired", True, ADDRESS)


def test_a_form_whose_cookie_is_gone_has_lost_its_login(client, contact):
    ask_for_code(client)
    login = login_of(client)
    client.cookies.clear()

    page = client.post(CODE, {"code": "1", "login": login}, follow=True)

    assert ended(page) == ("lost", True, "")


def test_a_form_that_is_older_than_its_cookie_has_expired(client, contact, settings):
    ask_for_code(client)
    login = login_of(client)
    client.cookies.clear()
    settings.PIGGY_VERIFY_LOGIN_TTL = 0

    page = client.post(CODE, {"code": "1", "login": login}, follow=True)

    assert ended(page) == ("expired", True, "")


def test_a_form_of_a_login_that_was_cancelled_has_lost_it(client, contact):
    ask_for_code(client)
    login = login_of(client)
    client.post("/login/cancel/")

    page = client.post(CODE, {"code": "1", "login": login}, follow=True)

    assert ended(page) == ("lost", True, "")


@pytest.mark.parametrize("path", [CODE, "/login/code/resend/"])
def test_without_a_login_nothing_has_begun(client, db, path):
    page = client.post(path, follow=True)

    assert ended(page) == ("none", True, "")


def test_too_many_wrong_codes_end_the_login(client, code, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    type_code(client, "wrong")

    page = client.get(CODE, follow=True)

    assert ended(page) == ("expired", True, ADDRESS)


@pytest.mark.parametrize("query", ["", "?next=/members/"])
def test_a_visitor_who_begins_is_told_nothing(client, db, query):
    page = client.get(f"/login/{query}")

    assert ended(page) == ("", False, "")


def test_a_form_with_errors_says_no_more_why_it_was_shown(client, db):
    page = client.post("/login/?expired=lost", {"email": "no address"})

    assert ended(page) == ("", False, "")


def test_an_unknown_reason_is_said_like_the_usual_one(client, db):
    page = client.get("/login/?expired=%3Cb%3E")

    assert ended(page) == ("expired", True, "")
