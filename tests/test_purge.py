from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify import conflicts
from django_piggy_verify.models import AuthToken, Contact, Tally
from tests.meanwhile import DEADLOCK, before_the_next, raising

DAY = timedelta(days=1)


@pytest.fixture
def rows(db):
    """Seven spent tallies and tokens, and one that is not."""
    now = timezone.now()
    for number in range(8):
        ends_at = now - DAY if number else now + DAY
        user = User.objects.create_user(f"user-{number}")
        contact = Contact.objects.create(
            user=user, provider="piggy", uid=user.username, created_at=now,
            verified_at=now,
        )  # fmt: skip
        AuthToken.objects.create(
            contact=contact, ciphertext=b"", fetched_at=now, expires_at=ends_at
        )
        Tally.objects.create(key=f"key-{number}", count=1, ends_at=ends_at)


def test_what_is_spent_is_deleted(rows, capsys):
    call_command("piggy_verify_purge")

    assert [each.contact.uid for each in AuthToken.objects.all()] == ["user-0"]
    assert [each.key for each in Tally.objects.all()] == ["key-0"]
    assert "7 expired auth tokens deleted" in capsys.readouterr().out


def test_contacts_and_users_stay_and_silence_is_kept_if_wanted(rows, capsys):
    call_command("piggy_verify_purge", verbosity=0)

    assert capsys.readouterr().out == ""
    assert User.objects.count() == Contact.objects.count() == 8


def test_a_purge_of_nothing_is_two_queries(db, django_assert_num_queries):
    with django_assert_num_queries(2):
        call_command("piggy_verify_purge", verbosity=0)


def test_no_chunk_is_larger_than_wanted(rows):
    with CaptureQueriesContext(connection) as captured:
        call_command("piggy_verify_purge", chunk=3, verbosity=0)

    statements = [each["sql"] for each in captured if each["sql"].startswith("DELETE")]
    assert len(statements) == 2 * 3
    assert not AuthToken.objects.filter(expires_at__lte=timezone.now()).exists()


def test_what_is_in_use_again_meanwhile_stays(rows):
    def use():
        Tally.objects.filter(key="key-5").update(ends_at=timezone.now() + DAY)

    table = connection.ops.quote_name(Tally._meta.db_table)
    with before_the_next(f"DELETE FROM {table}", use):
        call_command("piggy_verify_purge", verbosity=0)

    assert Tally.objects.filter(key="key-5").exists()


@pytest.mark.django_db(transaction=True)
def test_a_conflict_with_the_traffic_does_not_stop_it(rows):
    with before_the_next("DELETE", raising(DEADLOCK)):
        call_command("piggy_verify_purge", verbosity=0)

    assert AuthToken.objects.count() == Tally.objects.count() == 1


def test_a_replica_that_lags_behind_is_not_asked(rows, settings):
    settings.DATABASE_ROUTERS = ["tests.meanwhile.ReadsFromReplica"]

    call_command("piggy_verify_purge")

    assert conflicts.current(Tally).count() == 1
