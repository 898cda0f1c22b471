"""The state of a send is kept until its code is checked, wherever the code is typed."""

from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    ContactUnknown,
    LoginRefused,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.login import verification
from django_piggy_verify.models import OpenChallenge, Tally
from django_piggy_verify.traits import Traits
from tests.login import stateful
from tests.login.stateful import VENDOR_ID, VERIFIER
from tests.steps import ADDRESS, STRANGER, ask_for_code, is_logged_in, type_code
from tests.threads import at_once

pytestmark = pytest.mark.django_db

OTHER = "bob@example.com"


@pytest.fixture
def vendor(settings, unlimited):
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "9/60s"
    return stateful.use(settings)


@pytest.fixture
def fail_send(vendor, monkeypatch):
    """Return a function that lets each send raise an exception."""

    def fail(error):
        def answer(self, recipient):
            if error:
                raise error

        monkeypatch.setattr(vendor, "answer", answer)

    return fail


def right(code, recipient=ADDRESS):
    return authenticate(None, recipient=recipient, secret_code=code) is not None


def rows():
    return OpenChallenge.objects.order_by("pk")


def test_the_check_gets_the_state_of_the_send(vendor):
    verification.send_code(ADDRESS)

    assert right("code-1")
    state = vendor.checked[0].state
    assert state == {**vendor.sent[0][0].state, "id": f"{VENDOR_ID}code-1"}


def test_the_row_is_written_before_the_call(vendor, monkeypatch):
    seen = []
    monkeypatch.setattr(vendor, "answer", lambda *_: seen.append(rows().count()))

    verification.send_code(ADDRESS)

    assert seen == [1]


def test_the_row_is_kept_if_the_answer_is_lost(vendor, fail_send):
    fail_send(ProviderUnavailable("lost", may_depend_on_contact=True))
    verification.send_code(ADDRESS)

    assert rows().count() == 1
    assert right("code-1")


def test_the_row_is_gone_if_the_failure_is_told(vendor, fail_send):
    fail_send(ProviderUnavailable("down", may_depend_on_contact=False))

    with pytest.raises(ProviderUnavailable):
        verification.send_code(ADDRESS)

    assert not rows().exists()


@pytest.mark.parametrize(
    "error",
    [ProviderUnavailable("down", may_depend_on_contact=False), RecipientRefused()],
    ids=["outage", "refused"],
)
def test_a_failed_send_leaves_the_code_before_it_good(vendor, fail_send, error):
    verification.send_code(ADDRESS)
    fail_send(error)
    with pytest.raises(type(error)):
        verification.send_code(ADDRESS)
    fail_send(None)

    assert right("code-1")


def test_a_stranger_has_a_row_so_that_the_check_makes_the_same_call(vendor, fail_send):
    fail_send(ContactUnknown())
    verification.send_code(STRANGER)

    assert not right("wrong", STRANGER)
    assert len(vendor.checked) == 1


