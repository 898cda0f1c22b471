"""
The login for apps that hold no cookies: address, code, resend.

An app sends and gets JSON only. It keeps the login in progress as a text, which it
sends with each request. Nothing that a browser sends by itself counts, so these URLs
need no CSRF token.
"""

import json
from contextlib import suppress
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import load_backend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import RequestDataTooBig
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.decorators import classonlymethod
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from django_piggy_verify import tokens
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import CodeRepeated, TooManyAttempts
from django_piggy_verify.forms import CodeForm
from django_piggy_verify.login import (
    app_logins,
    app_token,
    codes,
    cookies,
    devices,
    logins,
    transactions,
    verification,
)
from django_piggy_verify.login.logins import Login
from django_piggy_verify.secret import Secret
from django_piggy_verify.views.base import FlowView, state
from django_piggy_verify.views.first_page import EmailView
from django_piggy_verify.views.login import CodePage, ResendView

_JSON = "application/json"


class AppPage(FlowView):
    """
    A step of the login of an app. It reads and sets no cookie, and has no session.

    The fields `login` and `device` of the JSON take the place of the cookies.
    """

    http_method_names = ["post", "options"]
    redirect_authenticated_user = False
    form: CodeForm | None = None
    messages = {
        **FlowView.messages,
        "unsupported_media_type": _(
            "Send a JSON object, with the content type application/json."
        ),
    }

    @classonlymethod
    def _csrf_checked(cls, view: Any, _initkwargs: dict[str, Any]) -> Any:
        """Return the view as it is, because no cookie counts."""
        return view

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Read the values that the app keeps. Another body than JSON is not read."""
        View.setup(self, request, *args, **kwargs)
        sent = {
            logins.FIELD: self.data.get(logins.FIELD, ""),
            devices.COOKIE: self.data.get("device", ""),
        }
        cookies.bind(request, sent)
        if self._has_json():
            super().setup(request, *args, **kwargs)

    @cached_property
    def data(self) -> Any:
        """Return the fields of the JSON object. A body that is too large has none."""
        with suppress(RequestDataTooBig):
            return super().data if self._has_json() else {}
        return {}

    def _has_json(self) -> bool:
        return self.request.content_type == _JSON

    def wants_json(self) -> bool:
        """Return True, whatever the request accepts."""
        return True

    def has_page(self) -> bool:
        """Return whether an app can log in and get a token."""
        return conf.app_token is not None and verification.traits().can_log_in

    def turned_away(self) -> HttpResponse | None:
        """Refuse a body that is not JSON."""
        if not self._has_json():
            return self.error(415, "unsupported_media_type")
        return super().turned_away()

    def get_next(self) -> str:
        """Return a blank text. An app is not redirected."""
        return ""

    def get_login_url(self) -> str:
        """Return a blank text. A project may not have the login pages."""
        return ""

    def limited(self, refusal: TooManyAttempts) -> HttpResponse:
        """
        Say that a limit is reached, or that the login in progress is over.

        The last wrong code closes the login. A browser then loses it with its cookie,
        but an app still has it. To wait would not help such an app.
        """
        is_closed_now = self.form is not None and self.form.is_wrong
        if refusal.limit == "check_login" and not is_closed_now:
            return self.expired()
        return super().limited(refusal)

    def lead_to_code_page(self, login: Login) -> HttpResponse:
        """Return the state of `login`, and the text that the app has to keep."""
        body = {**state(login), logins.FIELD: str(login)}
        return JsonResponse(body, status=202)


class AppEmailView(AppPage, EmailView):
    """Sends a code to an address or a mobile number, and begins a login."""


class AppCodeView(AppPage, CodePage):
    """
    Checks the code, and returns the token of the project.

    If the same code is posted again in the same login, another token is made. Nothing
    is called or counted then.
    """

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Handle the request, unless no token could be made after the check."""
        if conf.app_token is not None:
            app_token.import_callable()
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the code, and store whose code it is within the same transaction."""
        try:
            self.form = form = cast("CodeForm", self.get_form())
            self.token_fetch = tokens.LoginFetch()
            with transactions.kept_open(request, self.token_fetch.columns):
                is_right = form.is_valid()
                if is_right:
                    self.remember(form)
        except CodeRepeated as repetition:
            return self.repeated(repetition)
        return self.form_valid(form) if is_right else self.form_invalid(form)

    def remember(self, form: Form) -> None:
        """Store the contact of the user, so that the code can be posted again."""
        code, user = Secret(form.cleaned_data["code"]), cast("Any", form).user
        app_logins.remember(self.request, self.open_login.recipient, code, user)

    def form_valid(self, form: Form) -> HttpResponse:
        """Return the token. The auth token of the provider is fetched afterwards."""
        user: AbstractBaseUser = cast("Any", form).user
        self.token_fetch.begin(self.request, user)
        return self.logged_in(user)

    def logged_in(self, user: AbstractBaseUser) -> HttpResponse:
        """Return the token of `user`, and the text that proves this app later."""
        token = app_token.make(self.request, user)
        device = json.dumps(devices.signed(self.request, self.open_login.recipient))
        body = Secret(f'{{"token": {token}, "device": {device}}}')
        return HttpResponse(body, content_type=_JSON)

    def repeated(self, repetition: CodeRepeated) -> HttpResponse:
        """Return a token again. While the first request is under way, return 202."""
        if not repetition.was_right:
            return self.lead_to_code_page(self.open_login)
        code = codes.normalise(self.data["code"])
        recipient = self.open_login.recipient
        user = app_logins.user_of(self.request, recipient, code)
        may_log_in = user is not None and self.may_log_in(user)
        return self.logged_in(user) if user and may_log_in else self.expired()

    def may_log_in(self, user: AbstractBaseUser) -> bool:
        """Ask the project's backend whether `user` may still log in."""
        for path in settings.AUTHENTICATION_BACKENDS:
            if isinstance(backend := load_backend(path), PiggyBackend):
                # As `authenticate()` does, for a callable that logs the user in.
                user.backend = path
                return backend.can_log_in(self.request, user)
        # The project's backend calls ours, and does not inherit from it.
        return PiggyBackend().can_log_in(self.request, user)


class AppResendView(AppPage, ResendView):
    """Sends another code. The count of wrong codes stays."""
