import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from django_piggy_verify import tokens
from django_piggy_verify.auth_tokens import cache, leases
from django_piggy_verify.auth_tokens.cache import CachedToken, Freshness
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.exceptions import (
    ContactUnknown,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.login import after_response
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.secret import Secret
from django_piggy_verify.signals import contact_verified
from django_piggy_verify.tokens import get_auth_token
from tests.steps import calls, log_in, type_code

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def token(user):
    return get_auth_token(user)


def expire():
    AuthToken.objects.update(expires_at=timezone.now())


def fetches(sandbox):
    return calls(sandbox).count("auth-token")


def test_a_cached_token_costs_one_query_and_no_http(
    user, piggy_sandbox, django_assert_num_queries
):
    with django_assert_num_queries(1):
        token = get_auth_token(user)

    assert token.startswith("eyJ")
    assert fetches(piggy_sandbox) == 1


def test_the_token_is_plain_text_for_its_caller(token):
    assert type(token) is str
    assert repr(token).strip("'") == token


def test_an_expired_token_is_fetched_anew(user, token, piggy_sandbox):
    expire()

    assert get_auth_token(user) != token
    assert fetches(piggy_sandbox) == 2


def test_a_token_is_used_for_as_long_as_the_setting_says(settings, user):
    settings.PIGGY_VERIFY_AUTH_TOKEN_TTL = 60
    get_auth_token(user, refresh=True)

    row = AuthToken.objects.get()
    assert row.expires_at - row.fetched_at == timedelta(seconds=60)


def test_a_missing_token_is_fetched_and_stored(user, piggy_sandbox):
    AuthToken.objects.all().delete()

    assert get_auth_token(user) == get_auth_token(user)
    assert fetches(piggy_sandbox) == 2


def test_refresh_fetches_although_the_token_is_fresh(user, token):
    assert get_auth_token(user, refresh=True) != token


def test_both_shapes_of_the_answer_are_read(user, piggy_sandbox):
    piggy_sandbox.switches.bare_token = True

    assert get_auth_token(user, refresh=True).startswith("eyJ")


@pytest.mark.parametrize("fault", [Fault.OUTAGE, Fault.UNAUTHORIZED, Fault.MALFORMED])
def test_a_valid_token_is_used_while_the_api_fails(
    user, token, piggy_sandbox, caplog, fault
):
    piggy_sandbox.switches.fault = fault

    assert get_auth_token(user, refresh=True) == token
    assert "fetch failed" in caplog.text
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.OUTAGE, ProviderUnavailable), (Fault.UNAUTHORIZED, ProviderRefused)],
)
def test_without_a_valid_token_the_failure_is_raised(user, piggy_sandbox, fault, error):
    expire()
    piggy_sandbox.switches.fault = fault

    with pytest.raises(error):
        get_auth_token(user)


@pytest.mark.parametrize(
    ("code", "error"),
    [(55031, ContactUnknown), (1053, ProviderRefused), (3000, ProviderRefused)],
)
def test_some_refusals_drop_a_token_that_is_still_valid(
    user, token, piggy_sandbox, code, error
):
    piggy_sandbox.switches.error_code = code

    with pytest.raises(error):
        get_auth_token(user, refresh=True)

    assert not AuthToken.objects.exists()


def test_a_user_who_is_no_contact_has_no_token(piggy_sandbox, db):
    with pytest.raises(ContactUnknown):
        get_auth_token(User.objects.create_user("bob"))


def test_an_anonymous_user_has_no_token(piggy_sandbox, db, django_assert_num_queries):
    with django_assert_num_queries(0), pytest.raises(ContactUnknown):
        get_auth_token(AnonymousUser())


def test_the_token_is_encrypted_in_the_database(user, token):
    assert token.encode() not in bytes(AuthToken.objects.get().ciphertext)


def test_a_ciphertext_copied_to_another_contact_does_not_open(
    user, token, client, piggy_sandbox
):
    other = Contact.objects.create(
        user=User.objects.create_user("bob"),
        provider="piggy",
        uid=piggy_sandbox.add_contact("bob@example.com").uid,
        verified_at=timezone.now(),
    )
    AuthToken.objects.update(contact=other)

    assert get_auth_token(other.user) != token


def test_after_a_change_of_keys_a_token_is_fetched_anew(user, token, settings):
    settings.SECRET_KEY = "another secret key, just as long as the first one was"

    assert get_auth_token(user) != token


def test_logging_out_drops_the_token(client, user):
    client.logout()

    assert not AuthToken.objects.exists()


