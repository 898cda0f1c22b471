"""Encrypt the stored auth tokens with the newest key."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from django_piggy_verify import encryption
from django_piggy_verify.db import locking, retries
from django_piggy_verify.management import chunks
from django_piggy_verify.models import AuthToken


class Command(BaseCommand):
    """
    Afterwards you can remove the older keys.

    The command keeps a token that no key can decrypt, because its key may only be
    missing from the settings. It skips expired tokens, which `piggy_verify_purge`
    deletes.
    """

    help = "Encrypts the stored auth tokens again, with the newest key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option for the size of a chunk."""
        chunks.add_argument(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Encrypt the tokens in chunks, and print the results."""
        rows = locking.primary_rows(AuthToken).filter(expires_at__gt=timezone.now())
        rows = rows.select_related("contact")
        done: Counter[str] = Counter()
        for chunk in chunks.in_chunks(rows, options["chunk"]):
            done.update(map(_rekey, chunk))
        if options["verbosity"]:
            for outcome in ("encrypted again", "up to date", "unreadable"):
                self.stdout.write(f"{done[outcome]} auth tokens {outcome}")


@retries.retry_on_conflict
def _rekey(row: AuthToken) -> str:
    """Return the result for the token of this row."""
    sealed, binding = bytes(row.ciphertext), row.contact.binding
    if encryption.is_current(sealed, bound_to=binding):
        return "up to date"
    token = encryption.decrypt(sealed, bound_to=binding)
    if token is None:
        return "unreadable"
    # A token that was fetched meanwhile is encrypted with the newest key already.
    unchanged = AuthToken.objects.filter(pk=row.pk, ciphertext=row.ciphertext)
    is_ours = unchanged.update(ciphertext=encryption.encrypt(token, bound_to=binding))
    return "encrypted again" if is_ours else "up to date"
