"""The token that comes with a right code is stored, and only a login renews it."""

from datetime import timedelta
from functools import partial

import pytest
import time_machine
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, OperationalError, connection
from django.test import Client
from django.utils import timezone

from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.exceptions import ContactUnknown, LoginRequired
from django_piggy_verify.models import AuthToken
from django_piggy_verify.secret import SecretInt
from django_piggy_verify.signals import auth_token_fetched
from django_piggy_verify.tokens import get_auth_token
from tests.secrecy.evidence import receiving
from tests.steps import (
    ADDRESS,
    JSON,
    ask_for_code,
    calls,
    is_logged_in,
    log_in,
    log_out,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox(sandbox_for):
    return sandbox_for("verifik")


@pytest.fixture
def user(client, sandbox):
    """A user who has just logged in."""
    log_in(client, sandbox)
    return User.objects.get()


def in_seconds(seconds):
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False)


def test_the_token_of_a_login_is_stored(user, sandbox, django_assert_num_queries):
    with django_assert_num_queries(1):
        token = get_auth_token(user)

    assert token.startswith("eyJ")
    assert calls(sandbox) == ["send", "verify"]


def test_the_token_is_encrypted(user):
    token = get_auth_token(user)

    assert token.encode() not in bytes(AuthToken.objects.get().ciphertext)


def test_the_option_says_how_long_the_token_is_used(user):
    with in_seconds(3500):
        assert get_auth_token(user)
    with in_seconds(3601), pytest.raises(LoginRequired):
        get_auth_token(user)


def test_a_token_that_expires_soon_is_still_used(user):
    with in_seconds(3595):
        assert get_auth_token(user)


def test_a_token_cannot_be_refreshed_without_a_login(user):
    with pytest.raises(LoginRequired):
        get_auth_token(user, refresh=True)

    assert get_auth_token(user)


def test_the_next_login_brings_the_next_token(client, user, sandbox, unlimited):
    first = get_auth_token(user)
    log_out(client)

    log_in(client, sandbox)
    assert get_auth_token(user) != first


def test_a_user_who_is_no_contact_is_told_so(sandbox):
    stranger = User.objects.create(username="stranger")

    with pytest.raises(ContactUnknown):
        get_auth_token(stranger)


def test_a_provider_without_tokens_is_told_apart(client, user, settings):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.Tokenless"
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {}

    with pytest.raises(ImproperlyConfigured, match="no auth tokens"):
        get_auth_token(user)


class Tokenless:
    """A provider that neither issues nor fetches tokens."""

    name = "tokenless"


def test_the_page_of_the_token_has_the_token_of_the_login(client, user, settings):
    settings.PIGGY_VERIFY_EXPOSE_AUTH_TOKEN = True

    assert client.get("/login/token/").json()["auth_token"] == get_auth_token(user)


def test_the_page_of_the_token_says_that_a_login_is_needed(client, user, settings):
    settings.PIGGY_VERIFY_EXPOSE_AUTH_TOKEN = True
    AuthToken.objects.all().delete()

    response = client.get("/login/token/", headers=JSON)
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"


def test_a_logout_deletes_the_token(client, user):
    client.post("/logout/")

    assert not AuthToken.objects.exists()


def test_after_a_logout_another_browser_has_to_log_in_for_a_token(
    client, sandbox, user, unlimited
):
    other = Client()
    log_in(other, sandbox)

    client.post("/logout/")

    assert is_logged_in(other)
    with pytest.raises(LoginRequired):
        get_auth_token(user)


def test_a_token_that_cannot_be_stored_leaves_the_login(client, sandbox, caplog):
    def fail_to_store(execute, sql, params, many, context):
        if "INSERT INTO" in sql and AuthToken._meta.db_table in sql:
            raise DatabaseError("the table is full")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_to_store):
        log_in(client, sandbox)

    assert is_logged_in(client)
    assert User.objects.get().piggy_contacts.get().email == ADDRESS
    assert f"User {User.objects.get().pk} got no auth token" in caplog.text


def test_a_statement_that_the_database_refuses_leaves_the_login(
    client, sandbox, monkeypatch
):
    def store(*_args, **_kwargs):
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column FROM no_such_table")

    monkeypatch.setattr(cache, "store", store)
    log_in(client, sandbox)

    assert is_logged_in(client)
    assert not AuthToken.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_login_whose_transaction_the_database_has_undone_is_tried_again(
    client, sandbox, monkeypatch
):
    stores = [undo, cache.store]

    def store(*args, **kwargs):
        stores.pop(0)(*args, **kwargs)

    monkeypatch.setattr(cache, "store", store)
    log_in(client, sandbox)

    assert is_logged_in(client)
    assert get_auth_token(User.objects.get())


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_nobody_is_logged_in(client, sandbox, monkeypatch):
    monkeypatch.setattr(cache, "store", partial(undo, code=2006))
    ask_for_code(client)

    with pytest.raises(OperationalError):
        authenticate(recipient=ADDRESS, secret_code=sandbox.last_code(ADDRESS))

    assert not User.objects.exists()


def undo(*_args, code=1213, **_kwargs):
    """Undo the whole transaction and fail, as MariaDB does after a deadlock."""
    with connection.cursor() as cursor:
        cursor.execute("ROLLBACK")
    raise OperationalError(code)


def test_a_stored_token_is_signalled_after_the_commit(client, sandbox):
    received = []

    def note(contact, expires_at, **_kwargs):
        received.append((contact.email, expires_at, AuthToken.objects.count()))

    with receiving(auth_token_fetched, note), in_seconds(0):
        log_in(client, sandbox)
        expires_at = timezone.now() + timedelta(seconds=3600)

    assert received == [(ADDRESS, expires_at, 1)]


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        *((1800, 1800), (1, 1), (10**9 - 1, 10**9 - 1)),
        *((0, 900), (-1, 900), (True, 900), (10**9, 900), (10**30, 900), (None, 900)),
        *(("1800", 900), (1800.0, 900)),
    ],
    ids=repr,
)
def test_a_lifetime_that_cannot_be_believed_is_replaced(expires_in, seconds):
    now = timezone.now()

    assert cache.expiry(now, expires_in) == now + timedelta(seconds=seconds)


def test_a_lifetime_that_an_answer_has_is_believed():
    now = timezone.now()

    assert cache.expiry(now, SecretInt(60)) == now + timedelta(seconds=60)
