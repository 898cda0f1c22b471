"""A refresh token is exchanged for the next tokens: once, and by one caller."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.models.signals import post_delete
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify import events, tokens
from django_piggy_verify.auth_tokens import cache, leases
from django_piggy_verify.auth_tokens.cache import CachedToken
from django_piggy_verify.exceptions import (
    ContactUnknown,
    LoginRequired,
    PiggyVerifyError,
    ProviderUnavailable,
)
from django_piggy_verify.models import AuthToken, Contact, FetchState
from django_piggy_verify.secret import Secret
from django_piggy_verify.signals import auth_token_fetched
from django_piggy_verify.tokens import get_auth_token
from tests.db.between_statements import DEADLOCK, before_the_next, raising
from tests.secrecy.evidence import receiving
from tests.steps import JSON

pytestmark = pytest.mark.django_db(transaction=True)

CROWD = 12
SLOW = 1.0
"""Seconds of one call. All threads start within it, even on a busy machine."""

no_transactions_side_by_side = pytest.mark.skipif(
    connection.vendor == "sqlite",
    reason="SQLite locks the whole file while a transaction is open",
)


def expire_in(seconds):
    AuthToken.objects.update(expires_at=timezone.now() + timedelta(seconds=seconds))


def stored():
    """Return the stored contact with its token."""
    return Contact.objects.select_related("auth_token").get()


def stored_refresh_token():
    return cache.refresh_token_of(stored())


def forget_failure():
    Contact.objects.update(fetch_until=timezone.now())


def elsewhere(act):
    """Return a function that acts on the database connection of another thread."""

    def acting():
        try:
            act()
        finally:
            connections.close_all()

    return acting


def outcome(user, **options):
    try:
        return get_auth_token(user, **options)
    except PiggyVerifyError as error:
        return type(error)


def at_once(act):
    """Call `act` in many threads at the same moment, and return all results."""
    barrier = threading.Barrier(CROWD)

    def one():
        connection.ensure_connection()
        barrier.wait()
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CROWD) as pool:
        return [each.result() for each in [pool.submit(one) for _ in range(CROWD)]]


def store_elsewhere(token="faster", refresh="refresh-of-faster", seconds=900):
    """Store tokens as a faster process does."""
    now = timezone.now()
    served = CachedToken(
        token=Secret(token),
        expires_at=now + timedelta(seconds=seconds),
        refresh=Secret(refresh),
    )
    cache.store(Contact.objects.get(), served, fetched_at=now)


def test_an_expired_token_is_exchanged(holder, vendor, django_assert_num_queries):
    expire_in(0)

    assert get_auth_token(holder) == "access-2"

    with django_assert_num_queries(1):
        assert get_auth_token(holder) == "access-2"
    assert vendor.calls == ["/login", "/refresh"]


def test_the_vendor_says_how_long_the_next_token_is_used(holder, vendor, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=1), tick=False)
    vendor.expires_in = 1234

    get_auth_token(holder)

    lasting = timedelta(seconds=1234)
    assert AuthToken.objects.get().expires_at == timezone.now() + lasting


def test_both_new_tokens_are_stored_by_one_statement(holder):
    expire_in(0)

    with CaptureQueriesContext(connection) as captured:
        get_auth_token(holder)

    table = AuthToken._meta.db_table
    writes = [each["sql"] for each in captured if each["sql"].startswith("INSERT")]
    assert len(writes) == 1
    assert table in writes[0]
    assert "refresh_ciphertext" in writes[0].partition("UPDATE")[2]


def test_each_refresh_brings_the_refresh_token_for_the_next(holder, vendor):
    for number in (2, 3, 4):
        expire_in(0)
        assert get_auth_token(holder) == f"access-{number}"
        assert stored_refresh_token() == f"refresh-{number}"


def test_an_answer_without_a_refresh_token_keeps_the_old_one(holder, vendor):
    vendor.rotates = False
    for number in (2, 3):
        expire_in(0)

        assert get_auth_token(holder) == f"access-{number}"
        assert stored_refresh_token() == "refresh-1"


def test_a_refresh_can_be_forced(holder):
    assert get_auth_token(holder, refresh=True) == "access-2"


def test_a_refresh_is_signalled(holder):
    received = []

    def note(contact, expires_at, **_kwargs):
        received.append((contact.user_id, expires_at))

    with receiving(auth_token_fetched, note):
        get_auth_token(holder, refresh=True)

    assert received == [(holder.pk, AuthToken.objects.get().expires_at)]


def test_no_record_has_a_token(holder, vendor, caplog):
    caplog.set_level("DEBUG", logger="django_piggy_verify")

    get_auth_token(holder, refresh=True)
    vendor.end_login()
    outcome(holder, refresh=True)

    assert caplog.text.count("answered the call refresh") == 2
    assert "refresh-" not in caplog.text
    assert "access-" not in caplog.text


def test_concurrent_callers_share_one_refresh(holder, vendor):
    expire_in(0)
    vendor.delay = SLOW

    assert set(at_once(lambda: outcome(holder))) == {"access-2"}
    assert vendor.refreshes == 1


def test_shortly_before_its_expiry_one_caller_gets_the_next_token(holder, vendor):
    expire_in(5)
    vendor.delay = SLOW

    results = at_once(lambda: outcome(holder))

    assert sorted(results) == ["access-1"] * (CROWD - 1) + ["access-2"]
    assert vendor.refreshes == 1


def test_a_caller_that_is_late_uses_the_token_of_another(holder, vendor):
    expire_in(0)

    with late(lambda: outcome(holder)):
        assert get_auth_token(holder) == "access-2"
    assert vendor.refreshes == 1


def test_a_caller_that_is_late_does_not_refresh_ahead_again(holder, vendor):
    expire_in(5)

    with late(lambda: outcome(holder)):
        assert get_auth_token(holder) == "access-2"
    assert vendor.refreshes == 1


@contextmanager
def late(act):
    """Let `act` run between the first and the second query of a caller."""
    to_do = [lambda: None, act]

    def wrapper(execute, *args):
        if to_do:
            to_do.pop(0)()
        return execute(*args)

    with connection.execute_wrapper(wrapper):
        yield


def test_a_token_with_a_short_life_is_not_refreshed_at_each_use(holder, vendor):
    vendor.expires_in = 20
    get_auth_token(holder, refresh=True)

    assert [get_auth_token(holder) for _ in range(3)] == ["access-2"] * 3
    assert vendor.refreshes == 1


def test_a_token_with_a_short_life_is_refreshed_ahead(holder, vendor, time_machine):
    vendor.expires_in = 20
    get_auth_token(holder, refresh=True)

    time_machine.move_to(timezone.now() + timedelta(seconds=18.5))

    assert get_auth_token(holder) == "access-3"


def test_after_a_lost_answer_the_refresh_is_not_repeated(holder, vendor):
    expire_in(0)
    vendor.loses_answers = True

    assert [outcome(holder) for _ in range(3)] == [ProviderUnavailable] * 3
    assert vendor.refreshes == 1


def test_after_a_lost_answer_the_old_token_is_used_while_it_is_valid(holder, vendor):
    expire_in(5)
    vendor.loses_answers = True

    assert [outcome(holder) for _ in range(3)] == ["access-1"] * 3
    assert vendor.refreshes == 1


def test_a_later_caller_has_to_log_in_if_the_lost_answer_had_new_tokens(holder, vendor):
    expire_in(0)
    vendor.loses_answers = True
    outcome(holder)
    vendor.loses_answers = False

    forget_failure()

    assert outcome(holder) is LoginRequired
    assert not AuthToken.objects.exists()


def test_a_later_caller_gets_the_token_if_the_vendor_was_down(holder, vendor):
    expire_in(0)
    vendor.status = 503
    assert outcome(holder) is ProviderUnavailable
    vendor.status = 200

    forget_failure()

    assert get_auth_token(holder) == "access-3"


def test_after_a_refusal_a_login_is_required(holder, vendor, caplog):
    caplog.set_level("INFO", logger="django_piggy_verify")
    expire_in(0)
    vendor.end_login()

    assert [outcome(holder) for _ in range(3)] == [LoginRequired] * 3
    assert vendor.refreshes == 1
    assert not AuthToken.objects.exists()
    names = [getattr(each, "event_name", "") for each in caplog.records]
    assert names.count(events.REFRESH_REFUSED.name) == 1


@pytest.mark.parametrize("seconds", [5, 500])
def test_a_refusal_deletes_a_token_that_is_still_valid(holder, vendor, seconds):
    expire_in(seconds)
    vendor.end_login()

    assert outcome(holder, refresh=seconds > 5) is LoginRequired
    assert not AuthToken.objects.exists()


def test_after_a_refusal_the_page_says_that_a_login_is_required(
    client, holder, vendor, settings
):
    settings.PIGGY_VERIFY_EXPOSE_AUTH_TOKEN = True
    vendor.end_login()
    expire_in(0)

    for _ in range(2):
        response = client.get("/login/token/", headers=JSON)
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "login_required"


def test_concurrent_callers_share_a_refusal(holder, vendor):
    expire_in(0)
    vendor.end_login()
    vendor.delay = SLOW

    assert set(at_once(lambda: outcome(holder))) == {LoginRequired}
    assert vendor.refreshes == 1


def test_another_login_mends_a_refusal(holder, vendor, log_in):
    expire_in(0)
    vendor.end_login()
    outcome(holder)

    log_in("5678", Client())

    assert get_auth_token(holder) == "access-3"
    expire_in(0)
    assert get_auth_token(holder) == "access-4"


def test_a_refused_caller_uses_the_token_of_a_faster_process(holder, vendor):
    expire_in(0)
    vendor.end_login()
    vendor.during = elsewhere(store_elsewhere)

    assert get_auth_token(holder) == "faster"
    assert stored_refresh_token() == "refresh-of-faster"
    assert Contact.objects.get().fetch_state == FetchState.IDLE


def test_a_refused_caller_keeps_a_refresh_token_that_it_has_not_used(holder, vendor):
    expire_in(0)
    vendor.end_login()
    vendor.during = elsewhere(lambda: store_elsewhere(seconds=-1))

    assert outcome(holder) is ProviderUnavailable
    assert stored_refresh_token() == "refresh-of-faster"


@pytest.fixture
def listener():
    """A receiver for which Django's `delete` reads the rows, and deletes by key."""

    def listen(**_kwargs):
        """Do nothing."""

    post_delete.connect(listen, sender=AuthToken)
    yield
    post_delete.disconnect(listen, sender=AuthToken)


