"""A user disconnects a contact, unless it is the only way in."""

import pytest
from django.db import connection
from django.test import Client

from django_piggy_verify import signals
from django_piggy_verify.connecting import is_only_way_in
from django_piggy_verify.login import verification
from django_piggy_verify.models import AuthToken, Consent, Contact, OpenChallenge
from django_piggy_verify.testing import login_contact
from django_piggy_verify.traits import Traits
from django_piggy_verify.views import DisconnectView
from tests.connecting.steps import (
    CONNECT,
    DISCONNECT,
    become,
    browser_of,
    connect,
    contacts_of,
)
from tests.db.between_statements import DEADLOCK, before_the_next
from tests.login import stateful
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, BOB, JSON, NUMBER, log_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def owned(shopper):
    """A contact of the shopper, who has a password too."""
    return add_contact(shopper, "1")


def add_contact(user, uid, provider="piggy", **columns):
    return Contact.objects.create(
        user=user,
        provider=provider,
        uid=uid,
        email=ADDRESS,
        verified_at="2026-01-01T00:00Z",
        **columns,
    )


def disconnect(browser, contact, **options):
    return browser.post(DISCONNECT, {"contact": contact}, **options)


@pytest.fixture
def heard():
    """The arguments of the signal, and whether a transaction was open."""
    found = []

    def hear(**kwargs):
        found.append((kwargs, connection.in_atomic_block))

    signals.contact_disconnected.connect(hear)
    yield found
    signals.contact_disconnected.disconnect(hear)


def test_a_contact_is_deleted(client, shopper, owned):
    response = disconnect(client, owned.pk)

    assert response.url == CONNECT
    assert not Contact.objects.exists()


def test_a_script_gets_an_empty_response(client, shopper, owned):
    response = disconnect(client, owned.pk, headers=JSON)

    assert (response.status_code, response.content) == (204, b"")


def test_a_script_posts_json_and_the_number_of_the_list(client, shopper, owned):
    [listed] = client.get(CONNECT, headers=JSON).json()["contacts"]

    client.post(DISCONNECT, listed, content_type="application/json")

    assert not Contact.objects.exists()


def test_the_token_and_the_consents_go_with_the_contact(client, shopper, owned):
    now = {"fetched_at": owned.verified_at, "expires_at": owned.verified_at}
    AuthToken.objects.create(contact=owned, ciphertext=b"", **now)
    Consent.objects.create(contact=owned, given_at=owned.verified_at)

    disconnect(client, owned.pk)

    assert not AuthToken.objects.exists()
    assert not Consent.objects.exists()


def test_the_codes_on_their_way_go_with_the_contact(client, shopper, settings):
    stateful.use(settings)
    contact = add_contact(shopper, "1", "stateful", phone=NUMBER)
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ("NL",)
    for each in (ADDRESS, NUMBER, BOB):
        verification.send_code(each)

    disconnect(client, contact.pk)

    assert OpenChallenge.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_disconnection_is_announced_after_the_commit(client, shopper, owned, heard):
    response = disconnect(client, owned.pk)

    [(about, is_in_transaction)] = heard
    assert not is_in_transaction
    assert about.pop("signal") is signals.contact_disconnected
    assert about == {
        "sender": Contact,
        "user": shopper,
        "provider": "piggy",
        "uid": "1",
        "request": response.wsgi_request,
    }


def test_a_receiver_that_fails_undoes_no_disconnection(client, shopper, owned):
    def fail(**_kwargs):
        raise RuntimeError

    with receiving(signals.contact_disconnected, fail):
        response = disconnect(client, owned.pk)

    assert response.url == CONNECT
    assert not Contact.objects.exists()


def test_a_disconnection_is_logged(client, shopper, owned, caplog):
    caplog.set_level("INFO")

    disconnect(client, owned.pk)

    [record] = [each for each in caplog.records if hasattr(each, "event_name")]
    assert record.event_name == "contact_disconnected"
    assert (record.user_id, record.provider, record.uid) == (shopper.pk, "piggy", "1")


def test_a_contact_that_was_disconnected_does_not_log_in_as_the_user(
    client, shopper, contact, piggy_sandbox, unlimited
):
    connect(client, piggy_sandbox)
    disconnect(client, Contact.objects.get().pk)
    visitor = Client()

    log_in(visitor, piggy_sandbox)

    assert visitor.session["_auth_user_id"] != str(shopper.pk)


