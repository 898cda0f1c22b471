"""The base of the admin classes: pages that show and delete, but change nothing."""

from typing import Any, Final, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

LIMITS: Final = {
    "send_cooldown": _("codes sent to a recipient within the pause"),
    "send_recipient": _("codes sent to a recipient"),
    "send_recipient_day": _("codes sent to a recipient in a day"),
    "send_ip": _("codes requested from a client address"),
    "check_login": _("wrong codes in one login"),
    "check_recipient": _("wrong codes for a recipient"),
    "check_recipient_day": _("wrong codes for a recipient in a day"),
    "check_ip": _("wrong codes from a client address"),
    "send_sms_ip": _("text messages requested from a client address"),
    "send_sms_range": _("text messages to similar numbers"),
    "send_sms_day": _("text messages to all numbers"),
    "send_day": _("codes sent to anybody"),
    "send_refused_ip": _("codes that the vendor refused for a client address"),
}
"""The text that the admin shows for each limit."""


LISTED: Final = 10_000
"""The maximum number of rows in a list. Databases are slow to skip more rows."""


class CutPaginator(Paginator):  # type: ignore[type-arg]
    """A paginator that neither counts nor shows more than `LISTED` rows."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows that are shown."""
        return min(self._counted, LISTED)

    @property
    def is_cut(self) -> bool:
        """Return whether there are more rows."""
        return self._counted > LISTED

    @cached_property
    def _counted(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[: LISTED + 1].count()


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """
    An admin that shows and deletes rows, but does not add or change them.

    No page reads a whole table.
    """

    paginator = CutPaginator
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Run an action. "Select all" means the rows that the list can show."""
        if request.POST.get("select_across", "0") != "0":
            keys = queryset.values_list("pk", flat=True)[:LISTED]
            queryset = queryset.filter(pk__in=list(keys))
        return super().response_action(request, queryset, *args, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False, because only logins and the connect pages add rows."""
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        """Return False, because only logins and the connect pages change rows."""
        return False


class Filter(admin.SimpleListFilter):
    """A filter with a fixed list of choices, `words`."""

    words: Any = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Return the choices."""
        return self.words
