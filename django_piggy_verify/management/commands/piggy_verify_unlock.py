"""Unlock a member who has reached a limit."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from django_piggy_verify.login import rate_limits
from django_piggy_verify.management import recipients


class Command(BaseCommand):
    """The counts are cleared for all sessions and all client addresses."""

    help = "Clears the counts of sends and wrong codes for one address or number."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the argument for the address or the number."""
        parser.add_argument(
            "address", help="the email address or phone number, in any spelling"
        )

    def handle(self, *_args: Any, address: str, **options: Any) -> None:
        """Clear the counts and print their number."""
        recipient = recipients.typed(address, is_sent=False)
        cleared = rate_limits.unlock(recipient)
        if options["verbosity"]:
            self.stdout.write(f"{cleared} counts of {recipient} cleared")
        if options["verbosity"] and not cleared:
            self.stdout.write(
                "The limits of a client address stay, and end by themselves."
            )
