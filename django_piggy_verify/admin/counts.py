"""
The admin of the counters: the limit, the count and the end of each window.

A counter does not contain the address that it counts, so the admin cannot show it.
"""

from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from django_piggy_verify.admin.base import LIMITS, Filter, ReadOnlyAdmin
from django_piggy_verify.db import locking, retries
from django_piggy_verify.limits import counters, fixed_windows
from django_piggy_verify.models import Tally

NO_LIMITS: Final = (
    *("code_use", "code_login", "send_failed", "circuit", "circuit_probe"),
    *("cap_logged", "app_contact"),
)
"""
The names in keys of rows that count no attempts.

Staff cannot delete these rows. Without its row, a used code would work again.
"""


class LimitFilter(Filter):
    """Filters counters by their limit."""

    title = pgettext_lazy("counts", "limit")
    parameter_name = "limit"
    words = tuple(LIMITS.items())

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Tally]
    ) -> QuerySet[Tally]:
        """Return the counters of the chosen limit. Their keys end with its name."""
        if not self.value():
            return queryset
        return queryset.filter(key__endswith=f":{self.value()}")


class WindowFilter(Filter):
    """Filters counters by whether their window has ended."""

    title = pgettext_lazy("counts", "window")
    parameter_name = "window"
    words = (
        ("running", pgettext_lazy("counts", "running")),
        ("over", pgettext_lazy("counts", "over")),
    )

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Tally]
    ) -> QuerySet[Tally]:
        """Return the chosen counters, by the clock of this server."""
        match self.value():
            case "running":
                return queryset.filter(ends_at__gt=timezone.now())
            case "over":
                return queryset.filter(ends_at__lte=timezone.now())
        return queryset


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    """The admin of the counters. Staff can delete a counter to clear it."""

    list_display = ("limit", "count", "allowed", "window_ends_at", "is_running")
    list_filter = (LimitFilter, WindowFilter)
    ordering = ("-ends_at",)
    fields = list_display

    @admin.display(description=pgettext_lazy("counts", "limit"))
    def limit(self, tally: Tally) -> str:
        """Return the text of the limit."""
        limit = fixed_windows.limit_of(tally.key)
        return str(LIMITS.get(limit, limit))

    @admin.display(description=pgettext_lazy("counts", "allowed"))
    def allowed(self, tally: Tally) -> int | None:
        """Return the number of attempts that the current settings allow."""
        return fixed_windows.allowed(fixed_windows.limit_of(tally.key))

    @admin.display(description=_("window ends at"), ordering="ends_at")
    def window_ends_at(self, tally: Tally) -> str:
        """Return the end of the window, or a dash if a right code cleared it."""
        is_cleared = tally.ends_at == counters.long_ago()
        return display_for_value(None if is_cleared else tally.ends_at, "-")

    @admin.display(description=pgettext_lazy("counts", "running"), boolean=True)
    def is_running(self, tally: Tally) -> bool:
        """Return whether the window has not ended yet."""
        return tally.ends_at > timezone.now()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave out the rows in `NO_LIMITS`."""
        rows = super().get_queryset(request)
        for name in NO_LIMITS:
            rows = rows.exclude(key__endswith=f":{name}")
        return rows

    @retries.retry_on_conflict
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete the rows in the order in which a login locks them."""
        with locking.locked_in_key_order(
            Tally, queryset.values_list("pk", flat=True)
        ) as rows:
            rows.delete()
