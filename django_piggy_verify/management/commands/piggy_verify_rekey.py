"""Encrypt the stored auth tokens and refresh tokens with the newest key."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Q
from django.utils import timezone

from django_piggy_verify import encryption
from django_piggy_verify.db import locking, retries
from django_piggy_verify.management import chunks
from django_piggy_verify.models import AuthToken


class Command(BaseCommand):
    """
    Afterwards you can remove the older keys, as soon as no code on its way needs them.

    The command keeps a token that no key can decrypt, because its key may only be
    missing from the settings. It skips expired tokens, which `piggy_verify_purge`
    deletes, unless they can be renewed.
    """

    help = "Encrypts the stored tokens again, with the newest key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option for the size of a chunk."""
        chunks.add_argument(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Encrypt the tokens in chunks, and print the results."""
        is_valid = Q(expires_at__gt=timezone.now())
        can_be_renewed = Q(refresh_ciphertext__isnull=False)
        rows = locking.primary_rows(AuthToken).filter(is_valid | can_be_renewed)
        rows = rows.select_related("contact")
        auth, refresh = Counter[str](), Counter[str]()
        for chunk in chunks.in_chunks(rows, options["chunk"]):
            auth.update(map(_rekey_token, chunk))
            renewable = (row for row in chunk if row.refresh_ciphertext is not None)
            refresh.update(map(_rekey_refresh_token, renewable))
        if options["verbosity"]:
            self._print("auth tokens", auth)
            if refresh:
                self._print("refresh tokens", refresh)

    def _print(self, what: str, done: Mapping[str, int]) -> None:
        for outcome in ("encrypted again", "up to date", "unreadable"):
            self.stdout.write(f"{done[outcome]} {what} {outcome}")


def _rekey_token(row: AuthToken) -> str:
    return _rekey(row, "ciphertext", row.contact.binding)


def _rekey_refresh_token(row: AuthToken) -> str:
    return _rekey(row, "refresh_ciphertext", row.contact.refresh_binding)


@retries.retry_on_conflict
def _rekey(row: AuthToken, field: str, binding: str) -> str:
    """Return the result for the text in this field of the row."""
    old = getattr(row, field)
    if encryption.is_current(bytes(old), bound_to=binding):
        return "up to date"
    text = encryption.decrypt(bytes(old), bound_to=binding)
    if text is None:
        return "unreadable"
    # A token that was fetched meanwhile is encrypted with the newest key already.
    unchanged = AuthToken.objects.filter(**{"pk": row.pk, field: old})
    new = encryption.encrypt(text, bound_to=binding)
    return "encrypted again" if unchanged.update(**{field: new}) else "up to date"