def test_a_vendor_that_sends_to_anybody_never_tells_of_strangers(
    vendor, fail_send, settings
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False
    fail_send(ContactUnknown())

    assert verification.send_code(STRANGER).is_sent


def test_a_stranger_who_is_told_so_has_no_row(vendor, fail_send, settings, monkeypatch):
    monkeypatch.setattr(vendor, "traits", Traits())
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False
    fail_send(ContactUnknown())

    with pytest.raises(ContactUnknown):
        verification.send_code(STRANGER)

    assert not rows().exists()


def test_the_newest_send_counts(vendor):
    verification.send_code(ADDRESS)
    verification.send_code(ADDRESS)

    assert not right("code-1")
    assert right("code-2")


def test_a_right_code_deletes_all_challenges_of_the_recipient(vendor):
    for recipient in (ADDRESS, ADDRESS, OTHER):
        verification.send_code(recipient)

    assert right("code-2")

    assert rows().count() == 1
    assert right("code-3", OTHER)


def test_a_wrong_code_deletes_nothing(vendor):
    verification.send_code(ADDRESS)

    assert not right("wrong")
    assert right("code-1")


def test_without_a_challenge_a_code_is_wrong_and_counts(vendor):
    assert not right("code-1")

    assert vendor.checked == []
    assert Tally.objects.filter(key__endswith=":check_recipient", count=1).exists()


def test_a_resend_in_another_tab_counts_in_the_first_one(client, vendor):
    ask_for_code(client)
    page = client.get("/login/code/")
    login = page.context["form"]["login"].value()
    client.post("/login/code/resend/", {"login": login})

    type_code(client, "code-2", login=login)

    assert is_logged_in(client)


def test_a_second_browser_within_the_cooldown_can_type_the_code(vendor, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "1/60s"
    first, second = Client(), Client()
    ask_for_code(first)
    ask_for_code(second)

    type_code(second, "code-1")

    assert len(vendor.sent) == 1
    assert is_logged_in(second)


def test_a_code_can_be_checked_without_a_request(client, vendor):
    ask_for_code(client)

    assert right("code-1")


@pytest.mark.django_db(transaction=True)
def test_two_sends_at_once_leave_one_code_that_is_right(vendor, monkeypatch):
    barrier = Barrier(2)
    monkeypatch.setattr(vendor, "answer", lambda *_: barrier.wait(10))

    at_once(verification.send_code, [ADDRESS, ADDRESS])

    assert sorted(map(right, ("code-1", "code-2"))) == [False, True]


def test_a_purge_in_between_changes_nothing(vendor):
    verification.send_code(ADDRESS)

    call_command("piggy_verify_purge")

    assert right("code-1")


def test_a_challenge_lasts_as_long_as_a_login_that_a_resend_has_held_back(vendor):
    verification.send_code(ADDRESS)

    [row] = rows()
    lasts = row.ends_at - timezone.now()
    expected = timedelta(seconds=conf.login_ttl + 60)
    assert expected - timedelta(seconds=30) < lasts <= expected


def test_an_ended_challenge_is_none(vendor):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        verification.send_code(ADDRESS)
        clock.shift(conf.login_ttl + 60)

        assert not right("code-1")
    assert vendor.checked == []


def test_a_code_is_good_after_a_new_encryption_key(vendor, settings):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [old := Fernet.generate_key().decode()]
    verification.send_code(ADDRESS)

    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), old]

    assert right("code-1")


def test_a_code_is_wrong_after_the_encryption_key_was_lost(client, vendor, settings):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    ask_for_code(client)
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    response = type_code(client, "code-1")

    assert response.status_code == 200
    assert "code_rejected" in response.context["form"].errors.as_json()
    assert vendor.checked == []


def test_a_code_is_good_after_the_secret_key_was_replaced(vendor, settings):
    verification.send_code(ADDRESS)

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key, long enough: 0123456789abcdefghi"

    assert right("code-1")
    assert not rows().exists()


def test_a_ciphertext_does_not_open_under_the_key_of_another_recipient(vendor):
    verification.send_code(ADDRESS)
    verification.send_code(OTHER)
    mine, others = rows()
    rows().filter(pk=others.pk).update(ciphertext=mine.ciphertext)

    assert not right("code-1", OTHER)
    assert vendor.checked == []


def test_the_table_has_neither_address_nor_state_in_the_clear(vendor):
    verification.send_code(ADDRESS)

    [row] = rows().values()
    content = repr({**row, "ciphertext": bytes(row["ciphertext"])})
    assert not any(each in content for each in (ADDRESS, VERIFIER, VENDOR_ID, "code-1"))


def test_the_browser_gets_no_state(client, vendor):
    ask_for_code(client)
    page = client.get("/login/code/")
    type_code(client, "wrong")

    texts = [
        *(each.value for each in client.cookies.values()),
        page.text,
        repr(dict(client.session)),
    ]
    assert VERIFIER not in "".join(texts)
    assert VENDOR_ID not in "".join(texts)


def test_a_login_that_is_refused_ends_the_challenge(vendor, settings):
    settings.PIGGY_VERIFY_CREATE_USERS = False
    verification.send_code(ADDRESS)

    with pytest.raises(LoginRefused, match="no user"):
        right("code-1")

    assert not rows().exists()


def test_an_outage_at_the_check_keeps_the_challenge(vendor, monkeypatch):
    verification.send_code(ADDRESS)

    def fail(*_):
        raise ProviderUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(vendor, "at_check", fail)
        with pytest.raises(ProviderUnavailable):
            right("code-1")

    assert right("code-1")


def test_a_provider_without_state_costs_no_query(client, contact):
    with CaptureQueriesContext(connection) as queries:
        ask_for_code(client)
        type_code(client, "wrong")

    assert len(queries) > 0
    assert not any(OpenChallenge._meta.db_table in each["sql"] for each in queries)
