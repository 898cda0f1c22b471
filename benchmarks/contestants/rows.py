"""Many rows at once, past the ORM: a long life in a few seconds."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.utils import timezone

from benchmarks.contestants.browser import address_of

_FIRST: Final = 1_000_000
"""The number of the first member who never logs in."""


def fill_users(count: int) -> Iterator[tuple[int, int]]:
    """Add `count` users, and answer the number and the id of each."""
    numbers = range(_FIRST, _FIRST + count)
    fill_in(User, map(_user, numbers))
    newest = User.objects.order_by("-pk").values_list("pk", flat=True)[:count]
    return zip(numbers, sorted(newest), strict=True)


def fill_in(model: type[models.Model], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows, each the values of all columns but the generated ones."""
    rows = iter(rows)
    first = next(rows)
    fields = [model._meta.get_field(name) for name in first]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    marks = ", ".join("%s" for _ in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
            (
                [
                    field.get_db_prep_save(value, connection)
                    for field, value in zip(fields, row.values(), strict=True)
                ]
                for row in chain([first], rows)
            ),
        )


def _user(number: int) -> dict[str, Any]:
    return {
        "username": f"member{number}",
        "email": address_of(number),
        "password": "!",
        "first_name": "",
        "last_name": "",
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "date_joined": timezone.now(),
    }
