"""
The base of the login pages. Each outcome of a request is one method of `FlowView`.

Each of these methods returns a response in HTML or in JSON.
"""

from contextlib import suppress
from typing import Any, Final, cast
from urllib.parse import urlencode, urljoin, urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import render, resolve_url
from django.urls import get_resolver, get_urlconf, reverse
from django.utils.cache import patch_vary_headers
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from django_piggy_verify.exceptions import (
    CodeNotSent,
    ConsentMissing,
    LoginRefused,
    LoginRequired,
    PiggyVerifyError,
    ProviderError,
    RecipientRefused,
    TooManyAttempts,
)
from django_piggy_verify.forms import FORMS
from django_piggy_verify.login import (
    axes,
    browsers,
    pending,
    redirects,
    verification,
)
from django_piggy_verify.login.pending import Login
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel
from django_piggy_verify.views import refusals
from django_piggy_verify.views.negotiation import form_data, form_errors, prefers_json
from django_piggy_verify.views.protection import ProtectedView
from django_piggy_verify.views.refusals import Refusal

_LOOP: Final = (
    "Redirection loop for authenticated user detected. LOGIN_REDIRECT_URL, or"
    " get_target_url() of the view, leads to a login page."
)

RETRY_AFTER_OUTAGE: Final = 30
"""Seconds after which a visitor may try again when the provider is down."""


