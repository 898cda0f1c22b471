"""Insert many rows at once without the ORM, as a site has after years of use."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final, TypeAlias, cast

from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.utils import timezone

from benchmarks.contestants.browser import address_of

Field: TypeAlias = "models.Field[Any, Any]"

_CHUNK: Final = 500
_FIRST: Final = 1_000_000
"""The number of the first member who never logs in."""


def fill_users(count: int) -> Iterator[tuple[int, int]]:
    """Add `count` users, and return the number and the id of each."""
    numbers = range(_FIRST, _FIRST + count)
    fill_in(User, map(_user, numbers))
    newest = User.objects.order_by("-pk").values_list("pk", flat=True)[:count]
    return zip(numbers, sorted(newest), strict=True)


def fill_in(model: type[models.Model], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows. Each row has the values of all columns but the generated ones."""
    rows = iter(rows)
    first = next(rows)
    fields = [cast("Field", model._meta.get_field(name)) for name in first]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    marks = ", ".join("%s" for _ in fields)
    insert = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES "  # noqa: S608
    values = (_prepared(fields, row) for row in chain([first], rows))
    with transaction.atomic(), connection.cursor() as cursor:
        # With one statement for each row, PostgreSQL needs minutes.
        while chunk := list(islice(values, _CHUNK)):
            cursor.execute(
                insert + ", ".join([f"({marks})"] * len(chunk)),
                list(chain.from_iterable(chunk)),
            )


def _prepared(fields: Sequence[Field], row: Mapping[str, Any]) -> list[Any]:
    """Return the values of a row as the database expects them."""
    pairs = zip(fields, row.values(), strict=True)
    return [field.get_db_prep_save(value, connection) for field, value in pairs]


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
