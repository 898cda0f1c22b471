import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.models.signals import post_delete
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify.db import locking
from django_piggy_verify.management.commands import piggy_verify_purge
from django_piggy_verify.models import AuthToken, Contact, OpenChallenge, Tally
from tests.db.between_statements import DEADLOCK, before_the_next, raising

DAY = timedelta(days=1)


@pytest.fixture
def rows(db):
    """Seven rows in each table that have expired, and one that has not."""
    now = timezone.now()
    for number in range(8):
        ends_at = now - number * DAY if number else now + DAY
        user = User.objects.create_user(f"user-{number}")
        contact = Contact.objects.create(
            user=user, provider="piggy", uid=user.username, verified_at=now
        )
        AuthToken.objects.create(
            contact=contact, ciphertext=b"", fetched_at=now, expires_at=ends_at
        )
        OpenChallenge.objects.create(key="any", ciphertext=b"", ends_at=ends_at)
        Tally.objects.create(key=f"key-{number}", count=1, ends_at=ends_at)


def test_expired_rows_are_deleted(rows, capsys):
    call_command("piggy_verify_purge")

    assert [each.contact.uid for each in AuthToken.objects.all()] == ["user-0"]
    assert [each.key for each in Tally.objects.all()] == ["key-0"]
    assert OpenChallenge.objects.get().ends_at > timezone.now()
    assert "7 expired auth tokens deleted" in capsys.readouterr().out


def test_contacts_and_users_are_kept_and_verbosity_0_prints_nothing(rows, capsys):
    call_command("piggy_verify_purge", verbosity=0)

    assert capsys.readouterr().out == ""
    assert User.objects.count() == Contact.objects.count() == 8


@pytest.fixture
def renewable(rows, settings):
    """The expired tokens have a refresh token. Five are five days old or older."""
    settings.PIGGY_VERIFY_REFRESH_TOKEN_TTL = 5 * 86400
    now = timezone.now()
    for row in AuthToken.objects.filter(expires_at__lte=now):
        row.refresh_ciphertext, row.fetched_at = b"any", row.expires_at - 2 * DAY
        row.save()


def test_a_token_that_can_be_renewed_is_kept(renewable, capsys):
    call_command("piggy_verify_purge")

    kept = {each.contact.uid for each in AuthToken.objects.all()}
    assert kept == {"user-0", "user-1", "user-2"}
    assert "5 expired auth tokens deleted" in capsys.readouterr().out


def test_a_dry_run_does_not_count_a_token_that_can_be_renewed(renewable, capsys):
    call_command("piggy_verify_purge", dry_run=True)

    assert "5 expired auth tokens to be deleted" in capsys.readouterr().out


def test_a_token_that_is_still_valid_is_kept_whatever_its_age(renewable):
    AuthToken.objects.update(fetched_at=timezone.now() - 99 * DAY)

    call_command("piggy_verify_purge")

    assert [each.contact.uid for each in AuthToken.objects.all()] == ["user-0"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 9])
def test_rows_to_keep_do_not_stop_a_purge(renewable, chunk):
    """All rows expire at the same time, and every second row is kept."""
    now = timezone.now()
    for number, row in enumerate(AuthToken.objects.order_by("pk")):
        row.expires_at = now - DAY
        row.fetched_at = now - (number % 2) * 99 * DAY
        row.refresh_ciphertext = b"any"
        row.save()

    call_command("piggy_verify_purge", chunk=chunk, verbosity=0)

    kept = {each.contact.uid for each in AuthToken.objects.all()}
    assert kept == {"user-0", "user-2", "user-4", "user-6"}


@pytest.mark.parametrize(("span", "statements"), [(3600, 3), (0, 7)])
def test_a_chunk_has_as_many_rows_to_keep_as_the_database_is_fast(
    renewable, monkeypatch, span, statements
):
    monkeypatch.setattr(piggy_verify_purge, "FIRST", 1)
    monkeypatch.setattr(piggy_verify_purge, "SPAN", span)
    AuthToken.objects.update(fetched_at=timezone.now(), refresh_ciphertext=b"any")
    OpenChallenge.objects.all().delete()
    Tally.objects.all().delete()

    with deletions() as numbers:
        call_command("piggy_verify_purge", verbosity=0)

    assert numbers == [0] * statements + [0, 0]


