"""What happens between two statements of somebody else's."""

from contextlib import contextmanager

from django.db import OperationalError, connection

DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")


@contextmanager
def before_the_next(statement, act):
    """Have `act` called, once, before a statement that begins with this word."""
    to_do = [act]

    def wrapper(execute, sql, *args):
        if sql.startswith(statement) and to_do:
            to_do.pop()()
        return execute(sql, *args)

    with connection.execute_wrapper(wrapper):
        yield


def raising(error):
    def act():
        raise error

    return act


class ReadsFromReplica:
    """A router whose replica is not there: whoever asks it gets an error."""

    def db_for_read(self, model, **hints):
        return "replica"


class SplitsUsersOff:
    """A router that wants users in another database than all else."""

    def db_for_write(self, model, **hints):
        return "elsewhere" if model._meta.app_label == "auth" else None
