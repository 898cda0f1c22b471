"""Connecting a contact logs nobody in, and leaves the session alone."""

import pytest
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.sessions.models import Session
from django.db import connection
from django.dispatch import Signal
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_piggy_verify import signals
from django_piggy_verify.models import Contact
from tests.connecting.steps import (
    CANCEL,
    CODE,
    CONNECT,
    DISCONNECT,
    ask,
    connect,
    contacts_of,
    type_code,
)
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, BOB, log_in

pytestmark = pytest.mark.usefixtures("contact")


WATCHED = {
    each: name for name, each in vars(signals).items() if isinstance(each, Signal)
} | {user_logged_in: "user_logged_in", user_login_failed: "user_login_failed"}


@pytest.fixture
def heard():
    """The signals that were sent: name, arguments, whether in a transaction."""
    found = []

    def hear(signal, **kwargs):
        found.append((WATCHED[signal], kwargs, connection.in_atomic_block))

    for each in WATCHED:
        each.connect(hear)
    yield found
    for each in WATCHED:
        each.disconnect(hear)


def names(heard):
    return [name for name, *_ in heard]


def rows_of_sessions():
    return list(Session.objects.values_list())


def test_the_session_stays_as_it_was(client, shopper, piggy_sandbox):
    key, before = client.session.session_key, rows_of_sessions()

    connect(client, piggy_sandbox)

    assert client.session.session_key == key
    assert rows_of_sessions() == before


def test_no_page_writes_the_session(client, shopper, piggy_sandbox):
    with CaptureQueriesContext(connection) as queries:
        client.get(CONNECT)
        connect(client, piggy_sandbox)
        client.post(CANCEL)
        client.post(DISCONNECT, {"contact": Contact.objects.get().pk})

    writes = ("INSERT", "UPDATE", "DELETE")
    written = [each["sql"] for each in queries if each["sql"].startswith(writes)]
    assert written
    assert not [each for each in written if "django_session" in each]


def test_no_response_sets_the_cookie_of_the_session(client, shopper, piggy_sandbox):
    pages = [ask(client), client.get(CODE)]
    pages.append(type_code(client, piggy_sandbox.last_code(ADDRESS)))

    assert not [page for page in pages if "sessionid" in page.cookies]


def test_the_user_row_stays_as_it_was(client, shopper, piggy_sandbox):
    before = type(shopper).objects.values().get()

    connect(client, piggy_sandbox)

    assert type(shopper).objects.values().get() == before


def test_the_request_keeps_its_user(client, shopper, piggy_sandbox):
    response = connect(client, piggy_sandbox)

    assert response.wsgi_request.user == shopper
    assert not hasattr(response.wsgi_request.user, "_piggy_verify_contact")


def test_nobody_is_logged_in(client, shopper, piggy_sandbox, heard):
    connect(client, piggy_sandbox)

    assert names(heard) == ["code_sent", "contact_connected"]


def test_a_wrong_code_is_no_failed_login(client, shopper, heard):
    ask(client)

    type_code(client, "000000")

    assert names(heard) == ["code_sent", "code_rejected"]


@pytest.mark.django_db(transaction=True)
def test_the_connection_is_announced_after_the_commit(
    client, shopper, contact, piggy_sandbox, heard
):
    response = connect(client, piggy_sandbox)

    _, about, is_in_transaction = heard[-1]
    assert not is_in_transaction
    assert about["sender"] is Contact
    assert about["user"] == shopper
    assert (about["identity"].uid, about["identity"].email) == (contact.uid, ADDRESS)
    assert about["request"] is response.wsgi_request
    assert about["is_new"] is True


def test_an_own_contact_is_connected_again(
    client, shopper, piggy_sandbox, heard, unlimited
):
    connect(client, piggy_sandbox)
    before = Contact.objects.get()

    connect(client, piggy_sandbox)

    after = Contact.objects.get()
    assert heard[-1][1]["is_new"] is False
    assert (after.pk, after.created_at) == (before.pk, before.created_at)
    assert after.verified_at > before.verified_at


def test_a_new_address_of_an_own_contact_is_recorded(
    client, shopper, contact, piggy_sandbox, unlimited
):
    connect(client, piggy_sandbox)
    piggy_sandbox.add_contact("new@example.com", contact.uid)

    connect(client, piggy_sandbox, "new@example.com")

    assert contacts_of(shopper) == ["new@example.com"]


def test_a_receiver_that_fails_undoes_nothing(client, shopper, piggy_sandbox):
    def fail(**_kwargs):
        raise RuntimeError

    with receiving(signals.contact_connected, fail):
        response = connect(client, piggy_sandbox)

    assert response.url == CONNECT
    assert contacts_of(shopper) == [ADDRESS]


@pytest.mark.usefixtures("shopper", "unlimited")
@pytest.mark.parametrize("conflict", ["contact_taken", "already_connected"])
def test_a_conflict_is_not_announced(client, piggy_sandbox, heard, conflict):
    piggy_sandbox.add_contact(BOB)
    if conflict == "contact_taken":
        log_in(Client(), piggy_sandbox, BOB)
    else:
        connect(client, piggy_sandbox)
    before = [each for each in names(heard) if each != "code_sent"]

    connect(client, piggy_sandbox, BOB)

    assert [each for each in names(heard) if each != "code_sent"] == before


def test_a_connection_is_logged(client, shopper, piggy_sandbox, caplog):
    caplog.set_level("INFO")

    connect(client, piggy_sandbox)

    [record] = [
        each
        for each in caplog.records
        if getattr(each, "event_name", "") == "contact_connected"
    ]
    assert (record.user_id, record.is_new) == (shopper.pk, True)
    assert ADDRESS not in caplog.text
