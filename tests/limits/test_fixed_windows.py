import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify.conf import DEFAULT_RATE_LIMITS
from django_piggy_verify.exceptions import TooManyAttempts
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Exhausted, Rate
from django_piggy_verify.models import Tally
from tests.db.between_statements import before_the_next


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


def test_a_limit_lets_as_many_attempts_through_as_it_says(db):
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


def test_a_count_does_not_extend_the_window(db, time_machine):
    time_machine.move_to(0, tick=False)
    fixed_windows.take([claim()])
    time_machine.shift(59)
    fixed_windows.take([claim()])
    time_machine.shift(1)

    fixed_windows.take([claim()])

    assert count_of(claim()) == 1


@pytest.mark.parametrize(("after", "wait"), [(0, 60), (58.5, 2), (59, 1), (59.9, 1)])
def test_the_wait_is_exact_to_the_second(db, time_machine, after, wait):
    time_machine.move_to(0, tick=False)
    fixed_windows.take([claim(count=1)])
    time_machine.shift(after)

    with pytest.raises(Exhausted) as caught:
        fixed_windows.take([claim(count=1)])

    assert caught.value.waits == {"check_ip": wait}


def test_the_wait_is_at_least_a_second(db):
    spent = fixed_windows.claim("check_login", "ann", rate=Rate(1, 60), retry_after=0)
    fixed_windows.take([spent])

    assert fixed_windows.waits([spent]) == {"check_login": 1}


def test_nothing_is_counted_if_one_limit_is_reached(db):
    short, long = claim("a", 1, 60), claim("b", 1, 600)
    fixed_windows.take([short, long])

    with pytest.raises(Exhausted, match="a, b") as caught:
        fixed_windows.take([claim("c"), short, long])

    assert caught.value.waits["b"] > caught.value.waits["a"] > 0
    assert count_of(claim("c")) == 0


def test_an_attempt_that_is_given_back_can_be_taken_again(db):
    windows = fixed_windows.take([claim(count=1)])
    fixed_windows.settle(windows, give_back=[claim(count=1)])

    fixed_windows.take([claim(count=1)])


def test_an_attempt_after_one_that_is_given_back_begins_a_window(db, time_machine):
    time_machine.move_to(0, tick=False)
    windows = fixed_windows.take([claim(count=1)])
    fixed_windows.settle(windows, give_back=[claim(count=1)])
    time_machine.shift(50)

    fixed_windows.take([claim(count=1)])

    assert fixed_windows.waits([claim(count=1)]) == {"check_ip": 60}


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


def test_a_server_whose_clock_is_behind_gives_back(db, time_machine):
    """The window may have been begun by another server, by its own clock."""
    time_machine.move_to(100, tick=False)
    fixed_windows.take([claim()])
    time_machine.move_to(95, tick=False)
    windows = fixed_windows.take([claim()])

    fixed_windows.settle(windows, give_back=[claim()])

    assert count_of(claim()) == 1


def test_a_cleared_count_does_not_fall_below_zero(db):
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


def test_rows_are_inserted_in_one_order(db):
    """Two processes that insert the same rows in two orders would deadlock."""
    ann, bob = claim(), claim(subject="bob")
    made = []
    for order in ([ann, bob], [bob, ann]):
        with CaptureQueriesContext(connection) as captured:
            fixed_windows.take(order)
        insert = next(each["sql"] for each in captured if "INSERT" in each["sql"])
        made.append(re.findall(r"\b[0-9a-f]{44}:\w+", insert))
        fixed_windows.forget(order)

    assert made[0] == made[1] == sorted([ann.key, bob.key])


def test_a_row_that_is_purged_between_two_statements_is_made_again(db):
    fixed_windows.take([claim()])

    with before_the_next("SAVEPOINT", Tally.objects.all().delete):
        fixed_windows.take([claim()])

    assert count_of(claim()) == 1


def test_an_attempt_between_two_statements_is_counted(db):
    """Two threads may read the clock in one order and count in the other."""
    with before_the_next("SAVEPOINT", lambda: fixed_windows.take([claim()])):
        fixed_windows.take([claim()])

    assert count_of(claim()) == 2


def test_an_attempt_between_two_statements_shares_the_window(db):
    with before_the_next("SAVEPOINT", lambda: fixed_windows.take([claim()])):
        windows = fixed_windows.take([claim()])

    fixed_windows.settle(windows, give_back=[claim()])

    assert count_of(claim()) == 1


def test_an_attempt_counts_in_a_window_that_began_meanwhile(db):
    fixed_windows.take([claim()])

    def begin_anew():
        fixed_windows.forget([claim()])
        fixed_windows.take([claim()])

    with before_the_next("SAVEPOINT", begin_anew):
        windows = fixed_windows.take([claim()])
    fixed_windows.settle(windows, give_back=[claim()])

    assert count_of(claim()) == 1


def test_a_replica_is_not_asked(db, settings):
    settings.DATABASE_ROUTERS = ["tests.db.routers.ReadsFromReplica"]
    fixed_windows.take([claim(count=1)])

    assert fixed_windows.waits([claim(count=1)])