def test_logging_out_keeps_the_token_where_wanted(client, user, settings):
    settings.PIGGY_VERIFY_FORGET_TOKEN_ON_LOGOUT = False

    client.logout()

    assert AuthToken.objects.exists()


def test_logging_out_without_having_been_logged_in_is_harmless(client, db):
    client.logout()


def test_deleting_a_user_deletes_contact_and_token(user):
    user.delete()

    assert not Contact.objects.exists()
    assert not AuthToken.objects.exists()


def test_every_login_fetches_a_token(client, user, token, piggy_sandbox):
    log_in(Client(), piggy_sandbox)

    assert get_auth_token(user) != token
    assert calls(piggy_sandbox)[3:] == ["send", "verify", "auth-token"]


def test_the_token_is_fetched_after_the_response_to_the_login(
    client, code, piggy_sandbox, monkeypatch
):
    done = []
    monkeypatch.setattr(
        HttpRequest, "close", lambda _: done.extend(calls(piggy_sandbox))
    )

    assert type_code(client, code).url == "/members/"

    assert done == ["send", "verify"]
    assert calls(piggy_sandbox) == ["send", "verify", "auth-token"]


def ask():
    """Ask for the token, in a thread that ends."""
    try:
        return get_auth_token(User.objects.get())
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_whoever_asks_before_the_fetch_of_a_login_waits_for_it(
    client, code, piggy_sandbox, monkeypatch
):
    def ask_before_the_job(_request):
        asked.append(pool.submit(ask))
        time.sleep(0.1)

    asked: list[Future[str]] = []
    monkeypatch.setattr(HttpRequest, "close", ask_before_the_job)
    with ThreadPoolExecutor(1) as pool:
        type_code(client, code)

    assert asked[0].result() == get_auth_token(User.objects.get())
    assert fetches(piggy_sandbox) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seconds", [0, 5, 30])
def test_a_fetch_that_has_waited_for_a_thread_still_has_a_lease(
    client, code, monkeypatch, time_machine, seconds
):
    """The lease lasts for ten seconds. The job takes it again if there are few left."""
    monkeypatch.setattr(HttpRequest, "close", lambda _: time_machine.shift(seconds))
    monkeypatch.setattr(PiggyProvider, "fetch_auth_token", lambda *_: seconds_left())

    time_machine.move_to(time.time(), tick=False)
    type_code(client, code)

    assert get_auth_token(User.objects.get()) == "10 seconds"


def seconds_left():
    [until] = Contact.objects.values_list("fetch_until", flat=True)
    assert until is not None
    return Secret(f"{(until - timezone.now()).seconds} seconds")


@pytest.mark.django_db(transaction=True)
def test_no_second_token_is_fetched_if_somebody_fetched_one_meanwhile(
    client, code, piggy_sandbox, monkeypatch, time_machine
):
    def fetch_elsewhere(_request):
        time_machine.shift(30)
        pool.submit(ask).result()

    monkeypatch.setattr(HttpRequest, "close", fetch_elsewhere)
    time_machine.move_to(time.time())
    with ThreadPoolExecutor(1) as pool:
        type_code(client, code)

    assert fetches(piggy_sandbox) == 1


class MovedBackend(PiggyBackend):
    """Finds members by the contact of an earlier provider."""

    def find_user(self, request, identity):
        return super().find_user(request, replace(identity, provider="earlier"))


@pytest.mark.django_db(transaction=True)
def test_the_token_of_a_login_is_the_one_of_the_contact_whose_code_was_right(
    client, contact, code, settings
):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.MovedBackend"]
    uid = contact.uid
    user = User.objects.create_user("ann")
    user.piggy_contacts.create(provider="earlier", uid=uid, verified_at=timezone.now())

    type_code(client, code)

    assert AuthToken.objects.get().contact.provider == "piggy"


@pytest.fixture
def receiver(monkeypatch):
    """Asks for the token of each verified contact. Cannot wait for it."""
    asked = []

    def ask_at_once(user, **_kwargs):
        monkeypatch.setattr(time, "sleep", None)
        asked.append(get_auth_token(user, refresh=True))

    contact_verified.connect(ask_at_once)
    yield asked
    contact_verified.disconnect(ask_at_once)


@pytest.mark.django_db(transaction=True)
def test_whoever_asks_in_the_request_of_the_login_does_not_wait_for_its_response(
    client, code, piggy_sandbox, receiver
):
    type_code(client, code)

    assert receiver == [get_auth_token(User.objects.get())]
    assert fetches(piggy_sandbox) == 1


