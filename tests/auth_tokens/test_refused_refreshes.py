"""A refused refresh token is deleted, unless a faster process has replaced it."""

import pytest
from django.db.models.signals import post_delete
from django.test import Client

from django_piggy_verify import events
from django_piggy_verify.auth_tokens import leases
from django_piggy_verify.exceptions import (
    ContactUnknown,
    LoginRequired,
    ProviderUnavailable,
)
from django_piggy_verify.models import AuthToken, Contact, FetchState
from django_piggy_verify.tokens import get_auth_token
from tests.auth_tokens.refreshes import (
    SLOW,
    at_once,
    elsewhere,
    expire_in,
    outcome,
    store_elsewhere,
    stored_refresh_token,
)
from tests.db.between_statements import DEADLOCK, before_the_next, raising
from tests.steps import JSON

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_another_login_ends_a_refusal(holder, vendor, log_in):
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


def test_a_refused_caller_who_has_logged_out_meanwhile_is_told_to_log_in(
    client, holder, vendor
):
    expire_in(0)
    vendor.end_login()
    vendor.during = elsewhere(client.logout)

    assert outcome(holder) is LoginRequired


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


def test_a_contact_that_is_deleted_during_a_refresh_is_unknown(holder, vendor):
    expire_in(0)
    vendor.end_login()
    vendor.during = elsewhere(Contact.objects.all().delete)

    assert outcome(holder) is ContactUnknown