def test_a_refused_caller_does_not_delete_tokens_that_come_meanwhile(
    holder, vendor, listener
):
    expire_in(0)
    vendor.end_login()

    with before_the_next("DELETE", store_elsewhere):
        assert get_auth_token(holder) == "faster"

    assert stored_refresh_token() == "refresh-of-faster"


def test_a_conflict_does_not_keep_a_refused_refresh_token(holder, vendor):
    expire_in(0)
    vendor.end_login()

    with before_the_next("DELETE", raising(DEADLOCK)):
        assert outcome(holder) is LoginRequired

    assert not AuthToken.objects.exists()


def test_a_conflict_does_not_lose_the_new_refresh_token(holder, vendor):
    expire_in(0)

    with before_the_next("INSERT", raising(DEADLOCK)):
        assert get_auth_token(holder) == "access-2"

    assert stored_refresh_token() == "refresh-2"
    assert vendor.refreshes == 1


def test_a_refused_caller_who_has_logged_out_meanwhile_is_told_to_log_in(
    client, holder, vendor
):
    expire_in(0)
    vendor.end_login()
    vendor.during = elsewhere(client.logout)

    assert outcome(holder) is LoginRequired


def test_a_log_out_during_a_refresh_leaves_no_token(client, holder, vendor):
    expire_in(0)
    vendor.during = elsewhere(client.logout)

    get_auth_token(holder)

    assert not AuthToken.objects.exists()


