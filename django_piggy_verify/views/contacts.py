"""
The pages for members who are logged in: the auth token and the portal.

Each page returns a credential of the provider to the member's own browser.
"""

from collections.abc import Iterator

from django.contrib.auth.mixins import AccessMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext_lazy as _

from django_piggy_verify import portal, tokens
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ContactUnknown, LoginRequired, ProviderError
from django_piggy_verify.login import verification
from django_piggy_verify.secret import Secret
from django_piggy_verify.views.base import FlowView
from django_piggy_verify.views.failures import RETRY_AFTER_OUTAGE
from django_piggy_verify.views.protection import ProtectedView


class AuthTokenView(ProtectedView):
    """
    Returns the auth token of the logged-in contact to a script.

    Returns 404 unless ``PIGGY_VERIFY_EXPOSE_AUTH_TOKEN`` is on. A provider that cannot
    log in has no tokens, so there is a 404, too.
    """

    http_method_names = ["get", "head", "options"]
    messages = {
        **ProtectedView.messages,
        "login_required": _("Log in first."),
        "not_found": _("There is no auth token."),
    }

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return ``auth_token`` and ``expires_at`` (ISO 8601, aware)."""
        if not conf.expose_auth_token:
            return self.not_found()
        try:
            return self._token_of(request)
        except ContactUnknown:
            return self.not_found()
        except LoginRequired:
            return self.error(403, "login_required")
        except ProviderError:
            return self.error(
                503, "provider_unavailable", retry_after=RETRY_AFTER_OUTAGE
            )

    def _token_of(self, request: HttpRequest) -> HttpResponse:
        if not verification.traits().can_log_in:
            return self.not_found()
        if not request.user.is_authenticated:
            return self.error(403, "login_required")
        served = tokens.get_with_expiry(request.user)
        return JsonResponse(
            {"auth_token": served.token, "expires_at": served.expires_at}
        )

    def not_found(self) -> HttpResponse:
        """Return 404. An `Http404` would lose the headers that forbid caching."""
        return self.error(404, "not_found")


class PortalView(AccessMixin, FlowView):
    """
    Redirects the logged-in contact to the provider's portal, without another login.

    The URLs of the package do not include this view. Add it yourself, for example with
    ``path("portal/", PortalView.as_view())``. A visitor who is not logged in goes to
    ``LOGIN_URL`` first, and comes back.

    The URL of the portal logs in anybody who has it. In a redirect, only the browser
    sees this URL. A script that follows a redirect to another site cannot read it. So
    a request of a script gets 404, unless ``PIGGY_VERIFY_EXPOSE_AUTH_TOKEN`` is on.
    A script should send the browser to this page instead. A prefetch gets no link,
    and there is no HEAD.

    Source: Fetch Metadata Request Headers (W3C), section 2; Sec-Purpose (WHATWG Fetch).
    """

    http_method_names = ["get", "options"]
    redirect_authenticated_user = False
    unavailable_template_name = "piggy_verify/portal_unavailable.html"
    messages = {
        **FlowView.messages,
        "not_found": _("There is no link to the portal."),
    }

    def has_page(self) -> bool:
        """Return True. Whether there is a portal does not depend on logins by code."""
        return True

    def turned_away(self) -> HttpResponse | None:
        """Ask visitors to log in first, and refuse a prefetch."""
        if "prefetch" in self.request.headers.get("Sec-Purpose", ""):
            return HttpResponse(status=503)
        if self.request.user.is_authenticated:
            return super().turned_away()
        if self.wants_json():
            return self.error(403, "login_required")
        return self.handle_no_permission()

    def get(self, request: HttpRequest) -> HttpResponse:
        """Redirect to the portal."""
        mode = request.headers.get("Sec-Fetch-Mode", "navigate")
        is_script = self.wants_json() or mode != "navigate"
        if is_script and not conf.expose_auth_token:
            return self.not_found()
        try:
            url = portal.fetch(request.user)
        except ContactUnknown:
            return self.not_found()
        return self.send_to(url)

    def get_retry_url(self) -> str:
        """Return the URL of this page, with its query."""
        return escape_leading_slashes(self.request.get_full_path())

    def send_to(self, url: Secret) -> HttpResponse:
        """Redirect the browser to `url`, without a referrer."""
        if self.wants_json():
            return JsonResponse({"redirect_to": url})
        response = _HiddenRedirect(url)
        response["Referrer-Policy"] = "no-referrer"
        return response


class _HiddenRedirect(HttpResponse):
    """A redirect that hides its target from tracebacks."""

    status_code = 302

    def __init__(self, url: Secret) -> None:
        super().__init__()
        self["Location"] = url

    @property
    def url(self) -> str:
        """The target, for test clients."""
        return self["Location"]

    def items(self) -> Iterator[tuple[str, str]]:
        """Return the headers as plain texts, as the server needs them."""
        return ((name, str(value)) for name, value in super().items())
