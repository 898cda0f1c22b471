"""A log-out, a login or a rekey may come while a refresh is under way."""

import pytest
from django.core.management import call_command
from django.test import Client

from django_piggy_verify.auth_tokens import leases
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.tokens import get_auth_token
from tests.auth_tokens.refreshes import (
    elsewhere,
    expire_in,
    stored_refresh_token,
)
from tests.db.between_statements import DEADLOCK, before_the_next, raising

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_conflict_does_not_lose_the_new_refresh_token(holder, vendor):
    expire_in(0)

    with before_the_next("INSERT", raising(DEADLOCK)):
        assert get_auth_token(holder) == "access-2"

    assert stored_refresh_token() == "refresh-2"
    assert vendor.refreshes == 1


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
