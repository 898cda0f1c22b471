"""Encrypt the stored auth tokens with the newest key, so that older ones can go."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from django_piggy_verify.auth_tokens import encryption
from django_piggy_verify.db import locking, retries
from django_piggy_verify.management import chunks
from django_piggy_verify.models import AuthToken


class Command(BaseCommand):
    """
    Leaves alone what no key opens: its key may only be missing from the ring.

    What has expired is not looked at; `piggy_verify_purge` deletes that.
    """

    help = "Encrypts the stored auth tokens anew, with the newest key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the size of a chunk."""
        chunks.add_argument(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Go through the tokens in chunks and say what became of them."""
        rows = locking.primary_rows(AuthToken).filter(expires_at__gt=timezone.now())
        rows = rows.select_related("contact")
        done: Counter[str] = Counter()
        for chunk in chunks.in_chunks(rows, options["chunk"]):
            done.update(map(_rekey, chunk))
        if options["verbosity"]:
            for outcome in ("encrypted anew", "up to date", "unreadable"):
                self.stdout.write(f"{done[outcome]} auth tokens {outcome}")


@retries.retry_on_conflict
def _rekey(row: AuthToken) -> str:
    """Answer what became of the token of this row."""
    sealed, binding = bytes(row.ciphertext), row.contact.binding
    if encryption.is_current(sealed, bound_to=binding):
        return "up to date"
    token = encryption.decrypt(sealed, bound_to=binding)
    if token is None:
        return "unreadable"
    # Unless it was fetched anew meanwhile, and so encrypted with the newest key.
    unchanged = AuthToken.objects.filter(pk=row.pk, ciphertext=row.ciphertext)
    is_ours = unchanged.update(ciphertext=encryption.encrypt(token, bound_to=binding))
    return "encrypted anew" if is_ours else "up to date"
