"""Let a member who was locked out try again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_piggy_verify import recipients
from django_piggy_verify.login import rate_limits


class Command(BaseCommand):
    """Clears the counts of one address, over all sessions and client addresses."""

    help = "Clears the counts of sends and wrong codes of one email address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the address."""
        parser.add_argument("address", help="in any spelling")

    def handle(self, *_args: Any, address: str, **options: Any) -> None:
        """Clear the counts and say how many there were."""
        try:
            recipient = recipients.normalise(address)
        except ValueError as error:
            raise CommandError("That is no email address.") from error
        cleared = rate_limits.unlock(recipient)
        if options["verbosity"]:
            self.stdout.write(f"{cleared} counts of {recipient} cleared")
        if options["verbosity"] and not cleared:
            self.stdout.write("A client address has limits of its own; they end soon.")
