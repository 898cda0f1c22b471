"""What the pages of the admin share: they only show, in words for people."""

from typing import Any, Final, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
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


LISTED: Final = 10_000
"""How many rows a list shows at most. To skip more of them takes a database long."""


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
    An admin that shows and deletes, but writes nothing.

    No page of it reads a whole table, however large that is.
    """

    paginator = CutPaginator
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Act on the rows that were listed, also where all of them are selected."""
        if request.POST.get("select_across", "0") != "0":
            keys = queryset.values_list("pk", flat=True)[:LISTED]
            queryset = queryset.filter(pk__in=list(keys))
        return super().response_action(request, queryset, *args, **kwargs)

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