@pytest.mark.usefixtures("shopper", "contact", "unlimited")
def test_a_contact_that_was_disconnected_can_be_connected_elsewhere(
    client, piggy_sandbox, django_user_model
):
    connect(client, piggy_sandbox)
    disconnect(client, Contact.objects.get().pk)
    other = django_user_model.objects.create_user("other")
    elsewhere = browser_of(other)

    connect(elsewhere, piggy_sandbox)

    assert contacts_of(other) == [ADDRESS]


# Whose contact it is.


@pytest.fixture
def of_another_user(django_user_model):
    other = django_user_model.objects.create_user("other", password="secret-words")
    return add_contact(other, "2")


def test_a_contact_of_another_user_stays(client, shopper, owned, of_another_user):
    response = disconnect(client, of_another_user.pk)

    assert response.status_code == 404
    assert Contact.objects.count() == 2


def seen_of(page):
    """Return what a browser gets, without the time of the response."""
    headers = {name: each for name, each in page.headers.items() if name != "Expires"}
    return headers, page.content


@pytest.mark.parametrize("headers", [{}, JSON], ids=["HTML", "JSON"])
def test_a_contact_of_another_user_looks_like_none(
    client, shopper, of_another_user, headers
):
    pages = [
        disconnect(client, each, headers=headers) for each in (of_another_user.pk, 9**9)
    ]

    assert [page.status_code for page in pages] == [404, 404]
    assert seen_of(pages[0]) == seen_of(pages[1])


def test_a_visitor_disconnects_nothing(client, of_another_user):
    response = disconnect(client, of_another_user.pk)

    assert response.url == "/login/?next=/login/connect/"
    assert Contact.objects.exists()


GARBAGE = [
    "",
    " ",
    "0",
    "-1",
    "+1",
    "1.0",
    "1e0",
    "1 OR 1=1",
    "None",
    "\x00",
    str(10**30),
    str(2**63 - 1),
    "9" * 18,
    "9" * 5000,
    "\N{SUPERSCRIPT ONE}",
    "\N{ROMAN NUMERAL ONE}",
]


@pytest.mark.parametrize("contact", GARBAGE, ids=lambda each: ascii(each)[:20])
def test_garbage_names_no_contact(client, shopper, owned, contact):
    assert disconnect(client, contact).status_code == 404
    assert Contact.objects.exists()


def test_no_field_names_no_contact(client, shopper, owned):
    assert client.post(DISCONNECT).status_code == 404


@pytest.mark.parametrize(
    "contact",
    [None, True, [1], {"pk": 1}, 1.0, -1, 10**30, "", "\ud800"],
    ids=ascii,
)
def test_garbage_in_json_names_no_contact(client, shopper, owned, contact):
    data = {"contact": contact}

    response = client.post(DISCONNECT, data, "application/json", headers=JSON)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
    assert Contact.objects.exists()


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "patch"])
def test_other_methods_are_refused(client, shopper, owned, method):
    response = getattr(client, method)(f"{DISCONNECT}?contact={owned.pk}")

    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"
    assert Contact.objects.exists()


def test_a_contact_in_the_query_is_not_read(client, shopper, owned):
    assert client.post(f"{DISCONNECT}?contact={owned.pk}").status_code == 404


# The only way in.


@pytest.fixture
def only_by_code(client, db):
    """A user without a password, logged in by code."""
    return login_contact(client)


class Shops:
    """Accounts of two shops that log in, and one that only proves attributes."""

    logs_in = {"north": True, "south": True, "news": False}
    now = "north"

    def __init__(self):
        self.name = Shops.now
        self.traits = Traits(can_log_in=self.logs_in[Shops.now])

    @classmethod
    def each_account(cls):
        usual = cls.now
        for cls.now in cls.logs_in:  # noqa: B020
            yield cls.now
        cls.now = usual


@pytest.fixture
def shops(settings):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.Shops"


