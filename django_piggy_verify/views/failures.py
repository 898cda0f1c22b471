"""The pages that say what went wrong. Each failure is one method of `FailurePages`."""

from typing import Any, Final, cast

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import get_resolver, get_urlconf
from django.utils.functional import SimpleLazyObject
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
from django_piggy_verify.login import axes, logins, pending
from django_piggy_verify.views import refusals
from django_piggy_verify.views.negotiation import form_errors
from django_piggy_verify.views.next_steps import NextSteps
from django_piggy_verify.views.refusals import Refusal

RETRY_AFTER_OUTAGE: Final = 30
"""Seconds after which a visitor may try again when the provider is down."""


class FailurePages(NextSteps):
    """A page that shows another page for every failure, in HTML or in JSON."""

    limited_template_name = "piggy_verify/limited.html"
    unavailable_template_name = "piggy_verify/unavailable.html"
    unsent_template_name = "piggy_verify/unsent.html"
    spent_template_name = "piggy_verify/spent.html"
    refused_template_name = "piggy_verify/refused.html"
    login_required_template_name = "piggy_verify/login_required.html"
    interrupted_template_name = "piggy_verify/interrupted.html"
    checks_codes = False
    """Whether the page checks a code, which still works after an outage."""

    messages = {
        **NextSteps.messages,
        "login_expired": _("There is no login in progress. Ask for a new code."),
        "too_many_attempts": _("There were too many attempts. Try again in %(wait)s."),
        "login_refused": _("You cannot log in to this account with a code."),
        "login_required": _("Log in first."),
        "not_found": _("There is no such page."),
    }

    def response_to(self, error: PiggyVerifyError) -> HttpResponse:
        """Return the response to a request that `error` has ended."""
        match error:
            case TooManyAttempts():
                if self.wants_json():
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

    def expired(self) -> HttpResponse:
        """Say that there is no login in progress, or that it is too old."""
        if self.wants_json():
            return self.error(409, "login_expired")
        url = self.get_start_url(self.get_next(), expired=self.get_ended())
        return HttpResponseRedirect(url)

    def get_ended(self) -> str:
        """Return what the URL of the first page says about the login in progress."""
        return "1"

    def sent_back(self, refusal: Refusal) -> HttpResponse:
        """Lead back to the first page, because the provider refuses what it got."""
        login = cast("logins.Login", pending.attached_to(self.request))
        if self.wants_json():
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
        context = {} if self.wants_json() else self.get_steps(refusal)
        response = self._failure(
            429,
            "too_many_attempts",
            self.limited_template_name,
            retry_after=refusal.retry_after,
            limit=refusal.limit,
            **context,
        )
        if login and can_go_on:
            # The page is about this login. Another tab may have begun another one.
            pending.remember(self.request, response, login)
        elif login and refusal.limit == "check_login":
            pending.close(self.request, response, login)
        return response

    def unavailable(self) -> HttpResponse:
        """Say that nobody can log in right now. The login stays in progress."""
        return self._failure(
            503,
            "provider_unavailable",
            self.unavailable_template_name,
            retry_after=RETRY_AFTER_OUTAGE,
            keeps_code=self.checks_codes,
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
        login = pending.attached_to(self.request)
        return self._failure(
            503,
            "provider_unavailable",
            self.spent_template_name,
            retry_after=RETRY_AFTER_OUTAGE,
            login=login,
            resend_in=login.resend_in if login else 0,
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
        if self.wants_json():
            return self.error(404, "not_found")
        handler: Any = get_resolver(get_urlconf()).resolve_error_handler(404)
        response: HttpResponse = handler(self.request, exception=Http404())
        return response

    def interrupted(self, status: int, code: str) -> HttpResponse:
        """Refuse a request that no page of this package makes, and lead back."""
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
        if self.wants_json():
            limit = context.get("limit", "")
            return self.error(status, code, retry_after=retry_after, limit=limit)
        # Lazy, because a provider that cannot be created is logged at each call.
        context["channel"] = SimpleLazyObject(self.get_way)
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
