"""Delete what has expired: auth tokens, and tallies whose window is over."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Model, Q
from django.utils import timezone

from django_piggy_verify import conflicts
from django_piggy_verify.management import chunks
from django_piggy_verify.models import AuthToken, Tally


class Command(BaseCommand):
    """Deletes in chunks, each a statement of its own; stopping it loses nothing."""

    help = "Deletes expired auth tokens and spent counts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the size of a chunk."""
        chunks.add_argument(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Purge both tables and say how many rows went."""
        now = timezone.now()
        spent: dict[str, tuple[type[Model], Q]] = {
            "auth tokens": (AuthToken, Q(expires_at__lte=now)),
            "counts": (Tally, Q(ends_at__lte=now)),
        }
        for name, (model, is_spent) in spent.items():
            rows = conflicts.current(model).filter(is_spent).only("pk")
            read = chunks.in_chunks(rows, options["chunk"])
            deleted = sum(_delete(chunk, is_spent) for chunk in read)
            if options["verbosity"]:
                self.stdout.write(f"{deleted} expired {name} deleted")


@conflicts.tried_again
def _delete(chunk: list[Model], is_spent: Q) -> int:
    """Delete those that are still spent: some may be in use again by now."""
    keys = [each.pk for each in chunk]
    with conflicts.in_order(type(chunk[0]), keys) as rows:
        return rows.filter(is_spent).delete()[0]
