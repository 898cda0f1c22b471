"""Check the limits with concurrent threads, processes and transactions."""

import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone

from django_piggy_verify.db.retries import Conflict
from django_piggy_verify.exceptions import ProviderUnavailable
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Exhausted, Rate
from django_piggy_verify.login.circuit import Circuit
from django_piggy_verify.models import AuthToken, Tally
from django_piggy_verify.providers.base import Identity
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.tokens import get_auth_token
from tests.limits.workers import (
    ISOLATION_LEVELS,
    PROCESSES,
    THREADS as THREADS_OF_EACH,
    Workers,
)
from tests.steps import ADDRESS, UNLIMITED, ask_for_code, calls, is_logged_in, type_code
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROOM = 50


@pytest.fixture(scope="module")
def workers(django_db_setup):
    with Workers() as workers:
        yield workers


def claim(limit, room=99999, subject=ADDRESS):
    return fixed_windows.claim(limit, subject, rate=Rate(room, 3600))


def count_of(limit):
    return Tally.objects.get(key=claim(limit).key).count


def attempt(number):
    """Return whether the limits let the attempt through."""
    claims = [claim("hot", ROOM), claim("warm", subject=str(number % 3)), claim("all")]
    try:
        fixed_windows.take(claims if number % 2 else claims[::-1])
    except Exhausted:
        return False
    return True


def attempt_in_a_transaction(number):
    """Retry the whole transaction, since a conflict undoes all of it."""
    while True:
        with suppress(OperationalError, Conflict), transaction.atomic():
            Tally.objects.first()  # Begins the snapshot of the transaction.
            return attempt(number)


def test_a_limit_is_exact_for_a_thousand_concurrent_attempts(workers):
    let_through = workers.do(attempt, 1008)

    assert len(let_through) == 1008
    assert sum(let_through) == count_of("hot") == count_of("all") == ROOM


@pytest.mark.parametrize("options", ISOLATION_LEVELS[connection.vendor])
@pytest.mark.parametrize("act", [attempt, attempt_in_a_transaction])
def test_a_limit_is_exact_at_every_isolation_level(workers, act, options):
    let_through = workers.do(act, 120, **options)

    assert sum(let_through) == count_of("hot") == count_of("all") == ROOM


def is_probe(_number):
    """Return whether an attempt is the probe of the open circuit."""
    try:
        return Circuit("piggy").take([claim("all")])[1]
    except ProviderUnavailable:
        return False


def test_of_concurrent_sends_at_an_open_circuit_one_is_the_probe(workers):
    failed, counted = claim("failed"), claim("all")
    windows = fixed_windows.take([counted])
    Circuit("piggy").open_after(failed, windows=windows, give_back=[counted])

    assert sum(workers.do(is_probe, 36)) == 1
    assert count_of("all") == 1


@pytest.fixture
def get_token(user, piggy_sandbox, piggy_sandbox_server):
    """Return a function for the workers that gets the token from a slow API."""
    piggy_sandbox.switches.delay = 0.3
    return partial(token_of, user.pk, piggy_sandbox_server.base_url)


def token_of(user_id, base_url, _number):
    settings.DEBUG, settings.PIGGY_VERIFY_BASE_URL = True, base_url
    return get_auth_token(User(pk=user_id))


def fetches(sandbox):
    """Return how many tokens were requested since the login."""
    return calls(sandbox).count("auth-token") - 1


def test_workers_without_a_token_fetch_one(workers, get_token, piggy_sandbox):
    AuthToken.objects.all().delete()

    tokens = workers.do(get_token, PROCESSES * THREADS_OF_EACH)

    assert len(tokens) == PROCESSES * THREADS_OF_EACH
    assert len(set(tokens)) == fetches(piggy_sandbox) == 1


def test_workers_with_an_expiring_token_fetch_one(workers, get_token, piggy_sandbox):
    AuthToken.objects.update(expires_at=timezone.now() + timedelta(seconds=20))

    tokens = workers.do(get_token, PROCESSES * THREADS_OF_EACH)

    assert len(tokens) == PROCESSES * THREADS_OF_EACH
    assert len(set(tokens)) == 2
    assert fetches(piggy_sandbox) == 1


def deadlocks():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return cursor.fetchone()[0]


def count_several(number):
    """Count four subjects of seven, each time in another order."""
    fixed_windows.take(
        [claim("all", subject=str((number + n) % 7)) for n in (0, 1, 2, 4)]
    )


def count_several_in_a_transaction(number):
    with transaction.atomic():
        count_several(number)


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="the others notice a circle at once"
)
@pytest.mark.parametrize("act", [count_several, count_several_in_a_transaction])
def test_concurrent_attempts_do_not_deadlock(workers, act):
    workers.do(count_several, 12)  # Inserts the rows.
    before = deadlocks()

    workers.do(act, 120)

    assert deadlocks() == before


