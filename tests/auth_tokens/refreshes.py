"""Ask for tokens in many threads, and change what is stored, for tests of refreshes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.auth_tokens.cache import IssuedToken
from django_piggy_verify.exceptions import PiggyVerifyError
from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.secret import Secret
from django_piggy_verify.tokens import get_auth_token

CROWD = 12
SLOW = 1.0
"""Seconds of one call. All threads start within it, even on a busy machine."""

no_transactions_side_by_side = pytest.mark.skipif(
    connection.vendor == "sqlite",
    reason="SQLite locks the whole file while a transaction is open",
)


def expire_in(seconds):
    AuthToken.objects.update(expires_at=timezone.now() + timedelta(seconds=seconds))


def stored_refresh_token():
    contact = Contact.objects.select_related("auth_token").get()
    return cache.refresh_token_of(contact)


def forget_failure():
    Contact.objects.update(fetch_until=timezone.now())


def elsewhere(act):
    """Return a function that acts on the database connection of another thread."""

    def acting():
        try:
            act()
        finally:
            connections.close_all()

    return acting


def outcome(user, **options):
    try:
        return get_auth_token(user, **options)
    except PiggyVerifyError as error:
        return type(error)


def at_once(act):
    """Call `act` in many threads at the same moment, and return all results."""
    barrier = threading.Barrier(CROWD)

    def one():
        connection.ensure_connection()
        barrier.wait()
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CROWD) as pool:
        return [each.result() for each in [pool.submit(one) for _ in range(CROWD)]]


def store_elsewhere(token="faster", refresh="refresh-of-faster", seconds=900):
    """Store tokens as a faster process does."""
    now = timezone.now()
    issued = IssuedToken(
        token=Secret(token),
        expires_at=now + timedelta(seconds=seconds),
        refresh=Secret(refresh),
    )
    cache.store(Contact.objects.get(), issued, fetched_at=now)
