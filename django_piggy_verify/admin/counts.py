"""What was counted, by limit: how much of how much, and until when; never of whom."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from django_piggy_verify.admin.base import LIMITS, Filter, ReadOnlyAdmin
from django_piggy_verify.db import locking, retries
from django_piggy_verify.limits import counters, fixed_windows
from django_piggy_verify.models import Tally


class LimitFilter(Filter):
    """Counts by their limit."""

    title = pgettext_lazy("counts", "limit")
    parameter_name = "limit"
    words = tuple(LIMITS.items())

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Tally]
    ) -> QuerySet[Tally]:
        """Narrow the list down, by the end of the keys."""
        if not self.value():
            return queryset
        return queryset.filter(key__endswith=f":{self.value()}")


class WindowFilter(Filter):
    """Counts by whether their window is over."""

    title = pgettext_lazy("counts", "window")
    parameter_name = "window"
    words = (
        ("running", pgettext_lazy("counts", "running")),
        ("over", pgettext_lazy("counts", "over")),
    )

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Tally]
    ) -> QuerySet[Tally]:
        """Narrow the list down, by the server's clock."""
        match self.value():
            case "running":
                return queryset.filter(ends_at__gt=timezone.now())
            case "over":
                return queryset.filter(ends_at__lte=timezone.now())
        return queryset


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    """The table of counts; to delete a row is to forget what it counts."""

    list_display = ("limit", "count", "allowed", "window_ends_at", "is_running")
    list_filter = (LimitFilter, WindowFilter)
    ordering = ("-ends_at",)
    fields = list_display

    @admin.display(description=pgettext_lazy("counts", "limit"))
    def limit(self, tally: Tally) -> str:
        """Answer what is counted, in words."""
        limit = fixed_windows.limit_of(tally.key)
        return str(LIMITS.get(limit, limit))

    @admin.display(description=pgettext_lazy("counts", "allowed"))
    def allowed(self, tally: Tally) -> int | None:
        """Answer how many the settings let through now."""
        return fixed_windows.allowed(fixed_windows.limit_of(tally.key))

    @admin.display(description=_("window ends at"), ordering="ends_at")
    def window_ends_at(self, tally: Tally) -> str:
        """Answer when it ends, or has ended; nothing where a right code cleared it."""
        is_cleared = tally.ends_at == counters.long_ago()
        return display_for_value(None if is_cleared else tally.ends_at, "-")

    @admin.display(description=pgettext_lazy("counts", "running"), boolean=True)
    def is_running(self, tally: Tally) -> bool:
        """Whether the window still runs; if not, the next try begins a new one."""
        return tally.ends_at > timezone.now()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave out codes: a used one whose row is deleted would serve again."""
        is_of_code = Q(key__endswith=":code_use") | Q(key__endswith=":code_login")
        return super().get_queryset(request).exclude(is_of_code)

    @retries.retry_on_conflict
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete the rows in the order in which a login locks them."""
        with locking.locked_in_key_order(
            Tally, queryset.values_list("pk", flat=True)
        ) as rows:
            rows.delete()
