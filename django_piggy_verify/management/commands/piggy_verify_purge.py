"""Delete what has expired: auth tokens, and tallies whose window is over."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import QuerySet
from django.utils import timezone

from django_piggy_verify.models import AuthToken, Tally


class Command(BaseCommand):
    """Deletes in chunks, each a statement of its own; stopping it loses nothing."""

    help = "Deletes expired auth tokens and spent counts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the size of a chunk."""
        parser.add_argument("--chunk", type=int, default=500, help="rows a statement")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Purge both tables and say how many rows went."""
        now = timezone.now()
        spent: dict[str, QuerySet[Any]] = {
            "auth tokens": AuthToken.objects.filter(expires_at__lte=now),
            "counts": Tally.objects.filter(ends_at__lte=now),
        }
        for name, rows in spent.items():
            deleted = _purge(rows, max(1, options["chunk"]))
            if options["verbosity"]:
                self.stdout.write(f"{deleted} expired {name} deleted")


def _purge(spent: QuerySet[Any], chunk: int) -> int:
    deleted = 0
    while keys := list(spent.values_list("pk", flat=True)[:chunk]):
        deleted += spent.filter(pk__in=keys).delete()[0]
    return deleted
