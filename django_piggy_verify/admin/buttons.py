"""Show the actions of the list as buttons on the page of one object."""

from functools import partial
from typing import Any

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from django_piggy_verify.admin.base import ReadOnlyAdmin


class ButtonAdmin(ReadOnlyAdmin):
    """
    An admin with buttons on the page of one object.

    A button requires the same permission as its action. It posts to its own URL, so it
    needs no script.
    """

    buttons: tuple[str, ...] = ()
    """The names of the actions that become buttons, in this order."""

    def get_urls(self) -> list[Any]:
        """Give each button a URL."""
        return [self._url_of(action) for action in self.buttons] + super().get_urls()

    def has_use(self, action: str, shown: Any) -> bool:
        """Return whether the button of this action can change the object."""
        return True

    def render_change_form(  # noqa: PLR0913, PLR0917  the signature of Django
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Show the buttons that have a use to staff who may use them."""
        buttons = self._offered(request).items()
        context["buttons"] = {
            action: label for action, label in buttons if self.has_use(action, obj)
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def press(
        self, request: HttpRequest, object_id: str, *, action: str
    ) -> HttpResponse:
        """Act on one object, and go back to its page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if action not in self._offered(request):
            raise PermissionDenied
        found = self.get_object(request, unquote(object_id))
        if found is None:
            raise Http404
        act = getattr(self, action)
        act(request, self.get_queryset(request).filter(pk=found.pk))
        return redirect(self._address_of(found.pk))

    def _url_of(self, action: str) -> URLPattern:
        return path(
            f"<path:object_id>/{action}/",
            self.admin_site.admin_view(partial(self.press, action=action)),
            name=f"{self.opts.app_label}_{self.opts.model_name}_{action}",
        )

    def _address_of(self, key: Any) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[quote(key)], current_app=self.admin_site.name)

    def _offered(self, request: HttpRequest) -> dict[str, str]:
        """Return the labels of the buttons that this staff member may press."""
        allowed = self.get_actions(request)
        return {
            name: getattr(self, name).short_description
            for name in self.buttons
            if name in allowed
        }
