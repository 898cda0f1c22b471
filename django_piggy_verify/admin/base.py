"""What the pages of the admin share: they only show, in words for people."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

LIMITS: Final = {
    "send_cooldown": _("codes sent to an address within the pause"),
    "send_recipient": _("codes sent to an address"),
    "send_recipient_day": _("codes sent to an address in a day"),
    "send_ip": _("codes asked for by a client address"),
    "check_login": _("wrong codes in one login"),
    "check_recipient": _("wrong codes for an address"),
    "check_recipient_day": _("wrong codes for an address in a day"),
    "check_ip": _("wrong codes from a client address"),
}
"""What each limit counts."""


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """An admin that shows and deletes, but writes nothing."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody makes a row by hand."""
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        """Nobody changes one by hand."""
        return False


class Filter(admin.SimpleListFilter):
    """A filter by one of a few `words`."""

    words: Any = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Offer the words."""
        return self.words