class FlowView(ProtectedView):
    """
    A page of the login.

    It redirects visitors who are logged in, and shows a page for every failure.
    """

    redirect_authenticated_user = True
    limited_template_name = "piggy_verify/limited.html"
    unavailable_template_name = "piggy_verify/unavailable.html"
    unsent_template_name = "piggy_verify/unsent.html"
    spent_template_name = "piggy_verify/spent.html"
    refused_template_name = "piggy_verify/refused.html"
    login_required_template_name = "piggy_verify/login_required.html"
    interrupted_template_name = "piggy_verify/interrupted.html"
    messages = {
        **ProtectedView.messages,
        "login_expired": _("There is no login in progress. Ask for a new code."),
        "too_many_attempts": _("There were too many attempts. Try again in %(wait)s."),
        "login_refused": _("You cannot log in to this account with a code."),
        "login_required": _("Log in first."),
        "not_found": _("There is no such page."),
    }

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Handle the request, and show a page for each failure."""
        try:
            response = self._early_response() or super().dispatch(
                request, *args, **kwargs
            )
        except PiggyVerifyError as error:
            response = self.response_to(error)
        # After a send that has failed too, since the vendor may know the browser now.
        browsers.remember(request, response)
        patch_vary_headers(response, ["Accept"])
        return response

    def response_to(self, error: PiggyVerifyError) -> HttpResponse:
        """Return the response to a request that `error` has ended."""
        match error:
            case TooManyAttempts():
                if prefers_json(self.request):
                    axes.keep_response(self.request)
                return self.limited(error)
            case CodeNotSent():
                return self.unsent()
            case ProviderError():
                return self.spent() if error.spends_code else self.unavailable()
            case RecipientRefused() | ConsentMissing():
                return self.sent_back(error)
            case LoginRequired():
                return self.login_required()
            case LoginRefused():
                return self.refused()
        raise error

    def has_page(self) -> bool:
        """Return whether the project has this page. Otherwise it returns 404."""
        with suppress(ProviderError):  # another method says so
            return verification.traits().can_log_in
        return True

    def _early_response(self) -> HttpResponse | None:
        """Call `turned_away`, except for OPTIONS and methods that the page lacks."""
        if not self.has_page():
            return self.not_found()
        return self.turned_away() if self._is_shown() else None

    def _is_shown(self) -> bool:
        method = str(self.request.method).lower()
        return method != "options" and method in self.http_method_names

    def turned_away(self) -> HttpResponse | None:
        """Return the response for a visitor who must not see this page, or None."""
        if self.redirect_authenticated_user and self.request.user.is_authenticated:
            return self.send_on(self._next_out_of_the_flow())
        return None

    def _next_out_of_the_flow(self) -> str:
        """
        Return the `next` of a visitor who is logged in, without login pages in between.

        Raises ValueError if every redirect would lead to a login page again.

        Source: ``LoginView.dispatch`` of Django raises ValueError as well.
        """
        for next_url in (self.get_next(), ""):
            target = self.get_target_url(next_url)
            for each in (next_url, redirects.next_in(target)):
                if not self._sends_on(self.get_target_url(each)):
                    return each
        raise ValueError(_LOOP)

    def _sends_on(self, url: str) -> bool:
        """Return whether `url` is a login page of this site that redirects again."""
        url = urljoin(self.request.path, url)
        is_here = urlsplit(url).netloc in {"", self.request.get_host()}
        return is_here and redirects.sends_on(url)

    def csrf_failed(self) -> HttpResponse:
        """
        Redirect a visitor who is logged in, as the page itself does.

        A login changes the CSRF token. So forms that were open before the login fail
        the check. Examples are a second click on the code form, and the login page in
        another tab.
        """
        if not self.has_page():
            return self.not_found()
        # The method of a subclass may do more, which a forged request must not cause.
        redirect = FlowView.turned_away(self) if self._is_shown() else None
        return redirect or super().csrf_failed()

    @cached_property
    def data(self) -> Any:
        """Return the posted fields, from a form or a JSON body."""
        data: Any = form_data(self.request)
        if "code" in data:
            # Tracebacks show the data of forms, so hide the code in it.
            data = data.copy()
            data["code"] = Secret(data["code"])
        return data

    def get_next(self) -> str:
        """Return the posted or requested `next`, unchecked, or a blank text."""
        return self.data.get("next") or self.request.GET.get("next", "")

    def get_safe_next(self) -> str:
        """
        Return `get_next` if it is short and stays on this site, else a blank text.

        Django says that a very long URL leaves the site. So the length is compared
        first, and the log says that the `next` was too long.
        """
        next_url = self.get_next()
        is_kept = pending.fits(next_url) and redirects.is_safe(next_url, self.request)
        return next_url if is_kept else ""

    def get_target_url(self, next_url: str) -> str:
        """Return `next_url` if it stays on this site, else ``LOGIN_REDIRECT_URL``."""
        if redirects.is_safe(next_url, self.request):
            return next_url
        return resolve_url(settings.LOGIN_REDIRECT_URL)

    def get_page_url(self, name: str) -> str:
        """Return the URL of another login page, by its name."""
        match = self.request.resolver_match
        return reverse(
            f"piggy_verify:{name}", current_app=match.namespace if match else None
        )

    def get_channel(self) -> Channel:
        """Return the channel of the login in progress. Without one, it is e-mail."""
        login = pending.attached_to(self.request)
        return login.channel if login else Channel.EMAIL

    def get_start_url(self, next_url: str, **query: Any) -> str:
        """Return the URL of the first page, with `next_url` in its query."""
        return self.get_first_page_url(self.get_channel(), next_url, **query)

    def get_first_page_url(self, channel: Channel, next_url: str, **query: Any) -> str:
        """Return the URL of the page that asks for the recipient of a channel."""
        if channel is Channel.SMS:
            query["by"] = "phone"
        if redirects.is_safe(next_url, self.request):
            query["next"] = next_url
        url = self.get_page_url("email")
        return f"{url}?{urlencode(query, doseq=True)}" if query else url

    def get_code_page_url(self, login: Login) -> str:
        """Return the URL of the page to go on with a login in progress."""
        return self.get_page_url("code")

    def get_login_url(self) -> str:
        """Return ``LOGIN_URL``, with the first page of the flow as its `next`."""
        return redirect_to_login(self.get_start_url(self.get_next())).url

    def get_retry_url(self) -> str:
        """Return the URL of the link "Try again" after an outage."""
        return self.get_start_url(self.get_next())

    def send_on(self, next_url: str) -> HttpResponse:
        """Redirect a visitor who is logged in to `next_url`, if it is safe."""
        url = self.get_target_url(next_url)
        if prefers_json(self.request):
            return JsonResponse({"redirect_to": url})
        return HttpResponseRedirect(url)

    def waiting_for_code(self, login: Login) -> HttpResponse:
        """Redirect to the code page, and store the login in progress."""
        response = self.lead_to_code_page(login)
        pending.remember(self.request, response, login)
        return response

    def lead_to_code_page(self, login: Login) -> HttpResponse:
        """Redirect to the code page, or return the state of `login` to a script."""
        if prefers_json(self.request):
            return JsonResponse(state(login), status=202)
        return HttpResponseRedirect(self.get_code_page_url(login))

    def expired(self) -> HttpResponse:
        """Say that there is no login in progress, or that it is too old."""
        if prefers_json(self.request):
            return self.error(409, "login_expired")
        return HttpResponseRedirect(self.get_start_url(self.get_next(), expired="1"))

    def sent_back(self, refusal: Refusal) -> HttpResponse:
        """Lead back to the first page, because the provider refuses what it got."""
        login = cast("Login", pending.attached_to(self.request))
        if prefers_json(self.request):
            form = FORMS[login.channel](refusals.answers_of(login))
            refusals.show(form, refusal)
            return form_errors(form)
        query = refusals.to_query(refusal)
        return HttpResponseRedirect(self.get_start_url(self.get_next(), **query))

    def limited(self, refusal: TooManyAttempts) -> HttpResponse:
        """Say that a limit is reached, when to try again, and how to go on."""
        login = pending.attached_to(self.request)
        ends_login = refusal.limit in {"check_login", "lockout"}
        can_go_on = login is not None and login.is_open and not ends_login
        response = self._failure(
            429,
            "too_many_attempts",
            self.limited_template_name,
            retry_after=refusal.retry_after,
            limit=refusal.limit,
            code_url=self.get_code_page_url(login) if login and can_go_on else "",
            email_url=self._email_url_after(refusal),
        )
        if login and can_go_on:
            # The link is for this login. Another tab may have begun another one.
            pending.remember(self.request, response, login)
        elif login and refusal.limit == "check_login":
            pending.close(self.request, response, login)
        return response

    def _email_url_after(self, refusal: TooManyAttempts) -> str:
        """Return the URL of the page for addresses if the limit is one of texts."""
        if not refusal.limit.startswith("send_sms_"):
            return ""
        return self.get_first_page_url(Channel.EMAIL, self.get_next())

    def unavailable(self) -> HttpResponse:
        """Say that nobody can log in right now. The login stays in progress."""
        return self._failure(
            503,
            "provider_unavailable",
            self.unavailable_template_name,
            retry_after=RETRY_AFTER_OUTAGE,
        )

    def unsent(self) -> HttpResponse:
        """Say that no code could be sent. The login stays in progress."""
        return self._failure(
            503,
            "provider_unavailable",
            self.unsent_template_name,
            retry_after=RETRY_AFTER_OUTAGE,
            login=pending.attached_to(self.request),
        )

    def spent(self) -> HttpResponse:
        """Say that the code cannot be used any more, and offer another one."""
        return self._failure(
            503,
            "provider_unavailable",
            self.spent_template_name,
            retry_after=RETRY_AFTER_OUTAGE,
            login=pending.attached_to(self.request),
        )

    def refused(self) -> HttpResponse:
        """Say that the code was right, but that this user may not log in by code."""
        response = self._failure(403, "login_refused", self.refused_template_name)
        pending.forget(self.request, response)
        return response

    def login_required(self) -> HttpResponse:
        """Say that the visitor has to log in again, where ``LOGIN_URL`` leads."""
        return self._failure(
            403,
            "login_required",
            self.login_required_template_name,
            login_url=self.get_login_url(),
        )

    def not_found(self) -> HttpResponse:
        """Return the project's own 404 page. An `Http404` could be cached."""
        if prefers_json(self.request):
            return self.error(404, "not_found")
        handler: Any = get_resolver(get_urlconf()).resolve_error_handler(404)
        response: HttpResponse = handler(self.request, exception=Http404())
        return response

    def interrupted(self, status: int, code: str) -> HttpResponse:
        """Refuse a request that no page of this package makes, with a link to start."""
        return self._failure(status, code, self.interrupted_template_name)

    def _failure(
        self,
        status: int,
        code: str,
        template_name: str,
        *,
        retry_after: int = 0,
        **context: Any,
    ) -> HttpResponse:
        if prefers_json(self.request):
            limit = context.get("limit", "")
            return self.error(status, code, retry_after=retry_after, limit=limit)
        context["channel"] = str(self.get_channel())
        context["start_url"] = self.get_start_url(self.get_next())
        context["retry_url"] = self.get_retry_url()
        context["resend_url"] = self.get_page_url("resend")
        context["cancel_url"] = self.get_page_url("cancel")
        if not retry_after:
            return render(self.request, template_name, context, status=status)
        context["retry_after"] = retry_after
        response = render(self.request, template_name, context, status=status)
        response["Retry-After"] = str(retry_after)
        return response


def state(login: Login) -> dict[str, Any]:
    """Return the parts of a login in progress that a page or a script may know."""
    return {
        "recipient": login.recipient,
        "channel": str(verification.channel_to(login.recipient)),
        "expires_in": login.expires_in,
        "resend_in": login.resend_in,
        "sent": not login.is_held_back,
    }
