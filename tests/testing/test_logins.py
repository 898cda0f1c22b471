"""Log contacts in with `login_contact`, without visiting the pages."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from django_piggy_verify import signals
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.exceptions import LoginRefused
from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.testing import login_contact
from django_piggy_verify.tokens import get_auth_token
from tests.steps import ADDRESS, SPELLINGS, log_in

pytestmark = pytest.mark.django_db
SHOP = ["django.contrib.auth.backends.ModelBackend", f"{__name__}.ShopBackend"]


class ShopBackend(PiggyBackend):
    """A backend that records the arguments of its hooks and refuses Bob."""

    def create_user(self, request, identity):
        return User.objects.create(username=identity.email, last_name=identity.uid)

    def update_user(self, request, user, identity):
        user.first_name = str(request)

    def can_log_in(self, request, user):
        return not user.username.startswith("bob")


@pytest.fixture
def shop(settings):
    settings.AUTHENTICATION_BACKENDS = SHOP


def test_a_contact_is_logged_in(client):
    user = login_contact(client)

    assert client.get("/members/").text == f"user {user.pk}"


def test_login_contact_makes_no_call_and_counts_nothing(client, piggy_sandbox):
    login_contact(client)

    assert not piggy_sandbox.calls
    assert not Tally.objects.exists()


def test_the_address_of_the_row_is_in_its_one_spelling(client):
    login_contact(client, " Ann@EXAMPLE.com ")

    assert Contact.objects.get().email == "Ann@example.com"


def test_the_row_of_the_contact_is_written(client):
    user = login_contact(client, "bob@example.com", uid="bob")

    row = Contact.objects.get()
    assert (row.user, row.email, row.uid) == (user, "bob@example.com", "bob")
    assert row.provider == "piggy"


@pytest.mark.parametrize("again", [ADDRESS, *SPELLINGS.values()], ids=ascii)
def test_an_address_is_the_same_contact_each_time(again):
    assert login_contact(Client(), ADDRESS) == login_contact(Client(), again)


@pytest.fixture
def served(settings):
    """Serve Dutch numbers."""
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
    settings.PIGGY_VERIFY_PHONE_REGION = "NL"


@pytest.mark.parametrize("number", ["+31612345678", "06-12345678"])
def test_a_number_is_stored_as_the_phone_of_the_contact(client, served, number):
    user = login_contact(client, number)

    row = Contact.objects.get()
    assert (row.user, row.email, row.phone) == (user, "", "+31612345678")
    assert client.get("/members/").text == f"user {user.pk}"


def test_a_number_is_the_same_contact_each_time(served):
    first = login_contact(Client(), "+31612345678")

    assert login_contact(Client(), "(06) 12 34 56 78") == first
    assert login_contact(Client(), "06 12 34 56 79") != first


def test_a_contact_keeps_the_address_when_a_number_is_proved(client, served):
    login_contact(client, ADDRESS, uid="ann")

    login_contact(client, "+31612345678", uid="ann")

    row = Contact.objects.get()
    assert (row.email, row.phone) == (ADDRESS, "+31612345678")


def test_a_number_of_a_country_that_is_not_served_is_refused(client, served):
    with pytest.raises(ValueError, match="not served"):
        login_contact(client, "+32470123456")


def test_two_addresses_are_two_contacts(client):
    assert login_contact(client) != login_contact(client, "bob@example.com")


def test_an_id_is_the_same_contact_at_any_address(client):
    user = login_contact(client, uid="one")

    assert login_contact(client, "ann@new.example", uid="one") == user


def test_the_contact_who_walks_the_pages_is_the_same(client, contact, piggy_sandbox):
    user = login_contact(Client(), uid=contact.uid)

    log_in(client, piggy_sandbox)

    assert client.get("/members/").text == f"user {user.pk}"


def test_a_token_is_there_without_any_call(client, piggy_sandbox):
    user = login_contact(client, auth_token="opens the portal")

    assert get_auth_token(user) == "opens the portal"
    assert not piggy_sandbox.calls


def test_a_token_can_be_fetched_for_a_contact_of_the_sandbox(client, contact):
    assert get_auth_token(login_contact(client, uid=contact.uid))


def test_the_hooks_of_the_project_run(client, shop, rf):
    request = rf.get("/here/")

    user: Any = login_contact(client, uid="one", request=request)

    assert (user.username, user.last_name) == (ADDRESS, "one")
    assert user.first_name == str(request)


def test_the_session_is_one_of_the_projects_own_backend(client, shop):
    login_contact(client)

    assert client.session["_auth_user_backend"] == SHOP[1]


def test_a_refused_contact_cannot_be_logged_in(client, shop):
    with pytest.raises(LoginRefused):
        login_contact(client, "bob@example.com")

    assert not client.session.keys()
    assert not User.objects.exists()


def test_signals_of_a_login_are_sent(client):
    told = []

    def note(**kwargs):
        told.append((kwargs["user"], kwargs["is_new"], kwargs["request"]))

    signals.contact_verified.connect(note)
    user = login_contact(client)
    signals.contact_verified.disconnect(note)

    assert told == [(user, True, None)]


def test_an_invalid_address_is_refused(client):
    with pytest.raises(ValueError, match="no address"):
        login_contact(client, "ann")


def test_a_project_without_the_backend_gets_an_error(client, settings):
    settings.AUTHENTICATION_BACKENDS = SHOP[:1]

    with pytest.raises(ImproperlyConfigured, match="no PiggyBackend"):
        login_contact(client)


def test_an_async_client_is_logged_in_as_well(async_client):
    async def visit():
        await sync_to_async(login_contact)(async_client)
        return await async_client.get("/members/")

    page = async_to_sync(visit)()

    assert page.text == f"user {User.objects.get().pk}"
