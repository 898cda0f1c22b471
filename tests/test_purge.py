from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from django_piggy_verify.models import AuthToken, Contact, Tally


@pytest.fixture
def rows(db):
    """Seven spent tallies and tokens, and one that is not."""
    now = timezone.now()
    for number in range(8):
        ends_at = now - timedelta(days=1) if number else now + timedelta(days=1)
        user = User.objects.create_user(f"user-{number}")
        contact = Contact.objects.create(
            user=user, provider="piggy", uid=user.username, created_at=now,
            verified_at=now,
        )  # fmt: skip
        AuthToken.objects.create(
            contact=contact, ciphertext=b"", fetched_at=now, expires_at=ends_at
        )
        Tally.objects.create(key=f"key-{number}", count=1, ends_at=ends_at)


def test_what_is_spent_is_deleted_in_chunks(rows, capsys):
    call_command("piggy_verify_purge", chunk=3)

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
