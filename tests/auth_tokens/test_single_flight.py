"""Concurrent callers fetch a contact's token with one request."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from django.utils import timezone

from django_piggy_verify import tokens
from django_piggy_verify.auth_tokens import cache, leases
from django_piggy_verify.auth_tokens.cache import IssuedToken
from django_piggy_verify.auth_tokens.single_flight import SingleFlight
from django_piggy_verify.exceptions import (
    ContactUnknown,
    PiggyVerifyError,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.models import AuthToken, Contact, FetchState
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.secret import Secret
from django_piggy_verify.tokens import aget_auth_token, get_auth_token
from tests.db.between_statements import DEADLOCK, before_the_next, raising
from tests.steps import calls

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unlimited"),
]

CROWD = 12
SLOW = 1.0
"""Seconds of one call. All threads start within it, even on a busy machine."""

no_transactions_side_by_side = pytest.mark.skipif(
    connection.vendor == "sqlite",
    reason="SQLite locks the whole file while a transaction is open",
)


@pytest.fixture(autouse=True)
def nothing_fetched(user):
    AuthToken.objects.all().delete()
    Contact.objects.update(fetch_until=None, fetch_state=FetchState.IDLE)


def fetches(sandbox):
    """Return how many tokens were requested since the login."""
    return calls(sandbox).count("auth-token") - 1


def expire_in(seconds):
    AuthToken.objects.update(expires_at=timezone.now() + timedelta(seconds=seconds))


def elsewhere(act, *args):
    """Call `act` on another database connection, as another process would."""
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(act, *args)
        pool.submit(connections.close_all)
        return outcome.result()


def outcome(act, *args, **kwargs):
    try:
        return act(*args, **kwargs)
    except PiggyVerifyError as error:
        return type(error)


def at_once(act, *args, **kwargs):
    """Call `act` in many threads at the same moment, and return all results."""
    barrier = threading.Barrier(CROWD)

    def one():
        connection.ensure_connection()
        barrier.wait()
        try:
            return outcome(act, *args, **kwargs)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CROWD) as pool:
        return [each.result() for each in [pool.submit(one) for _ in range(CROWD)]]


@pytest.mark.parametrize("refresh", [False, True])
def test_concurrent_callers_get_one_token_with_one_request(
    user, piggy_sandbox, refresh
):
    piggy_sandbox.switches.delay = SLOW

    tokens = at_once(get_auth_token, user, refresh=refresh)

    assert set(tokens) == {get_auth_token(user)}
    assert fetches(piggy_sandbox) == 1


def test_concurrent_callers_share_one_failure(user, piggy_sandbox):
    piggy_sandbox.switches.delay = 0.2
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    assert set(at_once(get_auth_token, user)) == {ProviderUnavailable}
    assert fetches(piggy_sandbox) == 1


@no_transactions_side_by_side
def test_threads_in_transactions_of_their_own_share_a_request(user, piggy_sandbox):
    piggy_sandbox.switches.delay = SLOW

    tokens = at_once(transaction.atomic(get_auth_token), user)

    assert set(tokens) == {get_auth_token(user)}
    assert fetches(piggy_sandbox) == 1


def test_a_fetch_of_another_process_is_waited_for(user, piggy_sandbox, monkeypatch):
    lease = take_lease()
    monkeypatch.setattr(time, "sleep", lambda _: elsewhere(land, lease))

    assert get_auth_token(user) == "from elsewhere"
    assert fetches(piggy_sandbox) == 0


def take_lease():
    lease = leases.take(Contact.objects.get())
    assert lease
    return lease


def land(lease: leases.Lease):
    """Store a token as the process that fetched it does."""
    with transaction.atomic():
        lease.end()
        now = timezone.now()
        issued = IssuedToken(
            token=Secret("from elsewhere"), expires_at=now + timedelta(seconds=900)
        )
        cache.store(lease.contact, issued, fetched_at=now)


def test_a_refresh_gets_the_token_that_another_process_fetches(
    user, piggy_sandbox, monkeypatch
):
    old = get_auth_token(user)
    lease = take_lease()
    naps = [lambda: None, lambda: elsewhere(land, lease)]
    monkeypatch.setattr(time, "sleep", lambda _: naps.pop(0)())

    assert get_auth_token(user, refresh=True) == "from elsewhere" != old
    assert fetches(piggy_sandbox) == 1


def test_a_second_lease_holder_gets_the_token_of_the_first(
    user, piggy_sandbox, monkeypatch
):
    take = leases.take

    def after_another(contact):
        monkeypatch.undo()
        elsewhere(lambda: land(take_lease()))
        return take(contact)

    monkeypatch.setattr(leases, "take", after_another)

    assert get_auth_token(user) == "from elsewhere"
    assert fetches(piggy_sandbox) == 0


def test_a_stuck_thread_does_not_hold_up_others(user, settings, monkeypatch):
    settings.PIGGY_VERIFY_TIMEOUT = 0.1
    is_stuck, is_over = threading.Event(), threading.Event()

    def hang(self, uid):
        is_stuck.set()
        is_over.wait(10)
        raise ProviderUnavailable("it was stuck")

    monkeypatch.setattr(PiggyProvider, "fetch_auth_token", hang)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(outcome, get_auth_token, user)
        is_stuck.wait(10)
        with pytest.raises(ProviderUnavailable, match="another thread"):
            get_auth_token(user)
        is_over.set()
        pool.submit(connections.close_all)

    assert stuck.result() is ProviderUnavailable


def test_a_failure_of_another_process_is_shared(user, piggy_sandbox, monkeypatch):
    lease = take_lease()
    monkeypatch.setattr(
        time,
        "sleep",
        lambda _: elsewhere(lambda: lease.end(FetchState.REFUSED, lasting=3)),
    )

    with pytest.raises(ProviderRefused):
        get_auth_token(user, refresh=True)
    assert fetches(piggy_sandbox) == 0


def test_a_dead_fetcher_holds_others_up_until_the_timeout_only(
    user, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_TIMEOUT = 0.5
    leases.take(Contact.objects.get())
    began = time.monotonic()

    assert get_auth_token(user)
    assert 0.4 < time.monotonic() - began < 5
    assert fetches(piggy_sandbox) == 1


def test_a_clock_that_is_ahead_does_not_lengthen_the_wait(
    user, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_TIMEOUT = 0.5
    Contact.objects.update(
        fetch_state=FetchState.FETCHING,
        fetch_until=timezone.now() + timedelta(hours=1),
    )

    assert get_auth_token(user)
    assert fetches(piggy_sandbox) == 1


def test_a_fetcher_that_lost_the_lease_stores_nothing(user, piggy_sandbox, monkeypatch):
    fetch = PiggyProvider.fetch_auth_token

    def log_out_meanwhile(self, uid):
        elsewhere(lambda: leases.cancel(user_id=user.pk))
        return fetch(self, uid)

    monkeypatch.setattr(PiggyProvider, "fetch_auth_token", log_out_meanwhile)

    assert get_auth_token(user)
    assert not AuthToken.objects.exists()


def test_a_token_that_is_dropped_during_the_fetch_is_not_stored(
    user, piggy_sandbox, monkeypatch
):
    fetch = PiggyProvider.fetch_auth_token

    def forget_meanwhile(self, uid):
        tokens.forget(Contact.objects.get())
        return fetch(self, uid)

    monkeypatch.setattr(PiggyProvider, "fetch_auth_token", forget_meanwhile)
    get_auth_token(user)

    assert not AuthToken.objects.exists()


def test_a_log_out_during_the_fetch_leaves_no_token(
    client, user, piggy_sandbox, monkeypatch
):
    fetch = PiggyProvider.fetch_auth_token

    def log_out_meanwhile(self, uid):
        client.logout()
        return fetch(self, uid)

    monkeypatch.setattr(PiggyProvider, "fetch_auth_token", log_out_meanwhile)
    get_auth_token(user)

    assert not AuthToken.objects.exists()


def test_shortly_before_its_expiry_one_caller_fetches_the_next(user, piggy_sandbox):
    old = get_auth_token(user)
    expire_in(5)
    piggy_sandbox.switches.delay = SLOW

    tokens = at_once(get_auth_token, user)

    assert sorted(map(tokens.count, set(tokens))) == [1, CROWD - 1]
    assert tokens.count(old) == CROWD - 1
    assert fetches(piggy_sandbox) == 2


def test_using_the_old_token_during_a_refresh_takes_one_query(
    user, django_assert_num_queries
):
    get_auth_token(user)
    expire_in(5)
    take_lease()

    with django_assert_num_queries(1):
        get_auth_token(user)


def test_a_conflict_does_not_lose_the_fetched_token(user, piggy_sandbox):
    table = connection.ops.quote_name(AuthToken._meta.db_table)

    with before_the_next(f"INSERT INTO {table}", raising(DEADLOCK)):
        token = get_auth_token(user)

    assert get_auth_token(user) == token
    assert fetches(piggy_sandbox) == 1


def test_with_autocommit_off_no_lease_is_taken(user, monkeypatch):
    fetch, states = PiggyProvider.fetch_auth_token, []

    def look(self, uid):
        states.append(Contact.objects.get().fetch_state)
        return fetch(self, uid)

    monkeypatch.setattr(PiggyProvider, "fetch_auth_token", look)
    transaction.set_autocommit(False)
    try:
        get_auth_token(user)
        transaction.commit()
    finally:
        transaction.set_autocommit(True)

    assert states == [FetchState.IDLE]
    assert AuthToken.objects.exists()


def test_a_token_that_cannot_be_refreshed_is_used_until_it_expires(
    user, piggy_sandbox, caplog
):
    old = get_auth_token(user)
    expire_in(5)
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    assert [get_auth_token(user) for _ in range(5)] == [old] * 5
    assert fetches(piggy_sandbox) == 2
    assert caplog.text.count("fetch failed") == 1


def test_in_a_transaction_a_token_is_used_to_its_end(user, piggy_sandbox):
    old = get_auth_token(user)
    expire_in(5)

    with transaction.atomic():
        assert get_auth_token(user) == old
    assert fetches(piggy_sandbox) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [(55031, ContactUnknown), (3000, ProviderRefused), (55032, ProviderUnavailable)],
)
def test_a_failed_fetch_is_not_repeated_at_once(user, piggy_sandbox, code, error):
    piggy_sandbox.switches.error_code = code
    if error is ProviderUnavailable:
        piggy_sandbox.switches.fault = Fault.MAINTENANCE

    assert [outcome(get_auth_token, user) for _ in range(5)] == [error] * 5
    assert fetches(piggy_sandbox) == 1


def test_a_failed_fetch_can_be_repeated_soon(user, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    assert outcome(get_auth_token, user) is ProviderUnavailable
    piggy_sandbox.switches.fault = None
    Contact.objects.update(fetch_until=timezone.now())

    assert get_auth_token(user)


def test_a_refresh_is_sent_although_a_fetch_has_just_failed(user, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    assert outcome(get_auth_token, user) is ProviderUnavailable
    piggy_sandbox.switches.fault = None

    assert get_auth_token(user, refresh=True)


def test_a_crash_ends_the_lease(user, piggy_sandbox, settings):
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = ["no key"]
    with pytest.raises(ValueError, match=r"padding|base64"):
        get_auth_token(user)
    del settings.PIGGY_VERIFY_ENCRYPTION_KEYS

    assert get_auth_token(user)


def test_no_transaction_is_open_during_the_fetch(user, monkeypatch):
    fetch = PiggyProvider.fetch_auth_token

    def look(self, uid):
        assert not connection.in_atomic_block
        # A lock of the fetch on the row would block this update.
        elsewhere(lambda: Contact.objects.update(phone="1"))
        return fetch(self, uid)

    monkeypatch.setattr(PiggyProvider, "fetch_auth_token", look)

    assert get_auth_token(user)
    assert Contact.objects.get().phone == "1"


@no_transactions_side_by_side
def test_in_a_transaction_no_row_is_locked_during_the_fetch(user, monkeypatch):
    fetch = PiggyProvider.fetch_auth_token

    def look(self, uid):
        elsewhere(lambda: Contact.objects.update(phone="1"))
        return fetch(self, uid)

    monkeypatch.setattr(PiggyProvider, "fetch_auth_token", look)
    with transaction.atomic():
        get_auth_token(user)

    assert AuthToken.objects.exists()


def test_async_callers_do_not_block_the_event_loop(user, piggy_sandbox):
    piggy_sandbox.switches.delay = 0.2
    ticks = []

    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0.01)

    async def fetch():
        ticking = asyncio.create_task(tick())
        token = await aget_auth_token(user)
        ticking.cancel()
        return token

    assert async_to_sync(fetch)() == get_auth_token(user)
    assert len(ticks) > 5


def test_a_stopped_thread_wakes_the_waiting_threads():
    flights: SingleFlight[str] = SingleFlight()
    landed = threading.Event()

    def stop():
        landed.wait(5)
        raise SystemExit

    with ThreadPoolExecutor(2) as pool:
        stopped = pool.submit(flights.join, "key", stop, timeout=5)
        while not flights._running:
            time.sleep(0.001)
        waiting = pool.submit(flights.join, "key", stop, timeout=5)
        time.sleep(0.05)
        landed.set()

    assert isinstance(stopped.exception(), SystemExit)
    assert isinstance(waiting.exception(), TimeoutError)
