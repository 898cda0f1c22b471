import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.contrib.auth import authenticate
from django.db import OperationalError, connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify.conf import DEFAULT_RATE_LIMITS
from django_piggy_verify.db import retries
from django_piggy_verify.db.retries import Conflict
from django_piggy_verify.exceptions import TooManyAttempts
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Exhausted, Rate
from django_piggy_verify.models import Tally
from django_piggy_verify.sandbox import Fault
from tests.db.between_statements import DEADLOCK, before_the_next, raising
from tests.steps import (
    ADDRESS,
    STRANGER,
    UNLIMITED,
    ask_for_code,
    calls,
    type_code,
)

SENDS = ["send_cooldown", "send_recipient", "send_recipient_day", "send_ip"]
CHECKS = ["check_recipient", "check_recipient_day", "check_ip"]


def claim(limit="check_ip", count=2, period=60, subject="ann"):
    return fixed_windows.claim(limit, subject, rate=Rate(count, period))


def count_of(each):
    tally = Tally.objects.filter(key=each.key).first()
    return tally.count if tally else 0


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1/60s", Rate(1, 60)),
        ("3/15m", Rate(3, 900)),
        ("20/h", Rate(20, 3600)),
        ("10/1d", Rate(10, 86400)),
    ],
)
def test_rates_are_read(text, rate):
    assert fixed_windows.parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "3", "0/1m", "3/0m", "-1/m", "3/1w", "3/1 m", " 3/1m", "1٣/1m", "3/m\n"],
)
def test_misspelled_rates_are_refused(text):
    with pytest.raises(ValueError, match="written like"):
        fixed_windows.parse_rate(text)


def test_as_many_as_the_limit_says_are_let_through(db):
    fixed_windows.take([claim()])
    fixed_windows.take([claim()])

    with pytest.raises(Exhausted) as caught:
        fixed_windows.take([claim()])

    assert 0 < caught.value.waits["check_ip"] <= 60


def test_a_window_that_is_over_begins_anew(db, time_machine):
    time_machine.move_to(0, tick=False)
    fixed_windows.take([claim(count=1)])
    time_machine.shift(60)

    fixed_windows.take([claim(count=1)])

    assert count_of(claim()) == 1


def test_a_window_does_not_grow_with_what_is_counted_in_it(db, time_machine):
    time_machine.move_to(0, tick=False)
    fixed_windows.take([claim()])
    time_machine.shift(59)
    fixed_windows.take([claim()])
    time_machine.shift(1)

    fixed_windows.take([claim()])

    assert count_of(claim()) == 1


@pytest.mark.parametrize(("after", "wait"), [(0, 60), (58.5, 2), (59, 1), (59.9, 1)])
def test_the_wait_is_true_to_the_second(db, time_machine, after, wait):
    time_machine.move_to(0, tick=False)
    fixed_windows.take([claim(count=1)])
    time_machine.shift(after)

    with pytest.raises(Exhausted) as caught:
        fixed_windows.take([claim(count=1)])

    assert caught.value.waits == {"check_ip": wait}


def test_there_is_always_a_second_to_wait(db):
    spent = fixed_windows.claim("check_login", "ann", rate=Rate(1, 60), retry_after=0)
    fixed_windows.take([spent])

    assert fixed_windows.waits([spent]) == {"check_login": 1}


def test_all_or_none_is_counted_and_every_wait_reported(db):
    short, long = claim("a", 1, 60), claim("b", 1, 600)
    fixed_windows.take([short, long])

    with pytest.raises(Exhausted, match="a, b") as caught:
        fixed_windows.take([claim("c"), short, long])

    assert caught.value.waits["b"] > caught.value.waits["a"] > 0
    assert count_of(claim("c")) == 0


def test_what_is_given_back_can_be_taken_again(db):
    windows = fixed_windows.take([claim(count=1)])
    fixed_windows.settle(windows, give_back=[claim(count=1)])

    fixed_windows.take([claim(count=1)])


def test_nothing_is_given_back_to_a_window_that_began_since(db, time_machine):
    time_machine.move_to(0, tick=False)
    windows = fixed_windows.take([claim()])
    time_machine.shift(60)
    fixed_windows.take([claim()])

    fixed_windows.settle(windows, give_back=[claim()])

    assert count_of(claim()) == 1


def test_nothing_is_given_back_to_a_window_that_was_cleared_since(db):
    windows = fixed_windows.take([claim()])
    fixed_windows.settle(fixed_windows.take([claim()]), clear=[claim()])
    fixed_windows.take([claim()])

    fixed_windows.settle(windows, give_back=[claim()])

    assert count_of(claim()) == 1