@pytest.mark.django_db(transaction=True)
def test_concurrent_threads_do_not_exceed_a_limit():
    """Each thread shares one subject with all threads, and one with some threads."""
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
def test_limits_are_exact_inside_a_transaction():
    """MariaDB would answer a plain SELECT from the transaction's old snapshot."""
    if connection.vendor == "mysql":
        # The default of MariaDB. Django sets a lower level by default.
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


def test_an_attempt_after_a_release_begins_a_window(db, time_machine):
    time_machine.move_to(0, tick=False)
    fixed_windows.settle(fixed_windows.take([claim()]), release=[claim()])
    time_machine.shift(59)

    fixed_windows.take([claim(count=1)])

    assert fixed_windows.waits([claim(count=1)]) == {claim().limit: 60}


def test_no_later_window_is_released(db, time_machine):
    time_machine.move_to(0, tick=False)
    windows = fixed_windows.take([claim()])
    time_machine.shift(60)
    fixed_windows.take([claim()])

    fixed_windows.settle(windows, release=[claim()])

    assert fixed_windows.usage([claim()])[0].number == 1


def test_a_count_can_be_put_in_the_window_it_was_taken_in(db):
    windows = fixed_windows.take([claim()])
    fixed_windows.settle(windows, put=[(claim(), 7)])

    with pytest.raises(Exhausted) as refusal:
        fixed_windows.take([claim()])

    assert refusal.value.numbers == {claim().limit: 7}


def test_no_count_is_put_in_a_later_window(db, time_machine):
    time_machine.move_to(0, tick=False)
    windows = fixed_windows.take([claim()])
    time_machine.shift(60)
    fixed_windows.take([claim()])

    fixed_windows.settle(windows, put=[(claim(), 7)])

    assert fixed_windows.usage([claim()])[0].number == 1


def test_nothing_is_counted_while_another_claim_is_exhausted(db):
    stop = claim("stop", 1)
    fixed_windows.take([stop])

    with pytest.raises(Exhausted, match="stop"):
        fixed_windows.take([claim()], unless=[stop])

    assert count_of(claim()) == 0


def test_a_claim_that_is_only_read_is_not_counted(db):
    fixed_windows.take([claim()], unless=[claim("stop", 1)])

    assert (count_of(claim()), count_of(claim("stop", 1))) == (1, 0)


@pytest.mark.parametrize("counted", [0, 1])
def test_a_claim_can_be_exhausted_for_one_period_from_now(db, time_machine, counted):
    time_machine.move_to(0, tick=False)
    for _ in range(counted):
        fixed_windows.take([claim()])
    time_machine.shift(30)

    fixed_windows.exhaust([claim()], windows={}, give_back=[])

    assert fixed_windows.waits([claim()]) == {"check_ip": 60}
    assert count_of(claim()) == 2


def test_while_some_claims_are_exhausted_others_are_given_back(db):
    back, kept = claim("back"), claim("kept")
    windows = fixed_windows.take([back, kept])

    fixed_windows.exhaust([claim()], windows=windows, give_back=[back])

    assert [count_of(each) for each in (claim(), back, kept)] == [2, 0, 1]


def test_keys_are_hashed_with_the_sites_own_key(settings):
    before = claim().key

    settings.SECRET_KEY = "another secret key, just as long as the first one was"

    assert claim().key != before


@pytest.mark.parametrize("limit", [*DEFAULT_RATE_LIMITS, "code_use", "code_login"])
def test_a_key_has_room_for_the_name_of_its_limit(limit):
    key = claim(limit).key
    Tally(key=key, count=1, ends_at=timezone.now()).clean_fields()

    assert fixed_windows.limit_of(key) == limit


def test_keys_are_in_the_order_of_their_hashes():
    """Databases sort the names of limits differently: some ignore underscores."""
    keys = [claim(limit).key for limit in DEFAULT_RATE_LIMITS]

    assert sorted(keys) == sorted(keys, key=re.compile("[0-9a-f]{44}").findall)


def test_usage_has_the_limit_and_the_end_of_the_window(db, time_machine):
    time_machine.move_to(0, tick=False)
    windows = fixed_windows.take([claim()])

    [standing] = fixed_windows.usage([claim()])

    assert (standing.number, standing.allowed) == (1, 2)
    assert standing.ends_at == windows[claim().key]


def test_usage_is_zero_when_the_window_is_over(db, time_machine):
    time_machine.move_to(0, tick=False)
    fixed_windows.take([claim()])
    time_machine.shift(60)

    [standing] = fixed_windows.usage([claim()])

    assert (standing.number, standing.ends_at) == (0, None)


def test_usage_is_zero_before_the_first_count(db):
    [standing] = fixed_windows.usage([claim()])

    assert (standing.number, standing.ends_at) == (0, None)


@pytest.mark.parametrize(
    ("limit", "count"), [("send_ip", 60), ("check_login", 5), ("code_use", None)]
)
def test_the_allowed_number_is_that_of_the_settings(limit, count):
    assert fixed_windows.allowed(limit) == count


def test_a_new_secret_key_starts_all_counts_anew(db, settings):
    """Rows are found by keyed hashes. Each fallback key would cost one more query."""
    fixed_windows.take([claim(count=1)])
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key, which is just as long as the old one"

    fixed_windows.take([claim(count=1)])


def test_the_exception_names_the_limit_and_the_wait():
    error = TooManyAttempts(limit="send_ip", retry_after=7)

    assert str(error) == "send_ip is reached for another 7 s"
