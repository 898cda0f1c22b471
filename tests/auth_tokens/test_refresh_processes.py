"""Processes and threads that need the next token at once make one refresh."""

from datetime import timedelta
from functools import partial

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from django_piggy_verify.exceptions import LoginRequired
from django_piggy_verify.models import AuthToken
from django_piggy_verify.tokens import get_auth_token
from tests.auth_tokens import renewing
from tests.limits.workers import Workers

pytestmark = pytest.mark.django_db(transaction=True)

PROCESSES = 4
THREADS = 10 if connection.vendor == "postgresql" else 32
"""Threads of each process. PostgreSQL allows 100 connections to all test runs."""
CALLERS = PROCESSES * THREADS


@pytest.fixture(scope="module")
def workers(django_db_setup):
    with Workers(processes=PROCESSES, threads=THREADS) as workers:
        yield workers


@pytest.fixture
def get_token(holder, vendor):
    """Return a function for the workers that gets the token from a slow vendor."""
    vendor.delay = 1.0
    return partial(token_of, holder.pk, vendor.url)


def token_of(user_id, url, _number, **options):
    settings.DEBUG, settings.PIGGY_VERIFY_BASE_URL = True, url
    settings.PIGGY_VERIFY_PROVIDER = renewing.PROVIDER
    try:
        return get_auth_token(User(pk=user_id), **options)
    except LoginRequired:
        return "login required"


def expire_in(seconds):
    AuthToken.objects.update(expires_at=timezone.now() + timedelta(seconds=seconds))


def test_callers_with_an_expired_token_make_one_refresh(workers, get_token, vendor):
    expire_in(0)

    assert workers.do(get_token, CALLERS) == ["access-2"] * CALLERS
    assert vendor.refreshes == 1


def test_of_callers_with_an_expiring_token_one_makes_a_refresh(
    workers, get_token, vendor
):
    expire_in(20)

    tokens = workers.do(get_token, CALLERS)

    assert set(tokens) == {"access-1", "access-2"}
    assert vendor.refreshes == 1


def test_callers_with_a_refused_refresh_token_make_one_call(workers, get_token, vendor):
    expire_in(0)
    vendor.end_login()

    assert workers.do(get_token, CALLERS) == ["login required"] * CALLERS
    assert vendor.refreshes == 1


def test_callers_who_force_refreshes_use_each_refresh_token_once(
    workers, get_token, vendor
):
    """The vendor ends the login when it sees a refresh token again."""
    vendor.delay = 0.05

    tokens = workers.do(partial(get_token, refresh=True), 5 * CALLERS)

    assert "login required" not in tokens
    assert 1 < len(set(tokens)) == vendor.refreshes
