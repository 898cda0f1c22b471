"""The access of the user at the vendor, while a link is on its way."""

import logging

import pytest

from django_piggy_verify.providers.base import UserAccess
from django_piggy_verify.sandbox.users import Attribute, SandboxUser
from django_piggy_verify.secret import Secret
from tests.connecting.links import asks, counts, expired_tokens, follow, go_on
from tests.connecting.steps import CONNECT, LINK, ask, browser_of, contacts_of
from tests.steps import ADDRESS, JSON, calls


@pytest.fixture
def access(settings, transmit, uid):
    """Return a function that lets the callable return or raise something."""
    sign_in = settings.PIGGY_VERIFY_USER_ACCESS

    def change(found):
        def ask(request):
            if isinstance(found, Exception):
                raise found
            return found

        settings.PIGGY_VERIFY_USER_ACCESS = ask if found != "again" else sign_in

    return change


@pytest.fixture
def another(transmit):
    """The access of another user of the vendor, who has verified the address."""
    transmit.users.put(SandboxUser("other", (Attribute(ADDRESS, is_verified=True),)))
    return UserAccess(uid="other", token=Secret(transmit.sign_in("other")))


UNUSABLE = {
    "none": None,
    "error": ValueError("a token"),
    "text": "a token",
    "dictionary": {"access_token": "a token"},
    "no uid": UserAccess(uid="", token=Secret("a-token")),
    "no token": UserAccess(uid="user", token=Secret("")),
}


@pytest.mark.parametrize("found", UNUSABLE.values(), ids=UNUSABLE)
def test_without_an_access_at_the_send_the_user_has_to_log_in(
    client, shopper, transmit, access, found
):
    access(found)

    response = ask(client)

    assert response.status_code == 403
    assert calls(transmit) == []
    assert counts() == {}


@pytest.mark.parametrize("found", UNUSABLE.values(), ids=UNUSABLE)
def test_without_an_access_at_the_check_the_user_has_to_log_in(
    asked, shopper, transmit, access, found
):
    follow(transmit)
    before = counts()
    access(found)

    response = go_on(asked, headers=JSON)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"
    assert asks(transmit) == 0
    assert counts() == before
    access("again")
    assert go_on(asked).url == CONNECT


def test_another_user_of_the_vendor_has_to_log_in(
    asked, shopper, transmit, access, another
):
    before = counts()
    access(another)

    response = go_on(asked, headers=JSON)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"
    assert asks(transmit) == 0
    assert counts() == before
    assert not contacts_of(shopper)


def test_the_page_leads_to_the_login_page(asked, shopper, transmit, access, another):
    access(another)

    response = go_on(asked)

    assert response.status_code == 403
    assert f"/login/?next={CONNECT}" in response.text


def test_an_access_that_is_expired_at_the_send_is_told_afterwards(
    client, shopper, transmit
):
    with expired_tokens(transmit):
        asked = ask(client)

    response = go_on(client, headers=JSON)

    assert asked.url == LINK
    assert client.get(LINK).status_code == 200
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"
    assert asks(transmit) == 0


@pytest.fixture
def told(caplog):
    """Return a function that returns the texts of one event in the log."""
    caplog.set_level(logging.INFO, logger="django_piggy_verify")

    def find(name):
        records = [
            each for each in caplog.records if getattr(each, "event_name", None) == name
        ]
        assert {each.levelname for each in records} <= {"INFO"}
        return [each.getMessage() for each in records]

    return find


AGAIN = "For a***@example.com, the user must log in at the provider again: "


def test_an_access_that_is_expired_at_the_send_is_logged_once(
    client, shopper, transmit, told
):
    with expired_tokens(transmit):
        ask(client)
    go_on(client)

    reason = "the vendor refuses the access token of the user"
    assert told("login_required") == [AGAIN + reason]


def test_another_user_of_the_vendor_at_the_check_is_logged(
    asked, access, another, told
):
    access(another)

    go_on(asked)

    reason = "another user asked for the code or the link"
    assert told("login_required") == [AGAIN + reason]


def test_a_user_without_an_access_is_logged(asked, shopper, transmit, access, told):
    access(None)

    go_on(asked)

    assert len(told("user_access_missing")) == 1
    assert told("login_required") == []


def test_a_send_with_an_expired_access_is_not_counted(client, shopper, transmit):
    with expired_tokens(transmit):
        ask(client)

    response = ask(client)
    follow(transmit)

    assert response.url == LINK
    assert go_on(client).url == CONNECT


def test_the_check_needs_no_fresh_token_of_the_user(asked, transmit, shopper):
    """The vendor is asked with our own key."""
    follow(transmit)
    transmit.users.revoke_tokens()

    assert go_on(asked).url == CONNECT


def test_after_another_user_has_asked_the_first_one_is_asked_about(
    asked, shopper, transmit, settings, django_user_model
):
    """The newest send for the same user counts. The other user has proved nothing."""
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "9/1s"}
    ask(browser_of(django_user_model.objects.create_user("other")))
    follow(transmit)

    refused = go_on(asked, headers=JSON)

    assert refused.json()["error"]["code"] == "link_not_followed"
    assert asks(transmit) == 1
    assert not contacts_of(shopper)
