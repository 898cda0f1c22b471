"""The read-only admin: contacts with their limits, and what was counted."""

from django_piggy_verify.admin.contacts import ContactAdmin
from django_piggy_verify.admin.counts import TallyAdmin

__all__ = ["ContactAdmin", "TallyAdmin"]
