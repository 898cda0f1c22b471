"""The login in progress of a connection belongs to one user in one browser."""

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client

from django_piggy_verify.login import logins
from django_piggy_verify.models import AuthToken, Consent, Contact, OpenChallenge
from django_piggy_verify.providers.piggy import PiggyProvider
from tests.connecting.steps import (
    CANCEL,
    CODE,
    CONNECT,
    RESEND,
    ask,
    become,
    contacts_of,
    type_code,
)
from tests.steps import ADDRESS, JSON, ask_for_code, calls, log_out

LOST = f"{CONNECT}?expired=lost"
NONE = f"{CONNECT}?expired=none"

pytestmark = pytest.mark.usefixtures("contact")


@pytest.fixture
def other(django_user_model):
    return django_user_model.objects.create_user("other", password="secret-words")


@pytest.fixture
def code(client, shopper, contact, piggy_sandbox):
    """The code that was mailed for a connection of the shopper."""
    ask(client)
    return piggy_sandbox.last_code(ADDRESS)


def field_of(browser):
    """Return the form field of the connection that the page of `browser` shows."""
    return str(browser.get(CODE).context["login"])


def nothing_is_connected(sandbox):
    """Return whether there are no rows, and no code was checked."""
    rows = (Contact, AuthToken, Consent, OpenChallenge)
    is_empty = not any(each.objects.exists() for each in rows)
    return is_empty and "verify" not in calls(sandbox)


def test_the_connection_has_a_cookie_of_its_own(client, code):
    assert logins.CONNECT_COOKIE in client.cookies
    assert logins.COOKIE not in client.cookies


def test_a_right_code_deletes_the_cookie(client, code):
    response = type_code(client, code)

    assert response.cookies[logins.CONNECT_COOKIE]["max-age"] == 0


def test_a_refusal_deletes_the_cookie(client, code, shopper):
    make_staff(shopper)

    response = type_code(client, code)

    assert response.cookies[logins.CONNECT_COOKIE]["max-age"] == 0


def test_the_cookies_have_signatures_of_their_own(client, code):
    signed = client.cookies[logins.CONNECT_COOKIE].value

    with pytest.raises(signing.BadSignature):
        signing.loads(signed, salt="django_piggy_verify.pending")


def test_after_a_log_out_a_right_code_connects_nothing(client, code, piggy_sandbox):
    log_out(client)

    response = type_code(client, code)

    assert response.url.startswith("/login/?next=")
    assert nothing_is_connected(piggy_sandbox)


def test_after_a_log_out_a_script_has_to_log_in(client, code, piggy_sandbox):
    log_out(client)

    response = client.post(CODE, {"code": code}, headers=JSON)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"
    assert nothing_is_connected(piggy_sandbox)


def test_another_user_of_the_browser_has_no_connection(
    client, code, other, piggy_sandbox
):
    become(client, other)

    response = type_code(client, code)

    assert response.url == NONE
    assert nothing_is_connected(piggy_sandbox)


def test_another_user_of_the_browser_does_not_see_the_address(client, code, other):
    become(client, other)

    pages = [client.get(url, follow=True) for url in (CODE, LOST, CONNECT)]

    assert all(ADDRESS not in page.text for page in pages)


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("url", [RESEND, CANCEL])
def test_another_user_of_the_browser_sends_nothing(
    client, code, other, piggy_sandbox, url
):
    become(client, other)

    client.post(url)

    assert calls(piggy_sandbox) == ["send"]


def test_the_first_user_goes_on_after_another_one(client, code, other, shopper):
    become(client, other)
    client.get(CODE)
    become(client, shopper)

    type_code(client, code)

    assert contacts_of(shopper) == [ADDRESS]


def test_a_form_of_another_user_connects_nothing(client, code, other, piggy_sandbox):
    form = field_of(client)
    become(client, other)

    response = type_code(client, code, login=form)

    assert response.url == LOST
    assert nothing_is_connected(piggy_sandbox)


def test_a_form_of_another_user_connects_nothing_beside_an_own_connection(
    client, code, other, piggy_sandbox, unlimited
):
    form = field_of(client)
    become(client, other)
    ask(client, "other@example.com")

    type_code(client, code, login=form)

    assert nothing_is_connected(piggy_sandbox)


def test_a_form_of_another_browser_connects_nothing(
    client, code, shopper, piggy_sandbox, unlimited
):
    form, elsewhere = field_of(client), Client()
    become(elsewhere, shopper)
    ask(elsewhere, "other@example.com")

    type_code(elsewhere, code, login=form)

    assert nothing_is_connected(piggy_sandbox)


def test_a_form_without_a_cookie_connects_nothing(client, code, piggy_sandbox):
    form = field_of(client)
    del client.cookies[logins.CONNECT_COOKIE]

    response = type_code(client, code, login=form)

    assert response.url == LOST
    assert nothing_is_connected(piggy_sandbox)


def test_the_next_of_a_form_of_another_user_is_not_followed(client, shopper, other):
    ask(client, next="/members/?secret=1")
    form = field_of(client)
    become(client, other)

    assert type_code(client, "123456", login=form).url == LOST