@pytest.mark.parametrize("headers", [{}, JSON], ids=["HTML", "JSON"])
def test_the_only_way_in_stays(client, only_by_code, heard, headers):
    response = disconnect(client, Contact.objects.get().pk, headers=headers)

    assert response.status_code == 409
    assert Contact.objects.exists()
    assert not heard
    if headers:
        assert response.json()["error"]["code"] == "only_way_in"
    else:
        assert response.context["conflict"] == "only_way_in"


def test_with_a_password_a_contact_is_not_the_only_way_in(client, only_by_code):
    only_by_code.set_password("secret-words")
    only_by_code.save()
    become(client, only_by_code)

    assert disconnect(client, Contact.objects.get().pk).status_code == 302


def without_password(user):
    user.set_unusable_password()
    user.save()


@pytest.mark.parametrize(
    ("provider", "other", "status"),
    [
        ("north", "south", 302),
        ("south", "north", 302),
        ("north", "news", 409),
        ("news", "north", 302),
        ("north", "a former vendor", 409),
        ("a former vendor", "north", 302),
        ("news", "a former vendor", 302),
    ],
)
@pytest.mark.usefixtures("shops")
def test_the_other_ways_in_are_contacts_that_log_in(
    client, shopper, provider, other, status
):
    without_password(shopper)
    become(client, shopper)
    contact = add_contact(shopper, "1", provider)
    add_contact(shopper, "1", other)

    assert disconnect(client, contact.pk).status_code == status
    assert Shops.now == "north"


def test_a_contact_of_another_user_is_no_other_way_in(
    client, only_by_code, of_another_user
):
    contact = Contact.objects.get(user=only_by_code)

    assert disconnect(client, contact.pk).status_code == 409


def test_the_ways_in_are_not_read_from_a_replica(client, only_by_code, settings):
    contact = Contact.objects.get()
    settings.DATABASE_ROUTERS = ["tests.db.routers.ReadsFromReplica"]

    assert is_only_way_in(only_by_code, contact)


def losing_a_conflict(model):
    """Let the database undo the first statement that deletes rows of a model."""
    table = connection.ops.quote_name(model._meta.db_table)
    conflicts = [DEADLOCK]

    def wrapper(execute, sql, *args):
        if sql.startswith(f"DELETE FROM {table}") and conflicts:
            raise conflicts.pop()
        return execute(sql, *args)

    return connection.execute_wrapper(wrapper)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [Contact, OpenChallenge])
def test_a_contact_is_disconnected_although_a_conflict_was_lost(
    client, shopper, settings, heard, model
):
    stateful.use(settings)
    contact = add_contact(shopper, "1", "stateful")
    verification.send_code(ADDRESS)

    with losing_a_conflict(model):
        response = disconnect(client, contact.pk)

    assert response.status_code == 302
    assert len(heard) == 1
    assert not OpenChallenge.objects.exists()


def test_a_project_can_know_other_ways_in(client, only_by_code, monkeypatch):
    monkeypatch.setattr(DisconnectView, "is_only_way_in", lambda *_: False)

    assert disconnect(client, Contact.objects.get().pk).status_code == 302


def test_the_password_of_now_counts_as_a_way_in(client, shopper, owned):
    """The password may become unusable during the request."""
    table = connection.ops.quote_name(Contact._meta.db_table)

    with before_the_next(f"UPDATE {table}", lambda: without_password(shopper)):
        response = disconnect(client, owned.pk)

    assert response.status_code == 409
    assert Contact.objects.exists()


@pytest.mark.parametrize("headers", [{}, JSON], ids=["HTML", "JSON"])
def test_the_list_has_no_contacts_of_other_users(
    client, shopper, of_another_user, headers
):
    page = client.get(CONNECT, headers=headers)

    assert of_another_user.email not in page.text


def test_a_blank_password_is_no_way_in(client, django_user_model, owned):
    user = django_user_model.objects.create(username="blank")
    contact = add_contact(user, "2")
    become(client, user)

    assert disconnect(client, contact.pk).status_code == 409


def test_a_password_is_no_way_in_without_a_backend_for_it(client, shopper, settings):
    contact = add_contact(shopper, "1")
    settings.AUTHENTICATION_BACKENDS = ["django_piggy_verify.backends.PiggyBackend"]
    client.force_login(shopper)

    assert disconnect(client, contact.pk).status_code == 409