@contextmanager
def deletions():
    """The number of rows that each statement has deleted."""
    numbers = []

    def wrapper(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        if sql.startswith("DELETE"):
            numbers.append(context["cursor"].rowcount)
        return answer

    with connection.execute_wrapper(wrapper):
        yield numbers


def test_a_purge_of_nothing_is_six_queries(db, django_assert_num_queries):
    with django_assert_num_queries(6):
        call_command("piggy_verify_purge", verbosity=0)


def test_no_chunk_is_larger_than_wanted(rows):
    with deletions() as numbers:
        call_command("piggy_verify_purge", chunk=3, verbosity=0)

    assert numbers == [3, 3, 1] * 3


def test_no_chunk_is_larger_when_all_rows_expire_at_once(rows):
    Tally.objects.exclude(key="key-0").update(ends_at=timezone.now() - DAY)
    AuthToken.objects.all().delete()
    OpenChallenge.objects.all().delete()

    with deletions() as numbers:
        call_command("piggy_verify_purge", chunk=3, verbosity=0)

    assert [each for each in numbers if each] == [3, 3, 1]
    assert [each.key for each in Tally.objects.all()] == ["key-0"]


def test_no_chunk_is_smaller_than_a_row(rows):
    call_command("piggy_verify_purge", chunk=0, verbosity=0)

    assert AuthToken.objects.count() == Tally.objects.count() == 1


@pytest.mark.parametrize(
    ("first", "span", "expected"),
    [(1, 3600, [1, 4, 2]), (3, 0, [3, 1, 1, 1, 1])],
    ids=["fast", "slow"],
)
def test_a_chunk_is_as_large_as_the_database_is_fast(
    rows, monkeypatch, first, span, expected
):
    monkeypatch.setattr(piggy_verify_purge, "FIRST", first)
    monkeypatch.setattr(piggy_verify_purge, "SPAN", span)

    with deletions() as numbers:
        call_command("piggy_verify_purge", verbosity=0)

    assert numbers == expected * 3


def test_no_row_is_read_but_the_one_at_which_a_chunk_ends(rows):
    with CaptureQueriesContext(connection) as captured:
        call_command("piggy_verify_purge", chunk=2, verbosity=0)

    reads = [each["sql"] for each in captured if each["sql"].startswith("SELECT")]
    assert reads
    assert all(" LIMIT 1" in each for each in reads)


def test_deleted_rows_are_not_read_again(rows):
    """Deleted rows stay in PostgreSQL's index, where a second look would read them."""
    with CaptureQueriesContext(connection) as captured:
        call_command("piggy_verify_purge", chunk=3, verbosity=0)

    starts = [" >= " in each["sql"] for each in captured]
    assert starts == [False, False, True, True, True, True] * 3


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others may choose")
def test_every_statement_goes_by_an_index(rows):
    plans: list[str] = []

    def explain(execute, sql, params, many, context):
        with connection.cursor() as cursor:
            plan = cursor.cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
            plans.extend(each[-1] for each in plan)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        call_command("piggy_verify_purge", chunk=3, verbosity=0)

    assert len(plans) >= 3 * 6
    assert all(" USING " in each and "INDEX" in each for each in plans), plans
    assert not any(each.startswith("SCAN") for each in plans), plans


def test_a_receiver_of_post_delete_does_not_lose_counts(rows):
    """For a receiver of signals, Django would read each row and delete it by key."""

    def use():
        Tally.objects.filter(key="key-5").update(ends_at=timezone.now() + DAY)

    def listen(**_kwargs):
        raise AssertionError("told of a row")

    post_delete.connect(listen, sender=Tally)
    table = connection.ops.quote_name(Tally._meta.db_table)
    try:
        with before_the_next(f"DELETE FROM {table}", use):
            call_command("piggy_verify_purge", verbosity=0)
    finally:
        post_delete.disconnect(listen, sender=Tally)

    assert {each.key for each in Tally.objects.all()} == {"key-0", "key-5"}


def test_on_sqlite_others_can_write_between_two_chunks(rows, monkeypatch):
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)

    call_command("piggy_verify_purge", verbosity=0, chunk=3)

    assert naps == ([0.1] * 6 if connection.vendor == "sqlite" else [])


def test_a_dry_run_counts_and_deletes_nothing(rows, capsys):
    with deletions() as numbers:
        call_command("piggy_verify_purge", dry_run=True)

    assert numbers == []
    assert capsys.readouterr().out.splitlines() == [
        "7 expired auth tokens to be deleted",
        "7 expired codes to be deleted",
        "7 expired counts to be deleted",
    ]


