"""
The pages for who is logged in already: what the provider hands out to a contact.

What is handed out here is a credential: it goes to the browser that it is for,
and nowhere else.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.mixins import AccessMixin
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import get_resolver, get_urlconf
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext_lazy as _

from django_piggy_verify import portal, tokens
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ContactUnknown, ProviderError
from django_piggy_verify.secret import Secret
from django_piggy_verify.views.base import RETRY_AFTER_OUTAGE, FlowView
from django_piggy_verify.views.negotiation import prefers_json
from django_piggy_verify.views.protection import ProtectedView


class AuthTokenView(ProtectedView):
    """
    Hands the logged-in contact's auth token to a script of the page.

    Answers 404 unless ``PIGGY_VERIFY_EXPOSE_AUTH_TOKEN`` is on.
    """

    http_method_names = ["get", "head", "options"]
    messages = {
        **ProtectedView.messages,
        "login_required": _("Log in first."),
        "not_found": _("There is no auth token."),
    }

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer ``auth_token`` and ``expires_at`` (ISO 8601, aware)."""
        if not conf.expose_auth_token:
            return self.not_found()
        if not request.user.is_authenticated:
            return self.error(403, "login_required")
        try:
            served = tokens.get_with_expiry(request.user)
        except ContactUnknown:
            return self.not_found()
        except ProviderError:
            return self.error(
                503, "provider_unavailable", retry_after=RETRY_AFTER_OUTAGE
            )
        return JsonResponse(
            {"auth_token": served.token, "expires_at": served.expires_at}
        )

    def not_found(self) -> HttpResponse:
        """Say that there is no token; an `Http404` would lose what forbids caching."""
        return self.error(404, "not_found")


class PortalView(AccessMixin, FlowView):
    """
    Leads the logged-in contact into the provider's portal, without another login.

    In no URLconf of the package: ``path("portal/", PortalView.as_view())``.
    Whoever is not logged in goes to ``LOGIN_URL`` first, and comes back.

    The address that it leads to logs in whoever has it. A redirect shows it to the
    browser alone: a page's script that follows one across sites sees nothing of it.
    So a script, as far as browsers tell, is answered 404, unless
    ``PIGGY_VERIFY_EXPOSE_AUTH_TOKEN`` is on; it should lead the browser here instead.
    A prefetch fetches no link, and there is no HEAD.

    Source: Fetch Metadata Request Headers (W3C), section 2; Sec-Purpose (WHATWG Fetch).
    """

    http_method_names = ["get", "options"]
    redirect_authenticated_user = False
    unavailable_template_name = "piggy_verify/portal_unavailable.html"
    messages = {
        **FlowView.messages,
        "login_required": _("Log in first."),
        "not_found": _("There is no link to the portal."),
    }

    def turned_away(self) -> HttpResponse | None:
        """Ask for a login where there is none; turn away a prefetch, of no use yet."""
        if "prefetch" in self.request.headers.get("Sec-Purpose", ""):
            return HttpResponse(status=503)
        if self.request.user.is_authenticated:
            return super().turned_away()
        if prefers_json(self.request):
            return self.error(403, "login_required")
        return self.handle_no_permission()

    def get(self, request: HttpRequest) -> HttpResponse:
        """Lead to the portal."""
        mode = request.headers.get("Sec-Fetch-Mode", "navigate")
        is_script = prefers_json(request) or mode != "navigate"
        if is_script and not conf.expose_auth_token:
            return self.not_found()
        try:
            url = portal.fetch(request.user)
        except ContactUnknown:
            return self.not_found()
        return self.send_to(url)

    def get_retry_url(self) -> str:
        """Answer this page itself, with its query."""
        return escape_leading_slashes(self.request.get_full_path())

    def send_to(self, url: Secret) -> HttpResponse:
        """Lead the browser to `url`, which is told no referrer."""
        if prefers_json(self.request):
            return JsonResponse({"redirect_to": url})
        response = _Departure(url)
        response["Referrer-Policy"] = "no-referrer"
        return response

    def not_found(self) -> HttpResponse:
        """Answer the project's own 404 page; an `Http404` could be cached."""
        if prefers_json(self.request):
            return self.error(404, "not_found")
        handler: Any = get_resolver(get_urlconf()).resolve_error_handler(404)
        response: HttpResponse = handler(self.request, exception=Http404())
        return response


class _Departure(HttpResponse):
    """A redirect that tells the browser where it leads, and no traceback."""

    status_code = 302

    def __init__(self, url: Secret) -> None:
        super().__init__()
        self["Location"] = url

    @property
    def url(self) -> str:
        """Where it leads, for test clients."""
        return self["Location"]

    def items(self) -> Iterator[tuple[str, str]]:
        """Answer the headers for the server, which wants plain text in them."""
        return ((name, str(value)) for name, value in super().items())
