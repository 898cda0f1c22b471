"""Examine the database, its clock, the counters and the encryption."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.crypto import get_random_string

from django_piggy_verify import encryption
from django_piggy_verify.db import locking
from django_piggy_verify.doctor.findings import (
    Finding,
    good,
    problem,
    unknown,
    warning,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Rate
from django_piggy_verify.models import AuthToken, Contact, Tally
from django_piggy_verify.secret import Secret

TOLERANCE: Final = 2.0
"""The clocks may differ by this number of seconds."""

SAMPLE: Final = 100
"""The number of newest stored tokens that are decrypted."""

_SECONDS_BY_ITS_CLOCK: Final = {
    "postgresql": "SELECT EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())",
    "mysql": "SELECT UNIX_TIMESTAMP(NOW(6))",
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400.0",
}


def database() -> Iterator[Finding]:
    """Connect to the database and look for the tables."""
    connection = _connection()
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        yield problem(
            f"The database cannot be reached: {type(error).__name__}.",
            "Look at DATABASES and at the database server. manage.py dbshell shows "
            "the error.",
        )
        return
    if missing := _missing_migrations(connection):
        apps = ", ".join(f"{number} of {app}" for app, number in missing.items())
        yield problem(f"Migrations are missing: {apps}.", "Run manage.py migrate.")
    else:
        yield good(f"The database works and has all tables ({connection.vendor}).")


def autocommit() -> Iterator[Finding]:
    """Look at the setting AUTOCOMMIT."""
    alias = router.db_for_write(Tally)
    if not connections[alias].settings_dict["AUTOCOMMIT"]:
        yield warning(
            f"AUTOCOMMIT is off for the database {alias!r}.",
            "If a transaction is rolled back, its counts of wrong codes are lost.",
        )


def counting() -> Iterator[Finding]:
    """Count an attempt."""
    claim = fixed_windows.claim("doctor", get_random_string(20), rate=Rate(1, 60))
    fixed_windows.take([claim])
    counted = fixed_windows.usage([claim])[0].number
    fixed_windows.forget([claim])
    if counted == 1:
        yield good("The counters work.")
    else:
        yield problem("An attempt was counted, but the counter is empty.")


def tokens() -> Iterator[Finding]:
    """Encrypt and decrypt auth tokens and refresh tokens."""
    sealed = encryption.encrypt("doctor", bound_to="doctor")
    if encryption.decrypt(sealed, bound_to="doctor") != "doctor":
        yield problem("An encrypted text cannot be decrypted.")
        return
    rows = locking.primary_rows(AuthToken).select_related("contact")
    newest = rows.order_by("-expires_at")[:SAMPLE]
    opened = [list(_opened(row)) for row in newest]
    needed = [each for each in opened if each]
    lost = sum(None in each for each in needed)
    if lost:
        yield warning(
            f"{lost} of the {len(needed)} newest auth tokens cannot be decrypted.",
            "The package fetches them again when they are needed, or the members have "
            "to log in again. Keep old keys in PIGGY_VERIFY_ENCRYPTION_KEYS or "
            "SECRET_KEY_FALLBACKS until piggy_verify_rekey has run.",
        )
    else:
        yield good("Auth tokens can be encrypted and decrypted.")


def clock() -> Iterator[Finding]:
    """Compare the clocks of this machine and of the database."""
    connection = _connection()
    query = _SECONDS_BY_ITS_CLOCK.get(connection.vendor)
    if query is None:
        yield unknown(f"The doctor cannot read the clock of {connection.vendor}.")
        return
    with connection.cursor() as cursor:
        cursor.execute(query)
        [theirs] = cursor.fetchone()
    apart = timedelta(seconds=round(abs(time.time() - float(theirs))))
    if apart.total_seconds() > TOLERANCE:
        yield warning(
            f"The clocks of this machine and of the database differ by {apart}.",
            "Limits last too long or too short then. Set the clocks with NTP.",
        )
    else:
        yield good("The clocks of this machine and of the database agree.")
    if not settings.USE_TZ:
        yield warning(
            "USE_TZ is off, so times are stored in local time.",
            "When daylight saving time ends, a limit may last one hour longer.",
        )


def _connection() -> BaseDatabaseWrapper:
    return connections[router.db_for_write(Contact)]


def _missing_migrations(connection: BaseDatabaseWrapper) -> Counter[str]:
    """Return the number of missing migrations of each app that a login needs."""
    needed = {"piggy_verify", "sessions", get_user_model()._meta.app_label}
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    labels = (migration.app_label for migration, _ in plan)
    return Counter(each for each in labels if each in needed)


def _opened(row: AuthToken) -> Iterator[Secret | None]:
    """Yield the tokens of the row that are still used, or None for a lost one."""
    contact = row.contact
    if row.expires_at > timezone.now():
        yield encryption.decrypt(bytes(row.ciphertext), bound_to=contact.binding)
    if row.refresh_ciphertext is not None:
        sealed = bytes(row.refresh_ciphertext)
        yield encryption.decrypt(sealed, bound_to=contact.refresh_binding)