def test_a_log_out_is_not_undone_although_the_lease_is_still_there(holder, vendor):
    expire_in(0)
    vendor.during = elsewhere(AuthToken.objects.all().delete)

    get_auth_token(holder)

    assert not AuthToken.objects.exists()


def test_the_tokens_of_a_login_during_a_refresh_are_kept(holder, vendor, log_in):
    def log_in_meanwhile():
        vendor.during = lambda: None
        log_in("5678", Client())

    expire_in(0)
    vendor.during = elsewhere(log_in_meanwhile)

    get_auth_token(holder)

    assert get_auth_token(holder) == "access-3"
    assert stored_refresh_token() == "refresh-3"


def test_a_caller_whose_lease_has_expired_stores_the_new_refresh_token(holder, vendor):
    expire_in(0)
    vendor.during = elsewhere(lambda: leases.take(Contact.objects.get()))

    get_auth_token(holder)

    assert stored_refresh_token() == "refresh-2"


def test_a_rekey_during_a_refresh_loses_no_token(holder, vendor, settings):
    def rekey():
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "a new secret key, which is just as long as the old one"
        call_command("piggy_verify_rekey", verbosity=0)

    expire_in(5)
    vendor.during = elsewhere(rekey)

    get_auth_token(holder, refresh=True)

    assert stored_refresh_token() == "refresh-2"