@pytest.mark.django_db(transaction=True)
def test_a_login_without_room_for_the_fetch_leaves_no_lease(
    client, code, piggy_sandbox, monkeypatch
):
    monkeypatch.setattr(after_response, "run", lambda *_args, **_kwargs: False)

    assert type_code(client, code).url == "/members/"

    assert fetches(piggy_sandbox) == 0
    assert not leases.is_busy(Contact.objects.get())
    assert get_auth_token(User.objects.get())


def test_a_provider_without_tokens_is_named(user, settings):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.NoTokens"

    with pytest.raises(ImproperlyConfigured, match="NoTokens"):
        get_auth_token(user)


@pytest.mark.parametrize("is_contact", [True, False])
def test_a_provider_that_cannot_log_in_has_no_tokens(admin_user, settings, is_contact):
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.Prover"
    if is_contact:
        now = timezone.now()
        Contact.objects.create(
            user=admin_user, provider="prover", uid="ann", verified_at=now
        )

    with pytest.raises(ImproperlyConfigured, match="no auth tokens"):
        get_auth_token(admin_user)


@pytest.mark.django_db(transaction=True)
def test_a_contact_that_is_deleted_during_a_fetch_is_unknown(
    user, piggy_sandbox, monkeypatch
):
    fetch = PiggyProvider.fetch_auth_token

    def delete_meanwhile(self, uid):
        Contact.objects.all().delete()
        return fetch(self, uid)

    monkeypatch.setattr(PiggyProvider, "fetch_auth_token", delete_meanwhile)
    with suppress(ContactUnknown):
        get_auth_token(user, refresh=True)

    assert not AuthToken.objects.exists()


def test_logging_in_works_with_a_provider_without_tokens(
    client, contact, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.NoTokens"

    assert log_in(client, piggy_sandbox).url == "/members/"


class NoTokens:
    """A provider without tokens."""

    name = "no-tokens"

    def send_code(self, challenge):
        return PiggyProvider().send_code(challenge)

    def check_code(self, challenge, code):
        return PiggyProvider(name=self.name).check_code(challenge, code)


def test_no_error_of_the_token_fetch_undoes_the_login(
    client, contact, piggy_sandbox, settings, caplog
):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = ["no key"]

    assert log_in(client, piggy_sandbox).url == "/members/"
    assert "got no auth token at login" in caplog.text


IN_A_WORD = [
    (900, 30, Freshness.FRESH),
    (900, 29, Freshness.EXPIRING),
    (900, 1, Freshness.EXPIRING),
    (900, 0, Freshness.EXPIRED),
    (60, 6, Freshness.FRESH),
    (60, 5, Freshness.EXPIRING),
]


@pytest.fixture
def noon(time_machine):
    time_machine.move_to("2026-11-21T12:00:00Z", tick=False)
    return timezone.now()


@pytest.mark.parametrize(("ttl", "left", "word"), IN_A_WORD)
def test_the_state_of_a_token_follows_from_its_expiry(noon, settings, ttl, left, word):
    settings.PIGGY_VERIFY_AUTH_TOKEN_TTL = ttl

    assert cache.freshness(noon + timedelta(seconds=left)) is word


@pytest.mark.parametrize(("ttl", "left", "word"), IN_A_WORD[:4])
def test_the_database_computes_the_same_state(user, noon, ttl, left, word):
    AuthToken.objects.update(expires_at=noon + timedelta(seconds=left))

    found = [
        each
        for each in Freshness
        if Contact.objects.filter(cache.contacts_with(each)).exists()
    ]
    assert found == [word]


def test_a_contact_without_a_token_has_a_state_in_the_database(user):
    AuthToken.objects.all().delete()

    assert Contact.objects.filter(cache.contacts_with(Freshness.NONE)).exists()


@pytest.mark.parametrize(("ttl", "left", "word"), IN_A_WORD)
def test_an_expiring_token_is_refreshed_ahead(noon, settings, ttl, left, word):
    settings.PIGGY_VERIFY_AUTH_TOKEN_TTL = ttl
    expires_at = noon + timedelta(seconds=left)

    served = CachedToken(token=Secret("any"), expires_at=expires_at)

    assert served.is_due == (word is not Freshness.FRESH)


def test_one_contacts_token_is_forgotten_and_no_other(user, token, piggy_sandbox):
    log_in_another(piggy_sandbox)

    assert tokens.forget(user.piggy_contacts.get()) == 1

    assert AuthToken.objects.exclude(contact__user=user).count() == 1
    assert not AuthToken.objects.filter(contact__user=user).exists()


def log_in_another(sandbox):
    sandbox.add_contact("bob@example.com")
    log_in(Client(), sandbox, "bob@example.com")
