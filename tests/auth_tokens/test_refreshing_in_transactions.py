"""Inside a transaction of the caller, a refresh has no lease, and deletes nothing."""

import pytest
from django.db import transaction

from django_piggy_verify.exceptions import ProviderUnavailable
from django_piggy_verify.models import AuthToken
from django_piggy_verify.tokens import get_auth_token
from tests.auth_tokens.refreshes import (
    SLOW,
    at_once,
    elsewhere,
    expire_in,
    no_transactions_side_by_side,
    outcome,
    store_elsewhere,
    stored_refresh_token,
)

pytestmark = pytest.mark.django_db(transaction=True)


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
