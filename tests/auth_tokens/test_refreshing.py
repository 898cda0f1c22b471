"""A refresh token is exchanged for the next tokens: once, and by one caller."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify import tokens
from django_piggy_verify.auth_tokens import leases
from django_piggy_verify.exceptions import (
    ContactUnknown,
    LoginRequired,
    ProviderUnavailable,
)
from django_piggy_verify.models import AuthToken, Contact, FetchState
from django_piggy_verify.signals import auth_token_fetched
from django_piggy_verify.tokens import get_auth_token
from tests.auth_tokens.refreshes import (
    CROWD,
    SLOW,
    at_once,
    expire_in,
    forget_failure,
    outcome,
    store_elsewhere,
    stored_refresh_token,
)
from tests.secrecy.evidence import receiving

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_forgetting_a_token_forgets_its_refresh_token(holder):
    tokens.forget(Contact.objects.get())

    assert outcome(holder) is LoginRequired
