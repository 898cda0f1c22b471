"""Run code between two SQL statements, as another process would."""

from contextlib import contextmanager

from django.db import OperationalError, connection

DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")


@contextmanager
def before_the_next(statement, act):
    """Call `act` once, before the next SQL that begins with the word `statement`."""
    to_do = [act]

    def wrapper(execute, sql, *args):
        if sql.startswith(statement) and to_do:
            to_do.pop()()
        return execute(sql, *args)

    with connection.execute_wrapper(wrapper):
        yield


def raising(error):
    """Return a function that raises `error`."""

    def act():
        raise error

    return act