def test_a_clock_that_is_behind_gives_back_as_well(db, time_machine):
    """The windows are those of whoever began them, perhaps another server."""
    time_machine.move_to(100, tick=False)
    fixed_windows.take([claim()])
    time_machine.move_to(95, tick=False)
    windows = fixed_windows.take([claim()])

    fixed_windows.settle(windows, give_back=[claim()])

    assert count_of(claim()) == 1


def test_giving_back_what_was_cleared_meanwhile_is_harmless(db):
    """A right code clears the count while another check is under way."""
    windows = fixed_windows.take([claim()])
    fixed_windows.settle(fixed_windows.take([claim()]), clear=[claim()])

    fixed_windows.settle(windows, give_back=[claim()])

    assert count_of(claim()) == 0


def test_settling_clears_some_and_gives_back_others(db):
    ann, bob = claim(), claim(subject="bob")
    fixed_windows.take([ann, bob])
    windows = fixed_windows.take([ann, bob])

    fixed_windows.settle(windows, give_back=[ann], clear=[bob])

    assert (count_of(ann), count_of(bob)) == (1, 0)


def test_subjects_and_limits_are_counted_apart(db):
    fixed_windows.take([claim(count=1)])

    fixed_windows.take([claim(count=1, subject="bob"), claim("other", count=1)])


def test_rows_are_made_in_one_order(db):
    """Two who made the same rows in two orders would wait for each other."""
    ann, bob = claim(), claim(subject="bob")
    made = []
    for order in ([ann, bob], [bob, ann]):
        with CaptureQueriesContext(connection) as captured:
            fixed_windows.take(order)
        insert = next(each["sql"] for each in captured if "INSERT" in each["sql"])
        made.append(re.findall(r"\b[0-9a-f]{44}:\w+", insert))
        fixed_windows.forget(order)

    assert made[0] == made[1] == sorted([ann.key, bob.key])


def test_what_is_purged_between_two_statements_is_made_again(db):
    fixed_windows.take([claim()])

    with before_the_next("SAVEPOINT", Tally.objects.all().delete):
        fixed_windows.take([claim()])

    assert count_of(claim()) == 1


def test_who_comes_a_moment_late_is_counted_with_the_others(db):
    """Two threads may read the clock in one order and count in the other."""
    with before_the_next("SAVEPOINT", lambda: fixed_windows.take([claim()])):
        fixed_windows.take([claim()])

    assert count_of(claim()) == 2


def test_who_comes_a_moment_late_gives_back_to_the_same_window(db):
    with before_the_next("SAVEPOINT", lambda: fixed_windows.take([claim()])):
        windows = fixed_windows.take([claim()])

    fixed_windows.settle(windows, give_back=[claim()])

    assert count_of(claim()) == 1


def test_a_window_that_began_anew_meanwhile_is_the_one_counted_in(db):
    fixed_windows.take([claim()])

    def begin_anew():
        fixed_windows.forget([claim()])
        fixed_windows.take([claim()])

    with before_the_next("SAVEPOINT", begin_anew):
        windows = fixed_windows.take([claim()])
    fixed_windows.settle(windows, give_back=[claim()])

    assert count_of(claim()) == 1


def test_a_wait_that_took_all_the_time_is_not_the_last_try(db, monkeypatch):
    monkeypatch.setattr(retries, "PATIENCE", -1)
    fixed_windows.take([claim()])

    with before_the_next("SAVEPOINT", Tally.objects.all().delete):
        fixed_windows.take([claim()])

    assert count_of(claim()) == 1


def test_a_database_that_never_comes_to_rest_is_an_error(db, monkeypatch):
    monkeypatch.setattr(retries, "PATIENCE", -1)
    monkeypatch.setattr(retries, "TRIES", 1)
    fixed_windows.take([claim()])

    with (
        before_the_next("SAVEPOINT", Tally.objects.all().delete),
        pytest.raises(Conflict, match="keep changing"),
    ):
        fixed_windows.take([claim()])


class PostgresqlError(OperationalError):
    def __init__(self, sqlstate):
        super().__init__("in the words of PostgreSQL")
        self.sqlstate = sqlstate
        self.__cause__ = self


