"""The refresh token of a login is stored, and exchanged for the next token."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.exceptions import PiggyVerifyError
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.tokens import get_auth_token
from tests.auth_tokens import renewing
from tests.http.hostile import TOKEN
from tests.secrecy.evidence import Browser, watching
from tests.steps import ask_for_code, log_out, type_code

pytestmark = pytest.mark.django_db


def stored_refresh_token(user):
    contacts = Contact.objects.select_related("auth_token")
    return cache.refresh_token_of(contacts.get(user=user))


def test_the_refresh_token_of_a_login_is_stored(holder):
    assert stored_refresh_token(holder) == "refresh-1"


def test_the_refresh_token_is_encrypted(holder):
    row = AuthToken.objects.get()

    assert b"refresh-1" not in bytes(row.refresh_ciphertext or b"refresh-1")


def test_a_refresh_token_cannot_be_read_as_the_token_of_its_contact(holder):
    row = AuthToken.objects.get()
    swapped = {
        "ciphertext": row.refresh_ciphertext,
        "refresh_ciphertext": row.ciphertext,
    }

    AuthToken.objects.update(**swapped)

    assert cache.find(holder.pk, "renewing") is None
    assert stored_refresh_token(holder) is None


def test_a_refresh_token_cannot_be_copied_to_another_contact(holder):
    other = Contact.objects.create(
        user=User.objects.create_user("bob"),
        provider="renewing",
        uid="bob@example.com",
        verified_at=timezone.now(),
    )

    AuthToken.objects.update(contact=other)

    assert stored_refresh_token(other.user) is None


def test_a_login_without_a_refresh_token_stores_none(
    client, holder, log_in, monkeypatch
):
    monkeypatch.setattr(renewing.Vendor, "refresh_token_of", lambda *_: None)
    log_out(client)
    log_in("5678")

    assert get_auth_token(holder) == "access-2"
    assert stored_refresh_token(holder) is None


def test_the_hot_read_does_not_read_the_refresh_token(
    holder, django_assert_num_queries
):
    with django_assert_num_queries(1) as captured:
        assert get_auth_token(holder) == "access-1"

    assert "refresh_ciphertext" not in captured[0]["sql"]


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        *((1800, 1800), (1, 1), (0, 900), (-1, 900), (None, 900)),
        *(("1800", 900), (True, 900), (1800.5, 900), (10**30, 900)),
    ],
    ids=repr,
)
def test_the_vendor_says_how_long_the_token_is_used(
    log_in, vendor, time_machine, expires_in, seconds
):
    time_machine.move_to("2026-11-21T12:00:00Z", tick=False)
    vendor.expires_in = expires_in

    log_in()

    lasting = timedelta(seconds=seconds)
    assert AuthToken.objects.get().expires_at == timezone.now() + lasting


def test_a_log_out_deletes_both_tokens(client, holder):
    client.logout()

    assert not AuthToken.objects.exists()


def fails_with_a_lost_answer(vendor):
    vendor.loses_answers = True


def fails_with_an_outage(vendor):
    vendor.status = 503


def is_refused(vendor):
    vendor.end_login()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "trouble", [fails_with_a_lost_answer, fails_with_an_outage, is_refused, None]
)
def test_a_refresh_token_is_told_to_nobody(
    vendor, unlimited, capsys, monkeypatch, trouble
):
    monkeypatch.setattr(vendor, "refresh_token_of", lambda number: f"{TOKEN}-{number}")
    with watching(capsys) as evidence:
        browser = Browser(evidence)
        ask_for_code(browser)
        type_code(browser, "1234")
        user = User.objects.get()
        if trouble:
            AuthToken.objects.update(expires_at=timezone.now())
            trouble(vendor)
        try:
            get_auth_token(user, refresh=True)
        except PiggyVerifyError as error:
            evidence.error(error)
        browser.get("/login/token/")

    assert vendor.refreshes == 1
    assert evidence.leaks == set()
    assert bool(evidence.of("errors")) == bool(trouble)
    assert trouble or get_auth_token(user) == "access-2"
