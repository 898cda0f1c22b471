import base64
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify import encryption
from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.auth_tokens.cache import IssuedToken
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.secret import Secret
from django_piggy_verify.tokens import get_auth_token
from tests.db.between_statements import DEADLOCK, before_the_next, raising
from tests.steps import calls

DAY = timedelta(days=1)
OLD, NEW = (base64.urlsafe_b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@pytest.fixture(autouse=True)
def ring(settings):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [OLD]


@pytest.fixture
def token(user, ring, settings):
    """The token of a member, encrypted with the key to remove."""
    token = get_auth_token(user)
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW, OLD]
    return token


def rekey(**options):
    call_command("piggy_verify_rekey", **options)


def test_after_a_rekey_the_old_key_can_be_removed(
    user, token, settings, piggy_sandbox, django_assert_num_queries
):
    rekey()
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW]

    with django_assert_num_queries(1):
        assert get_auth_token(user) == token
    assert calls(piggy_sandbox).count("auth-token") == 1


def test_after_a_rekey_the_old_secret_key_can_be_removed(user, settings, piggy_sandbox):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = []
    token = get_auth_token(user, refresh=True)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key, which is just as long as the old one"
    rekey()
    settings.SECRET_KEY_FALLBACKS = []

    assert get_auth_token(user) == token


def test_the_output_of_a_rekey_shows_no_token(token, capsys):
    rekey()

    out = capsys.readouterr().out
    assert out.splitlines() == [
        "1 auth tokens encrypted again",
        "0 auth tokens up to date",
        "0 auth tokens unreadable",
    ]


def test_verbosity_0_prints_nothing(token, capsys):
    rekey(verbosity=0)

    assert capsys.readouterr().out == ""


def test_a_second_run_writes_nothing(token, capsys, django_assert_num_queries):
    rekey(verbosity=0)

    with django_assert_num_queries(2):
        rekey()

    assert "1 auth tokens up to date" in capsys.readouterr().out


def test_a_token_that_no_key_opens_is_counted_and_kept(token, settings, capsys):
    """The key may only be missing from the settings."""
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW]
    rekey()
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW, OLD]

    rekey()

    out = capsys.readouterr().out
    assert "1 auth tokens unreadable" in out
    assert "1 auth tokens encrypted again" in out


def test_an_expired_token_is_not_read(token, capsys):
    AuthToken.objects.update(expires_at=timezone.now())

    rekey()

    assert "0 auth tokens encrypted again" in capsys.readouterr().out


def test_a_token_that_is_fetched_meanwhile_is_kept(user, token, capsys):
    def fetch():
        get_auth_token(user, refresh=True)

    with before_the_next("UPDATE", fetch):
        rekey()

    assert get_auth_token(user) != token
    assert "1 auth tokens up to date" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_a_conflict_with_the_traffic_does_not_stop_it(user, token, settings):
    with before_the_next("UPDATE", raising(DEADLOCK)):
        rekey()

    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW]
    assert get_auth_token(user) == token


def test_a_replica_that_lags_behind_is_not_asked(token, settings, capsys):
    settings.DATABASE_ROUTERS = ["tests.db.routers.ReadsFromReplica"]

    rekey()

    assert "1 auth tokens encrypted again" in capsys.readouterr().out


@pytest.fixture
def contact_with_refresh_token(db, ring, settings):
    """A contact whose tokens are encrypted with the key to remove."""
    now = timezone.now()
    contact = Contact.objects.create(
        user=User.objects.create_user("ann"), provider="any", uid="ann", verified_at=now
    )
    issued = IssuedToken(
        token=Secret("access"), expires_at=now + DAY, refresh=Secret("refresh")
    )
    cache.store(contact, issued, fetched_at=now)
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW, OLD]
    return contact


def read(contact):
    contact = Contact.objects.select_related("auth_token").get(pk=contact.pk)
    found = cache.find_with(contact)
    return found and found.token, cache.refresh_token_of(contact)


def test_refresh_tokens_are_rekeyed_too(contact_with_refresh_token, settings, capsys):
    rekey()
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW]

    assert read(contact_with_refresh_token) == ("access", "refresh")
    assert capsys.readouterr().out.splitlines()[3:] == [
        "1 refresh tokens encrypted again",
        "0 refresh tokens up to date",
        "0 refresh tokens unreadable",
    ]


def test_the_refresh_token_of_an_expired_token_is_rekeyed(
    contact_with_refresh_token, settings
):
    AuthToken.objects.update(expires_at=timezone.now())

    rekey()

    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW]
    assert read(contact_with_refresh_token) == (None, "refresh")


def test_a_refresh_token_is_rekeyed_although_its_auth_token_is_unreadable(
    contact_with_refresh_token, settings, capsys
):
    AuthToken.objects.update(ciphertext=b"of a lost key")

    rekey()

    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [NEW]
    assert read(contact_with_refresh_token) == (None, "refresh")
    assert "1 auth tokens unreadable" in capsys.readouterr().out


def test_a_refresh_token_that_comes_meanwhile_is_kept(contact_with_refresh_token):
    contact, now = contact_with_refresh_token, timezone.now()
    issued = IssuedToken(
        token=Secret("next"), expires_at=now + DAY, refresh=Secret("next refresh")
    )

    with before_the_next(
        "UPDATE", lambda: cache.store(contact, issued, fetched_at=now)
    ):
        rekey()

    assert read(contact) == ("next", "next refresh")


@pytest.fixture
def six_more(db, ring):
    now = timezone.now()
    for uid in "abcdef":
        contact = Contact.objects.create(
            user=User.objects.create_user(uid), provider="piggy", uid=uid,
            verified_at=now,
        )  # fmt: skip
        AuthToken.objects.create(
            contact=contact, fetched_at=now, expires_at=now + timedelta(days=1),
            ciphertext=encryption.encrypt(uid, bound_to=contact.binding),
        )  # fmt: skip


def test_the_tokens_are_rekeyed_in_chunks(six_more, token, capsys):
    with CaptureQueriesContext(connection) as captured:
        rekey(chunk=3)

    assert "7 auth tokens encrypted again" in capsys.readouterr().out
    assert sum(each["sql"].startswith("SELECT") for each in captured) == 4
