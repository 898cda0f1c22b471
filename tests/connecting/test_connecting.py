"""A user asks for a code, types it, and has a contact."""

import pytest

from django_piggy_verify.models import Contact
from tests.connecting.steps import CODE, CONNECT, ask, connect, contacts_of, type_code
from tests.steps import ADDRESS, JSON, log_in


def test_a_right_code_connects_the_contact(client, shopper, contact, piggy_sandbox):
    response = connect(client, piggy_sandbox)

    assert response.url == CONNECT
    assert Contact.objects.get().user == shopper
    assert Contact.objects.get().uid == contact.uid


def test_the_list_shows_what_is_connected(client, shopper, contact, piggy_sandbox):
    connect(client, piggy_sandbox)

    assert ADDRESS in client.get(CONNECT).text


def test_a_contact_that_is_connected_logs_in_as_the_user(
    client, shopper, contact, piggy_sandbox, unlimited
):
    connect(client, piggy_sandbox)
    client.logout()

    log_in(client, piggy_sandbox)

    assert client.session["_auth_user_id"] == str(shopper.pk)


def test_a_wrong_code_connects_nothing(client, shopper, contact):
    ask(client)

    response = type_code(client, "999999")

    assert response.status_code == 200
    assert not contacts_of(shopper)


def test_the_code_page_shows_the_address(client, shopper, contact):
    response = ask(client)

    assert response.url == CODE
    assert ADDRESS in client.get(CODE).text


@pytest.mark.usefixtures("shopper", "contact")
def test_the_answer_to_a_right_code_ends_the_login_in_progress(client, piggy_sandbox):
    connect(client, piggy_sandbox)
    data = {"code": piggy_sandbox.last_code(ADDRESS)}

    page = client.post(CODE, data)
    script = client.post(CODE, data, headers=JSON)

    assert page.url == f"{CONNECT}?expired=none"
    assert script.status_code == 409
    assert script.json()["error"]["code"] == "login_expired"


@pytest.mark.usefixtures("shopper", "contact")
def test_a_connection_that_is_lost_differs_from_one_never_begun(client):
    ask(client)
    login = client.get(CODE).context["login"]
    del client.cookies["piggy_verify_connect"]

    lost = client.post(CODE, {"code": "1", "login": login}, follow=True)
    none = client.get(CODE, follow=True)

    assert lost.request["PATH_INFO"] == none.request["PATH_INFO"] == CONNECT
    assert (lost.context["ended"], none.context["ended"]) == ("lost", "none")