def settled(number):
    """Return the outcome of an attempt, and the window that counted the attempt."""
    recipient, visitor = claims = [claim("recipient", 20), claim("all")]
    try:
        windows = fixed_windows.take(claims)
    except Exhausted:
        return "limited", None
    outcome = ("right", "outage", "outage", "wrong", "wrong")[number % 5]
    if outcome == "right":
        fixed_windows.settle(windows, give_back=[visitor], clear=[recipient])
    elif outcome == "outage":
        fixed_windows.settle(windows, give_back=claims)
    return outcome, windows[recipient.key]


def test_counts_stay_exact_while_attempts_are_given_back_and_cleared(workers):
    accounts = Counter(workers.do(settled, 180))

    wrong = {end: n for (outcome, end), n in accounts.items() if outcome == "wrong"}
    last = Tally.objects.get(key=claim("recipient").key)
    assert last.count == wrong.get(last.ends_at, 0)
    assert count_of("all") == sum(wrong.values()) > 0
    assert max(wrong.values()) <= 20


def run_until_done(shares, command, *args, **options):
    """Run a command repeatedly until the workers are done. Return its effects."""
    runs = 0
    while not all(share.done() for share in shares):
        call_command(command, *args, verbosity=0, **options)
        runs += 1
        time.sleep(0.05)
    assert runs
    return [each for share in shares for each in share.result()]


def test_a_concurrent_purge_loses_no_count(workers):
    shares = workers.begin(attempt, 240)

    let_through = run_until_done(shares, "piggy_verify_purge", chunk=3)

    assert sum(let_through) == count_of("hot") == count_of("all") == ROOM


def window_of(number):
    """Return the window that counted an attempt, or None."""
    claims = [claim("check_recipient", 5), claim("all")]
    try:
        return fixed_windows.take(claims)[claims[0].key]
    except Exhausted:
        return None


def test_a_concurrent_unlock_does_not_raise_the_limit(workers):
    shares = workers.begin(window_of, 240)

    windows = run_until_done(shares, "piggy_verify_unlock", ADDRESS)

    let_through = Counter(filter(None, windows))
    assert max(let_through.values()) <= 5
    assert sum(let_through.values()) == count_of("all")


def tabs(browser, number):
    """Return browsers that share the cookies of this one."""
    others = [Client() for _ in range(number)]
    for each in others:
        each.cookies.load(browser.cookies.output(header="", sep=";"))
    return others


def test_of_fifty_concurrent_wrong_codes_five_reach_the_api(
    client, code, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"check_login": 5}

    pages = at_once(
        lambda guess: type_code(*guess),
        list(zip(tabs(client, 50), map(str, range(50)), strict=True)),
    )

    # At least the last one of the five sees that the login is used up.
    statuses = Counter(page.status_code for page in pages)
    assert statuses[200] + statuses[429] == 50
    assert statuses[429] >= 46
    assert calls(piggy_sandbox).count("verify") == 5


def test_a_right_code_posted_many_times_at_once_logs_in_once(
    client, code, piggy_sandbox, unlimited
):
    browsers = tabs(client, 10)
    piggy_sandbox.switches.delay = 0.1

    pages = at_once(lambda browser: type_code(browser, code), browsers)

    assert sum(map(is_logged_in, browsers)) == 1
    assert calls(piggy_sandbox).count("verify") == 1
    assert Counter(page.url for page in pages).keys() <= {"/members/", "/login/code/"}
    numbers = {tally.key[45:]: tally.count for tally in Tally.objects.all()}
    assert numbers["check_login"] == numbers["check_ip"] == 0


def test_of_concurrent_addresses_at_an_open_circuit_one_is_sent(piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(Client())

    addresses = [f"ann{number}@example.com" for number in range(32)]
    pages = at_once(lambda address: ask_for_code(Client(), address), addresses)

    assert {page.status_code for page in pages} == {503}
    assert calls(piggy_sandbox) == ["send", "send"]


def test_concurrent_requests_for_a_code_send_one(contact, piggy_sandbox):
    pages = at_once(ask_for_code, [Client() for _ in range(10)])

    assert {page.status_code for page in pages} == {302}
    assert calls(piggy_sandbox) == ["send"]


class Credulous:
    """A provider that accepts every code, so a member can have several right codes."""

    name = "piggy"

    def send_code(self, challenge):
        return challenge

    def check_code(self, challenge, code):
        return Identity(provider="piggy", uid="one", email=challenge.recipient)


def test_concurrent_first_logins_that_adopt_a_user_stay_logged_in(settings, unlimited):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.Credulous"
    settings.PIGGY_VERIFY_LINK_BY_EMAIL = True
    user = User.objects.create_user("ann", ADDRESS, "secret")
    browsers = [Client() for _ in range(8)]
    for browser in browsers:
        ask_for_code(browser)

    at_once(lambda number: type_code(browsers[number], str(number)), range(8))

    seen = [browser.get("/members/").text for browser in browsers]
    assert seen == 8 * [f"user {user.pk}"]
