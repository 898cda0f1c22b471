"""The read-only admin of contacts and counters."""

from django_piggy_verify.admin.contacts import ContactAdmin
from django_piggy_verify.admin.counts import TallyAdmin

__all__ = ["ContactAdmin", "TallyAdmin"]