CONFLICTS = [
    DEADLOCK,
    OperationalError(1020, "Record has changed since last read"),
    PostgresqlError("40P01"),
    PostgresqlError("40001"),
]
OTHERS = [
    OperationalError("database is locked"),
    OperationalError(2006, "Server has gone away"),
    PostgresqlError("57P01"),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", CONFLICTS)
def test_what_a_conflict_has_undone_is_tried_again(error):
    for statement in ("INSERT", "UPDATE"):
        with before_the_next(statement, raising(error)):
            fixed_windows.take([claim()])

    assert count_of(claim()) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", OTHERS)
def test_other_errors_of_the_database_are_raised_at_once(error):
    with before_the_next("INSERT", raising(error)), pytest.raises(OperationalError):
        fixed_windows.take([claim()])


def test_a_conflict_in_a_callers_transaction_is_the_callers(db):
    with (
        before_the_next("INSERT", raising(DEADLOCK)),
        pytest.raises(OperationalError),
    ):
        fixed_windows.take([claim()])


def test_a_replica_that_lags_behind_is_not_asked(db, settings):
    settings.DATABASE_ROUTERS = ["tests.db.routers.ReadsFromReplica"]
    fixed_windows.take([claim(count=1)])

    assert fixed_windows.waits([claim(count=1)])


@pytest.mark.django_db(transaction=True)
def test_threads_that_count_at_once_never_overrun():
    """Each shares one subject with all others, and one with a few."""
    let_through, room = [], claim(count=25, period=3600)

    def attempt(number):
        with suppress(Exhausted):
            fixed_windows.take([claim("mine", 99, subject=str(number % 3)), room])
            let_through.append(number)
        connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(100)))

    assert len(let_through) == count_of(room) == 25
    assert sum(count_of(claim("mine", subject=str(n))) for n in range(3)) == 25


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_limits_are_exact_as_well():
    """MariaDB would answer a plain SELECT from the transaction's old snapshot."""
    if connection.vendor == "mysql":
        # The server's own default, which Django lowers unless told otherwise.
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with transaction.atomic():
        list(Tally.objects.all())
        with ThreadPoolExecutor(1) as pool:
            if connection.vendor != "sqlite":
                pool.submit(fixed_windows.take, [claim(count=1)]).result()
                pool.submit(connections.close_all).result()
            else:
                fixed_windows.take([claim(count=1)])
        with pytest.raises(Exhausted):
            fixed_windows.take([claim(count=1)])


def test_keys_are_hashed_with_the_sites_own_key(settings):
    before = claim().key

    settings.SECRET_KEY = "another secret key, just as long as the first one was"

    assert claim().key != before


def test_no_address_is_stored(client, contact):
    ask_for_code(client)

    assert Tally.objects.count() == 4
    for tally in Tally.objects.all():
        assert re.fullmatch("[0-9a-f]{44}:[a-z_]+", tally.key)
        assert "ann" not in str(tally)


@pytest.mark.parametrize("limit", [*DEFAULT_RATE_LIMITS, "code_use"])
def test_a_key_has_room_for_the_name_of_its_limit(limit):
    key = claim(limit).key
    Tally(key=key, count=1, ends_at=timezone.now()).clean_fields()

    assert fixed_windows.limit_of(key) == limit


def test_keys_are_in_the_order_of_their_hashes():
    """By the limits' names, databases would differ: some pass over underscores."""
    keys = [claim(limit).key for limit in DEFAULT_RATE_LIMITS]

    assert sorted(keys) == sorted(keys, key=re.compile("[0-9a-f]{44}").findall)


def test_a_count_is_told_with_its_limit_and_its_window(db, time_machine):
    time_machine.move_to(0, tick=False)
    windows = fixed_windows.take([claim()])

    [standing] = fixed_windows.usage([claim()])

    assert (standing.number, standing.allowed) == (1, 2)
    assert standing.ends_at == windows[claim().key]


def test_a_window_that_is_over_counts_nothing(db, time_machine):
    time_machine.move_to(0, tick=False)
    fixed_windows.take([claim()])
    time_machine.shift(60)

    [standing] = fixed_windows.usage([claim()])

    assert (standing.number, standing.ends_at) == (0, None)


def test_what_was_never_counted_is_told_as_well(db):
    [standing] = fixed_windows.usage([claim()])

    assert (standing.number, standing.ends_at) == (0, None)


@pytest.mark.parametrize(
    ("limit", "count"), [("send_ip", 20), ("check_login", 5), ("code_use", None)]
)
def test_how_many_are_allowed_is_what_the_settings_say(limit, count):
    assert fixed_windows.allowed(limit) == count


def test_a_new_secret_key_starts_all_counts_anew(db, settings):
    """They are found by keyed hashes; a fallback would cost a query a key."""
    fixed_windows.take([claim(count=1)])
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key, which is just as long as the old one"

    fixed_windows.take([claim(count=1)])


def exhaust(settings, name, rate="1/1h"):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {name: rate}


@pytest.mark.parametrize("name", ["send_recipient", "send_recipient_day", "send_ip"])
def test_each_limit_of_sends_is_enforced(client, contact, settings, name):
    exhaust(settings, name)

    statuses = [ask_for_code(client).status_code for _ in range(2)]

    assert statuses == [302, 429]


