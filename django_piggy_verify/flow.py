"""
What all pages of the flow have in common: their guards, and their outcomes.

Every outcome is one method of `FlowView`, in HTML and in JSON; none of them
decides anything.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.decorators import classonlymethod
from django.utils.functional import cached_property
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from django_piggy_verify import lockout, pending
from django_piggy_verify.exceptions import (
    LoginRefused,
    ProviderError,
    TooManyAttempts,
)
from django_piggy_verify.negotiation import error_response, form_data, prefers_json
from django_piggy_verify.pending import Login
from django_piggy_verify.secret import Secret

RETRY_AFTER_OUTAGE = 30
"""Seconds after which a visitor may try again when the provider is down."""


class ProtectedView(View):
    """
    A view with the guards that every page of the flow has.

    They wrap the view itself, so that no override of `dispatch` loses them.
    """

    @classonlymethod
    def as_view(
        cls,
        **initkwargs: Any,
    ) -> Callable[..., HttpResponseBase]:
        """Answer the view: never cached, CSRF-protected, anonymous, in autocommit."""
        view = super().as_view(**initkwargs)
        for guard in (
            csrf_protect,
            never_cache,
            sensitive_post_parameters("email", "code", "login"),
            login_not_required,
        ):
            view = guard(view)
        # No transaction may be open while the provider is called.
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view


class FlowView(ProtectedView):
    """A page of the flow: sends on who is logged in, and words every failure."""

    redirect_authenticated_user = True
    limited_template_name = "piggy_verify/limited.html"
    unavailable_template_name = "piggy_verify/unavailable.html"
    refused_template_name = "piggy_verify/refused.html"

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Handle the request; failures of the use cases become pages."""
        try:
            response = self.turned_away() or super().dispatch(request, *args, **kwargs)
        except TooManyAttempts as refusal:
            response = self.limited(refusal)
            if prefers_json(request):
                lockout.keep_answer(request)
        except ProviderError:
            response = self.unavailable()
        except LoginRefused:
            response = self.refused()
        patch_vary_headers(response, ["Accept"])
        return response

    def turned_away(self) -> HttpResponse | None:
        """Answer what a visitor gets instead of this page, if anything."""
        if self.redirect_authenticated_user and self.request.user.is_authenticated:
            return self.send_on(self.get_next())
        return None

    @cached_property
    def data(self) -> Any:
        """Answer the fields that were posted, from a form or a JSON body."""
        data: Any = form_data(self.request)
        if "code" in data:
            # Forms keep what they get, in frames of Django's, ours and a project's.
            data = data.copy()
            data["code"] = Secret(data["code"])
        return data

    def get_next(self) -> str:
        """Answer where the visitor wants to go, unchecked; blank for the default."""
        return self.data.get("next") or self.request.GET.get("next", "")

    def get_safe_next(self) -> str:
        """Answer `get_next` if it stays on this site, else nothing."""
        next_url = self.get_next()
        return next_url if _is_safe(next_url, self.request) else ""

    def get_target_url(self, next_url: str) -> str:
        """Answer `next_url` if it stays on this site, else ``LOGIN_REDIRECT_URL``."""
        if _is_safe(next_url, self.request):
            return next_url
        return resolve_url(settings.LOGIN_REDIRECT_URL)

    def get_page_url(self, name: str) -> str:
        """Answer the URL of another page of the flow."""
        match = self.request.resolver_match
        return reverse(
            f"piggy_verify:{name}", current_app=match.namespace if match else None
        )

    def get_start_url(self, next_url: str, **query: str) -> str:
        """Answer the URL of the e-mail page, with `next_url` kept."""
        if _is_safe(next_url, self.request):
            query["next"] = next_url
        url = self.get_page_url("email")
        return f"{url}?{urlencode(query)}" if query else url

    def get_retry_url(self) -> str:
        """Answer where to try again once the provider is back."""
        return self.get_start_url(self.get_next())

    def send_on(self, next_url: str) -> HttpResponse:
        """Lead a visitor who is logged in to where they wanted to go."""
        url = self.get_target_url(next_url)
        if prefers_json(self.request):
            return JsonResponse({"redirect_to": url})
        return HttpResponseRedirect(url)

    def waiting_for_code(self, login: Login) -> HttpResponse:
        """Lead to the code page, and keep the login in progress."""
        response: HttpResponse
        if prefers_json(self.request):
            response = JsonResponse(state(login), status=202)
        else:
            response = HttpResponseRedirect(self.get_page_url("code"))
        pending.remember(self.request, response, login)
        return response

    def expired(self) -> HttpResponse:
        """Say that there is no login in progress, or that it is too old."""
        if prefers_json(self.request):
            return error_response(409, "login_expired", _("Ask for a new code."))
        return HttpResponseRedirect(self.get_start_url(self.get_next(), expired="1"))

    def limited(self, refusal: TooManyAttempts) -> HttpResponse:
        """Say that a limit is reached, and when to try again."""
        message = _("There were too many attempts. Try again later.")
        context = {"retry_after": refusal.retry_after, "limit": refusal.limit}
        response = self._failure(
            429, "too_many_attempts", message, self.limited_template_name, context
        )
        response["Retry-After"] = str(refusal.retry_after)
        if refusal.limit == "check_login":
            pending.forget(response)
        return response

    def unavailable(self) -> HttpResponse:
        """Say that nobody can be logged in right now; the login stays in progress."""
        message = _("Logging in does not work right now. Try again in a moment.")
        context = {"retry_after": RETRY_AFTER_OUTAGE}
        response = self._failure(
            503,
            "provider_unavailable",
            message,
            self.unavailable_template_name,
            context,
        )
        response["Retry-After"] = str(RETRY_AFTER_OUTAGE)
        return response

    def refused(self) -> HttpResponse:
        """Say that the code was right, but that this account is not let in."""
        message = _("You cannot log in to this account with a code.")
        response = self._failure(
            403, "login_refused", message, self.refused_template_name, {}
        )
        pending.forget(response)
        return response

    def _failure(
        self,
        status: int,
        code: str,
        message: str,
        template_name: str,
        context: dict[str, Any],
    ) -> HttpResponse:
        if prefers_json(self.request):
            return error_response(status, code, message)
        context["start_url"] = self.get_start_url(self.get_next())
        context["retry_url"] = self.get_retry_url()
        return render(self.request, template_name, context, status=status)


def unavailable_response(message: str) -> JsonResponse:
    """Answer in JSON that nothing can be had from the provider right now."""
    response = error_response(503, "provider_unavailable", message)
    response["Retry-After"] = str(RETRY_AFTER_OUTAGE)
    return response


def state(login: Login) -> dict[str, Any]:
    """Answer what a page or a script may know of a login in progress."""
    return {
        "recipient": login.recipient,
        "expires_in": login.expires_in,
        "resend_in": login.resend_in,
    }


def _is_safe(url: str, request: HttpRequest) -> bool:
    # Browsers drop tabs and line breaks before they read an address, and so make
    # another host of "/\t/evil.example" in a script that follows `redirect_to`.
    return url.isprintable() and url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
