import json
import logging
import pickle

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from django_piggy_verify.exceptions import (
    ContactUnknown,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.loyalty import afetch_contact, fetch_contact
from django_piggy_verify.models import AuthToken
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.tokens import get_auth_token
from tests.http import faults
from tests.http.hostile import (
    CONTACT,
    FIRST_NAME,
    KEY,
    UID,
    debug_page,
    reply,
    secrets_in,
    serving,
)
from tests.open_transactions import watch
from tests.steps import ADDRESS, calls

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def upstream(user, settings):
    """A hostile server, for a user who has logged in before."""
    with serving(settings) as server:
        yield server


def test_the_contact_is_what_the_provider_answers(user, contact, piggy_sandbox):
    piggy_sandbox.set_points(ADDRESS, 99)

    assert fetch_contact(user) == {
        "uuid": contact.uid,
        "email": ADDRESS,
        "credit_balance": {"balance": 99},
        "prepaid_balance": {"balance_in_cents": 0},
        "current_values": {"email": ADDRESS},
        "subscriptions": [],
        "attributes": [],
    }


def test_the_contact_can_be_awaited(user, contact):
    assert async_to_sync(afetch_contact)(user)["uuid"] == contact.uid


def test_each_call_makes_one_query_and_one_request(
    user, piggy_sandbox, django_assert_num_queries
):
    with django_assert_num_queries(2):
        assert fetch_contact(user) == fetch_contact(user)

    assert calls(piggy_sandbox).count("contact") == 2


def test_the_bearer_is_the_key_and_not_the_auth_token(user, piggy_sandbox, settings):
    fetch_contact(user)

    bearer = piggy_sandbox.calls[-1].headers["authorization"]
    assert bearer == f"Bearer {settings.PIGGY_VERIFY_API_KEY}"
    assert get_auth_token(user) not in bearer


def test_no_transaction_is_open_during_the_call(user, transactional_db, monkeypatch):
    during = watch(monkeypatch, PiggyProvider, ["fetch_contact"])

    fetch_contact(user)

    assert during == {"fetch_contact": False}


def test_a_user_who_is_no_contact_has_nothing(db, piggy_sandbox):
    for stranger in (User.objects.create_user("bob"), AnonymousUser()):
        with pytest.raises(ContactUnknown):
            fetch_contact(stranger)

    assert calls(piggy_sandbox) == []


def test_a_contact_that_the_provider_has_deleted_is_unknown(user, piggy_sandbox):
    piggy_sandbox.remove_contact(ADDRESS)

    with pytest.raises(ContactUnknown):
        fetch_contact(user)


@pytest.mark.parametrize("vendor", ["verifik", "punchh", "transmit"])
def test_other_vendors_have_no_such_call(admin_user, sandbox_for, vendor):
    sandbox = sandbox_for(vendor)

    with pytest.raises(ImproperlyConfigured, match="tells nothing about contacts"):
        fetch_contact(admin_user)

    assert calls(sandbox) == []


@pytest.mark.parametrize(
    ("code", "error", "is_kept"),
    [
        (55031, ContactUnknown, False),
        (1053, ProviderRefused, False),
        (3000, ProviderRefused, False),
        (1003, ProviderRefused, True),
        (7002, ProviderRefused, True),
        (9999, ProviderUnavailable, True),
    ],
)
def test_some_refusals_drop_the_auth_token(upstream, user, code, error, is_kept):
    upstream.answers["contact"] = reply({"code": code}, 400)

    with pytest.raises(error):
        fetch_contact(user)

    assert AuthToken.objects.exists() is is_kept


@pytest.mark.parametrize(
    ("fault", "level"), [(Fault.OUTAGE, "WARNING"), (Fault.UNAUTHORIZED, "ERROR")]
)
def test_a_failure_is_logged_at_the_level_of_who_must_act(
    user, piggy_sandbox, caplog, fault, level
):
    piggy_sandbox.switches.fault = fault

    with pytest.raises((ProviderUnavailable, ProviderRefused)):
        fetch_contact(user)

    [record] = [each for each in caplog.records if "contact failed" in each.message]
    assert record.levelname == level


def test_a_failure_is_not_remembered(user, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.OUTAGE
    with pytest.raises(ProviderUnavailable):
        fetch_contact(user)
    piggy_sandbox.switches.fault = None

    assert fetch_contact(user)["email"] == ADDRESS


def test_a_slow_answer_is_an_outage(user, piggy_sandbox, settings):
    settings.PIGGY_VERIFY_TIMEOUT = 0.1
    piggy_sandbox.switches.delay = 0.5

    with pytest.raises(ProviderUnavailable):
        fetch_contact(user)


NO_OBJECTS = {
    "list": {"data": [CONTACT]},
    "null": {"data": None},
    "text": {"data": FIRST_NAME},
    "number": {"data": 99},
    "true": {"data": True},
    "missing": {"meta": []},
    "bare": CONTACT,
    "bare list": [CONTACT],
    "bare null": None,
}


@pytest.mark.parametrize("body", NO_OBJECTS.values(), ids=NO_OBJECTS)
def test_an_answer_that_is_no_object_is_an_outage(upstream, user, body, caplog):
    upstream.answers["contact"] = reply(json.dumps(body).encode())

    with pytest.raises(ProviderUnavailable, match="the answer cannot be read"):
        fetch_contact(user)

    assert "contact failed: the answer cannot be read" in caplog.text
    assert secrets_in(caplog.text) == []


FAMILIES = ["html", "empty", "duplicate-keys", "nesting", "nan", "truncated"]
FAMILIES += ["50-mb", "50-mb-chunked", "gzip-bomb", "slow-body", "moved-302", "reset"]
FAMILIES += ["silence-at-accept", "refused"]


@pytest.mark.parametrize("name", FAMILIES)
def test_each_fault_of_the_provider_is_an_outage(
    upstream, user, settings, name, caplog
):
    upstream.flow = ("contact",)
    faults.begin(upstream, settings, "contact", faults.FAULTS[name])

    with pytest.raises(ProviderUnavailable):
        fetch_contact(user)

    assert "contact failed: " in caplog.text
    assert faults.FAULTS[name].cause in caplog.text


ODD_BALANCES: list[object] = [
    "99",
    None,
    99.5,
    -5,
    0,
    True,
    [],
    {},
    10**30,
    "\ud800",
    "<b>",
]


@pytest.mark.parametrize("balance", ODD_BALANCES, ids=ascii)
def test_odd_values_are_passed_on(user, piggy_sandbox, balance):
    piggy_sandbox.set_points(ADDRESS, balance)

    found = fetch_contact(user)["credit_balance"]["balance"]

    assert found == balance
    assert type(found) is type(balance)


def test_a_number_too_large_for_a_float_is_infinite(upstream, user):
    upstream.answers["contact"] = reply(b'{"data": {"balance": 1e999}}')

    assert fetch_contact(user) == {"balance": float("inf")}


def nested(depth):
    value: object = FIRST_NAME
    for _ in range(depth):
        value = {"a": [value]}
    return value


def test_all_values_are_of_plain_types(upstream, user):
    data = CONTACT | {"more": [FIRST_NAME, 1, 1.5, None, True, nested(15)]}
    upstream.answers["contact"] = reply({"data": data})

    found = fetch_contact(user)

    assert found == data
    assert repr(found) == repr(data)
    assert b"piggy_verify" not in pickle.dumps(found)


def test_an_answer_deeper_than_any_contact_is_an_outage(upstream, user, caplog):
    upstream.answers["contact"] = reply({"data": {"deep": nested(40)}})

    page = debug_page(fetch_contact, user)

    assert "ProviderUnavailable" in page
    assert "contact failed: the answer cannot be read" in caplog.text
    assert secrets_in(page) == []


def test_a_contact_is_in_no_log_and_on_no_debug_page(
    upstream, user, caplog, monkeypatch
):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")
    fetch_contact(user)
    monkeypatch.delattr("django_piggy_verify.loyalty.SecretInt")

    page = debug_page(fetch_contact, user)

    assert "NameError" in page
    assert upstream.names == ["contact", "contact"]
    logged = [f"{each.getMessage()} {vars(each)}" for each in caplog.records]
    assert secrets_in(f"{page} {logged}") == []


def test_no_redirect_is_followed_with_the_key(upstream, user):
    upstream.answers["contact"] = reply(b"", 302, Location=f"{upstream.url}/root")

    with pytest.raises(ProviderUnavailable):
        fetch_contact(user)

    [request] = upstream.requests
    assert request.target.endswith(f"/contacts/{user.piggy_contacts.get().uid}")
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_nothing_is_stored(upstream, user):
    fetch_contact(user)

    with connections["default"].cursor() as cursor:
        for table in connections["default"].introspection.table_names(cursor):
            cursor.execute(
                f"SELECT * FROM {connections['default'].ops.quote_name(table)}"
            )
            assert FIRST_NAME not in str(cursor.fetchall())


def test_a_uid_that_would_change_the_path_is_not_sent(upstream, user):
    for uid in ("..", "a/b", "a?b", "%2e%2e", ""):
        user.piggy_contacts.update(uid=uid)
        with pytest.raises(ContactUnknown):
            fetch_contact(user)

    assert upstream.requests == []
    user.piggy_contacts.update(uid=UID)
    assert fetch_contact(user) == CONTACT