class Terminal(StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_how_far_it_is_in_one_line(rows):
    terminal = Terminal()

    call_command("piggy_verify_purge", chunk=3, stdout=terminal)

    first, *_ = terminal.getvalue().split("\n")
    shown = [each.strip() for each in first.split("\r")]
    assert shown == [
        "",
        "3 expired auth tokens so far",
        "6 expired auth tokens so far",
        "7 expired auth tokens so far",
        "",
        "7 expired auth tokens deleted",
    ]


def test_a_terminal_sees_an_error_on_a_line_of_its_own(rows):
    terminal = Terminal()

    table = connection.ops.quote_name(Tally._meta.db_table)
    with (
        before_the_next(f"DELETE FROM {table}", raising(ZeroDivisionError())),
        pytest.raises(ZeroDivisionError),
    ):
        call_command("piggy_verify_purge", stdout=terminal)

    assert terminal.getvalue().endswith(" \r")


def test_a_terminal_with_verbosity_0_shows_nothing(rows):
    terminal = Terminal()

    call_command("piggy_verify_purge", stdout=terminal, verbosity=0)

    assert terminal.getvalue() == ""


def test_a_log_file_gets_the_outcome_only(rows):
    log = StringIO()

    call_command("piggy_verify_purge", chunk=3, stdout=log)

    assert log.getvalue() == (
        "7 expired auth tokens deleted\n"
        "7 expired codes deleted\n"
        "7 expired counts deleted\n"
    )


@pytest.fixture
def terminal():
    """The handler of Ctrl-C in a terminal, even if the tests run in the background."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_after_the_statement_under_way(
    terminal, rows, number, capsys
):
    usual = signal.getsignal(number)

    def interrupt():
        os.kill(os.getpid(), number)

    with (
        before_the_next("DELETE", interrupt),
        pytest.raises(CommandError, match=number.name) as caught,
    ):
        call_command("piggy_verify_purge", chunk=3)

    assert caught.value.returncode == 128 + number
    assert capsys.readouterr().out == "3 expired auth tokens deleted\n"
    assert (AuthToken.objects.count(), Tally.objects.count()) == (5, 8)
    assert signal.getsignal(number) is usual


def test_a_signal_that_is_ignored_stays_so(rows, request):
    """A shell script ignores Ctrl-C for commands in the background."""
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, usual))

    with before_the_next("DELETE", lambda: os.kill(os.getpid(), signal.SIGINT)):
        call_command("piggy_verify_purge", verbosity=0)

    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert Tally.objects.count() == 1


def test_a_signal_reaches_the_handler_of_the_worker(rows, request):
    told = []
    usual = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    request.addfinalizer(lambda: signal.signal(signal.SIGTERM, usual))

    with before_the_next("DELETE", lambda: os.kill(os.getpid(), signal.SIGTERM)):
        call_command("piggy_verify_purge", verbosity=0)

    assert told == [signal.SIGTERM]
    assert Tally.objects.count() == 1


def test_a_second_interrupt_ends_it_at_once(terminal, rows):
    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with before_the_next("DELETE", interrupt), pytest.raises(KeyboardInterrupt):
        call_command("piggy_verify_purge")


@pytest.mark.django_db(transaction=True)
def test_a_thread_which_hears_no_signals_may_run_it(rows):
    def purge():
        try:
            call_command("piggy_verify_purge", verbosity=0)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(purge).result()

    assert Tally.objects.count() == 1


def test_a_row_that_is_used_again_meanwhile_is_kept(rows):
    def use():
        Tally.objects.filter(key="key-5").update(ends_at=timezone.now() + DAY)

    table = connection.ops.quote_name(Tally._meta.db_table)
    with before_the_next(f"DELETE FROM {table}", use):
        call_command("piggy_verify_purge", verbosity=0)

    assert Tally.objects.filter(key="key-5").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", ["SELECT", "DELETE"])
def test_a_conflict_with_the_traffic_does_not_stop_it(rows, statement):
    with before_the_next(statement, raising(DEADLOCK)):
        call_command("piggy_verify_purge", verbosity=0)

    assert AuthToken.objects.count() == Tally.objects.count() == 1


def test_a_replica_that_lags_behind_is_not_asked(rows, settings):
    settings.DATABASE_ROUTERS = ["tests.db.routers.ReadsFromReplica"]

    call_command("piggy_verify_purge")

    assert locking.primary_rows(Tally).count() == 1