def test_a_refresh_of_another_process_is_waited_for(holder, vendor, monkeypatch):
    expire_in(0)
    lease = leases.take(Contact.objects.get())
    assert lease

    def land(_seconds):
        store_elsewhere()
        lease.end()

    monkeypatch.setattr("time.sleep", land)

    assert get_auth_token(holder) == "faster"
    assert vendor.refreshes == 0


def test_a_refusal_that_another_process_gets_is_waited_for(
    holder, vendor, monkeypatch, caplog
):
    caplog.set_level("INFO", logger="django_piggy_verify")
    expire_in(0)
    lease = leases.take(Contact.objects.get())
    assert lease

    def be_refused(_seconds):
        AuthToken.objects.all().delete()
        lease.end()

    monkeypatch.setattr("time.sleep", be_refused)

    assert outcome(holder) is LoginRequired
    assert vendor.refreshes == 0
    assert "was refused" not in caplog.text


def test_in_a_transaction_an_expired_token_is_exchanged(holder, vendor):
    expire_in(0)

    with transaction.atomic():
        assert get_auth_token(holder) == "access-2"

    assert stored_refresh_token() == "refresh-2"
    assert vendor.refreshes == 1


def test_in_a_transaction_a_refusal_deletes_nothing(holder, vendor, caplog):
    caplog.set_level("INFO", logger="django_piggy_verify")
    expire_in(0)
    vendor.end_login()

    with transaction.atomic():
        assert outcome(holder) is ProviderUnavailable

    assert stored_refresh_token() == "refresh-1"
    assert "The refresh token of user" in caplog.text


@no_transactions_side_by_side
def test_in_a_transaction_a_lost_race_keeps_the_tokens_of_the_winner(holder, vendor):
    expire_in(0)
    vendor.end_login()
    vendor.during = elsewhere(store_elsewhere)

    with transaction.atomic():
        assert outcome(holder) in {"faster", ProviderUnavailable}

    assert get_auth_token(holder) == "faster"


@no_transactions_side_by_side
def test_in_a_transaction_a_log_out_during_a_refresh_leaves_no_token(
    client, holder, vendor
):
    expire_in(0)
    vendor.during = elsewhere(client.logout)

    with transaction.atomic():
        get_auth_token(holder)

    assert not AuthToken.objects.exists()


@no_transactions_side_by_side
def test_threads_in_transactions_of_their_own_share_a_refresh(holder, vendor):
    expire_in(0)
    vendor.delay = SLOW

    with_transaction = transaction.atomic(outcome)

    assert set(at_once(lambda: with_transaction(holder))) == {"access-2"}
    assert vendor.refreshes == 1
    assert stored_refresh_token() == "refresh-2"


@pytest.fixture
def without_refresh_token(holder):
    AuthToken.objects.update(refresh_ciphertext=None)


@pytest.mark.usefixtures("without_refresh_token")
@pytest.mark.parametrize("is_in_transaction", [True, False])
def test_without_a_refresh_token_a_login_is_required(holder, vendor, is_in_transaction):
    expire_in(0)
    act = transaction.atomic(outcome) if is_in_transaction else outcome

    assert act(holder) is LoginRequired
    assert vendor.refreshes == 0


@pytest.mark.usefixtures("without_refresh_token")
def test_without_a_refresh_token_the_token_is_used_to_its_end(holder, vendor):
    expire_in(5)

    assert outcome(holder, refresh=True) is LoginRequired
    assert get_auth_token(holder) == "access-1"
    assert Contact.objects.get().fetch_state == FetchState.IDLE


def test_a_refresh_token_that_no_key_decrypts_is_kept(holder, vendor, settings):
    """The key may only be missing from the settings."""
    expire_in(0)
    key = settings.SECRET_KEY
    settings.SECRET_KEY = "another secret key, just as long as the first one was"
    assert outcome(holder) is LoginRequired

    settings.SECRET_KEY = key

    assert get_auth_token(holder) == "access-2"


def test_a_user_who_is_no_contact_is_told_so(vendor):
    assert outcome(User.objects.create_user("bob")) is ContactUnknown


def test_a_contact_that_is_deleted_during_a_refresh_is_unknown(holder, vendor):
    expire_in(0)
    vendor.end_login()
    vendor.during = elsewhere(Contact.objects.all().delete)

    assert outcome(holder) is ContactUnknown


def test_forgetting_a_token_forgets_its_refresh_token(holder):
    tokens.forget(Contact.objects.get())

    assert outcome(holder) is LoginRequired