def test_a_planted_cookie_of_another_user_connects_nothing(
    client, code, other, piggy_sandbox
):
    victim = Client()
    become(victim, other)
    planted = client.cookies[logins.CONNECT_COOKIE].value
    victim.cookies[logins.CONNECT_COOKIE] = planted

    type_code(victim, code)

    assert nothing_is_connected(piggy_sandbox)


def test_the_cookie_of_a_login_is_none_of_a_connection(
    client, shopper, contact, piggy_sandbox
):
    visitor = Client()
    ask_for_code(visitor)
    client.cookies[logins.CONNECT_COOKIE] = visitor.cookies[logins.COOKIE].value

    response = type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert response.url == NONE
    assert nothing_is_connected(piggy_sandbox)


def test_the_cookie_of_a_connection_is_none_of_a_login(client, code, piggy_sandbox):
    visitor = Client()
    visitor.cookies[logins.COOKIE] = client.cookies[logins.CONNECT_COOKIE].value

    response = visitor.post("/login/code/", {"code": code})

    assert response["Location"] == "/login/?expired=none"
    assert nothing_is_connected(piggy_sandbox)


def test_the_form_of_a_login_is_none_of_a_connection(
    client, shopper, piggy_sandbox, unlimited
):
    log_out(client)
    ask_for_code(client)
    form = str(client.get("/login/code/").context["login"])
    become(client, shopper)
    ask(client, "other@example.com")

    type_code(client, piggy_sandbox.last_code(ADDRESS), login=form)

    assert nothing_is_connected(piggy_sandbox)


def test_the_form_of_a_connection_is_none_of_a_login(
    client, code, piggy_sandbox, unlimited
):
    form, visitor = field_of(client), Client()
    ask_for_code(visitor, "other@example.com")

    visitor.post("/login/code/", {"code": code, "login": form})

    assert nothing_is_connected(piggy_sandbox)


def test_a_login_and_a_connection_go_on_side_by_side(
    client, contact, piggy_sandbox, shopper, unlimited
):
    piggy_sandbox.add_contact("bob@example.com")
    log_out(client)
    ask_for_code(client, "bob@example.com")
    become(client, shopper)
    ask(client)

    type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert contacts_of(shopper) == [ADDRESS]
    assert client.cookies[logins.COOKIE].value


def test_a_changed_password_ends_the_connection(client, code, shopper, piggy_sandbox):
    shopper.set_password("other-words")
    shopper.save()

    response = type_code(client, code)

    assert response.url.startswith("/login/?next=")
    assert nothing_is_connected(piggy_sandbox)


# The user changes between the send and the check.


def make_inactive(user):
    User.objects.filter(pk=user.pk).update(is_active=False)


def make_staff(user):
    User.objects.filter(pk=user.pk).update(is_staff=True)


def make_superuser(user):
    User.objects.filter(pk=user.pk).update(is_superuser=True)


def delete(user):
    User.objects.filter(pk=user.pk).delete()


def change_password(user):
    found = User.objects.get(pk=user.pk)
    found.set_password("other-words")
    found.save()


CHANGES = [make_inactive, make_staff, make_superuser, delete, change_password]
REFUSED = [make_inactive, make_staff, make_superuser]


@pytest.fixture
def keeps_inactive_users(settings):
    """Keep inactive users logged in, as some projects do."""
    settings.AUTHENTICATION_BACKENDS = [
        "django_piggy_verify.backends.PiggyBackend",
        "django.contrib.auth.backends.AllowAllUsersModelBackend",
    ]


@pytest.fixture
def kept(client, shopper, keeps_inactive_users):
    """The shopper, logged in by a backend that keeps inactive users."""
    backend = "django.contrib.auth.backends.AllowAllUsersModelBackend"
    client.force_login(shopper, backend)
    return shopper


@pytest.mark.parametrize("change", CHANGES)
def test_a_user_who_changed_after_the_send_connects_nothing(
    client, shopper, code, piggy_sandbox, change
):
    change(shopper)

    response = type_code(client, code)

    assert response.status_code in {302, 403}
    assert nothing_is_connected(piggy_sandbox)


@pytest.mark.parametrize("change", REFUSED)
def test_a_user_who_stays_logged_in_but_may_not_connect_is_refused(
    client, kept, code, piggy_sandbox, change
):
    change(kept)

    response = type_code(client, code)

    assert response.status_code == 403
    assert nothing_is_connected(piggy_sandbox)


@pytest.mark.parametrize("change", CHANGES)
def test_a_user_who_changes_during_the_check_connects_nothing(
    client, shopper, code, monkeypatch, change
):
    check = PiggyProvider.check_code

    def check_meanwhile(*args):
        change(shopper)
        return check(*args)

    monkeypatch.setattr(PiggyProvider, "check_code", check_meanwhile)

    response = type_code(client, code)

    assert response.status_code == 403
    rows = (Contact, AuthToken, Consent, OpenChallenge)
    assert not any(each.objects.exists() for each in rows)
