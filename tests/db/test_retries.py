"""A database operation that lost a conflict is retried."""

import pytest
from django.db import OperationalError

from django_piggy_verify.db import retries
from django_piggy_verify.db.retries import Conflict
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.models import Tally
from tests.db.between_statements import DEADLOCK, before_the_next, raising


def claim():
    return fixed_windows.claim("check_ip", "ann")


def test_work_is_tried_ten_times_even_when_the_time_is_over(db, monkeypatch):
    monkeypatch.setattr(retries, "PATIENCE", -1)
    fixed_windows.take([claim()])

    with before_the_next("SAVEPOINT", Tally.objects.all().delete):
        fixed_windows.take([claim()])

    assert Tally.objects.get().count == 1


def test_a_conflict_that_does_not_end_is_raised(db, monkeypatch):
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
def test_work_that_a_conflict_undid_is_tried_again(error):
    for statement in ("INSERT", "UPDATE"):
        with before_the_next(statement, raising(error)):
            fixed_windows.take([claim()])

    assert Tally.objects.get().count == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", OTHERS)
def test_other_database_errors_are_raised_at_once(error):
    with before_the_next("INSERT", raising(error)), pytest.raises(OperationalError):
        fixed_windows.take([claim()])


def test_a_conflict_inside_a_transaction_is_raised(db):
    with (
        before_the_next("INSERT", raising(DEADLOCK)),
        pytest.raises(OperationalError),
    ):
        fixed_windows.take([claim()])