@pytest.mark.parametrize("name", ["check_recipient", "check_recipient_day", "check_ip"])
def test_each_limit_of_checks_is_enforced_over_all_sessions(
    contact, settings, name, piggy_sandbox
):
    exhaust(settings, name)
    browsers = [Client(), Client()]
    for browser in browsers:
        ask_for_code(browser)

    statuses = [type_code(browser, "wrong").status_code for browser in browsers]

    assert statuses == [200, 429]
    assert calls(piggy_sandbox).count("verify") == 1


def test_guessing_from_everywhere_ends_with_the_recipients_tries(
    contact, piggy_sandbox
):
    """Each guess in a login of its own, from an address of its own."""
    for number in range(15):
        browser = Client(REMOTE_ADDR=f"198.51.100.{number}")
        ask_for_code(browser)
        response = type_code(browser, f"wrong-{number}")

    assert response.status_code == 429
    assert calls(piggy_sandbox) == ["send"] + 10 * ["verify"]


def counted(names):
    """Answer what is counted for Ann, or for the address that the tests come from."""
    subjects = (("127.0.0.1" if "_ip" in name else ADDRESS) for name in names)
    claims = map(fixed_windows.claim, names, subjects)
    return [count_of(each) for each in claims]


def test_a_send_whose_failure_is_said_counts_nowhere(client, contact, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(client)

    assert counted(SENDS) == [0, 0, 0, 0]


@pytest.mark.parametrize("fault", [None, Fault.OUTAGE, Fault.MALFORMED])
def test_a_send_that_may_have_mailed_a_code_counts(
    client, contact, piggy_sandbox, fault
):
    piggy_sandbox.switches.fault = fault
    ask_for_code(client)

    assert counted(SENDS) == [1, 1, 1, 1]


def test_a_stranger_who_is_told_so_may_try_again_at_once_but_not_for_long(
    client, contact, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False
    piggy_sandbox.remove_contact(ADDRESS)
    ask_for_code(client)

    assert counted(SENDS) == [0, 1, 1, 1]


def test_a_check_without_a_verdict_counts_nowhere(client, code, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.OUTAGE
    type_code(client, code)

    assert counted(CHECKS) == [0, 0, 0]


def test_whoever_repeats_a_used_code_is_counted(client, code):
    type_code(client, code)
    thief = Client()
    ask_for_code(thief)

    type_code(thief, code)

    assert counted(CHECKS) == [1, 1, 1]


def test_a_used_code_tells_nothing_once_a_limit_is_reached(
    client, code, settings, unlimited
):
    type_code(client, code)
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"check_recipient": "1/1h"}
    thief = Client()
    ask_for_code(thief)
    type_code(thief, "wrong")

    assert type_code(thief, code).status_code == 429


def test_a_wrong_code_is_judged_anew_each_time(client, code, piggy_sandbox):
    for _ in range(2):
        type_code(client, "wrong")

    assert calls(piggy_sandbox) == ["send", "verify", "verify"]


def test_checks_without_a_login_in_progress_are_counted_as_well(contact, rf):
    """A project may call `authenticate()` from a view of its own."""
    authenticate(rf.post("/"), recipient=ADDRESS, secret_code="wrong")

    assert counted(CHECKS) == [1, 1, 1]


def test_all_spellings_of_an_address_share_their_counts(client, contact, settings):
    exhaust(settings, "send_recipient")
    ask_for_code(client, "ann@example.com")

    assert ask_for_code(client, " ANN@Example.COM ").status_code == 429


def test_all_spellings_of_an_address_share_their_wrong_codes(contact, settings):
    exhaust(settings, "check_recipient")
    statuses = []
    for spelling in (ADDRESS, ADDRESS.upper()):
        browser = Client()
        ask_for_code(browser, spelling)
        statuses.append(type_code(browser, "wrong").status_code)

    assert statuses == [200, 429]


def test_a_send_that_is_refused_starts_no_cooldown(client, contact, settings):
    exhaust(settings, "send_ip")
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "1/60s"
    ask_for_code(client, STRANGER)
    ask_for_code(client)

    assert count_of(fixed_windows.claim("send_cooldown", ADDRESS)) == 0


def test_the_cooldown_holds_back_before_any_other_limit(client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = dict.fromkeys(
        ("send_cooldown", "send_recipient", "send_ip"), "1/1h"
    )
    ask_for_code(client)

    assert ask_for_code(client).url == "/login/code/"


def test_a_right_code_clears_the_recipients_counts_only(
    client, code, settings, piggy_sandbox
):
    exhaust(settings, "check_ip", "2/1h")
    type_code(client, "wrong")
    type_code(client, code)

    assert count_of(fixed_windows.claim("check_recipient", ADDRESS)) == 0
    assert count_of(fixed_windows.claim("check_ip", "127.0.0.1")) == 1


def test_the_exception_says_what_is_reached_and_for_how_long():
    error = TooManyAttempts(limit="send_ip", retry_after=7)

    assert str(error) == "send_ip is reached for another 7 s"
