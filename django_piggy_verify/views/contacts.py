"""
The pages for who is logged in already: what the provider hands out to a contact.

What is handed out here is a credential: it goes to the browser that it is for,
and nowhere else.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _

from django_piggy_verify import tokens
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ContactUnknown, ProviderError
from django_piggy_verify.flow import RETRY_AFTER_OUTAGE
from django_piggy_verify.guards import ProtectedView


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
            served = tokens.serve(request.user)
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
