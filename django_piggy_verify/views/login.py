"""
The pages after the first one: code, resend, cancel.

Each view reads the posted fields, calls one function of `login`, and returns the
response of a method of `FlowView`. Template authors can change the class attributes.
Programmers can also override the methods.
"""

from typing import Any, cast

from django.contrib.auth import SESSION_KEY, login as log_in
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

from django_piggy_verify import tokens
from django_piggy_verify.exceptions import CodeRepeated, ContactUnknown
from django_piggy_verify.forms import CodeForm
from django_piggy_verify.login import (
    devices,
    logins,
    pending,
    transactions,
    verification,
)
from django_piggy_verify.login.logins import Login
from django_piggy_verify.views.base import FlowView, state
from django_piggy_verify.views.form_page import FormPage
from django_piggy_verify.views.negotiation import cross_out
from django_piggy_verify.views.texts import texts_for


class LoginPage(FlowView):
    """
    A page that needs a login in progress. A field of the form names this login.

    A script can post `recipient`, the address that it shows. The page then refuses a
    login for another address, which another tab may have begun meanwhile.
    """

    login: Login | None = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Find the login in progress."""
        super().setup(request, *args, **kwargs)
        login = pending.find(request, self.data.get(logins.FIELD, ""))
        shown = self.data.get("recipient", login.recipient if login else "")
        self.login = login if login and login.recipient == shown else None
        if self.login is not None:
            pending.attach(request, self.login)
        # The form gets `data`, which was read above. Other code needs no secrets.
        cross_out(request, "code", logins.FIELD)

    def get_next(self) -> str:
        """Return the `next` that the visitor had when the login began."""
        if self.login:
            return self.login.next or super().get_next()
        named = self.data.get(logins.FIELD, "")
        return pending.next_of(self.request, named) or super().get_next()

    def get_retry_url(self) -> str:
        """
        Return the URL of the code page, because a failure does not end the login.

        After a failed CSRF check, `setup` has not run.
        """
        login = self.login or pending.find(self.request)
        return self.get_code_page_url(login) if login else super().get_retry_url()

    def turned_away(self) -> HttpResponse | None:
        """Redirect to the e-mail page if the login is missing or has expired."""
        response = super().turned_away()
        if response is None and (self.login is None or not self.login.is_open):
            response = self.expired()
        return response

    def get_ended(self) -> str:
        """
        Return "1" if the login in progress is too old, "lost", or "none".

        It is lost if the form names a login that the browser no longer has. Perhaps the
        browser blocks cookies, or another tab has cancelled the login. Otherwise the
        visitor has opened the page without asking for a code.
        """
        named = self.data.get(logins.FIELD, "")
        login = self.login or pending.read(named)
        if login and (self.login or not login.is_open):
            return super().get_ended()
        return "lost" if named else "none"

    def repeated(self, repetition: CodeRepeated) -> HttpResponse:
        """
        Redirect like the first request with this code, and do nothing else.

        The browser has the session of the first request, or will get it soon. The
        response sets no cookie, because it could replace a cookie of the first one.
        """
        if repetition.was_right:
            return self.send_on(self.get_next())
        return self.lead_to_code_page(self.open_login)

    @property
    def open_login(self) -> Login:
        """The login in progress. After `turned_away`, it exists and is open."""
        return cast("Login", self.login)


class CodePage(LoginPage, FormPage):
    """
    Asks for the code, and checks it.

    Context of the template: `form`, `recipient`, `resend_in` and `expires_in`
    (seconds), `is_resent` and `is_held_back` (the result of the last request for
    another code), `is_send_recent` (whether a script should ask if it has failed),
    `login` (for the hidden field of this name in other forms), `channel` ("email" or
    "sms"), `knows_members` (whether codes go to members only), `texts` (for the
    channel), `form_url`, `resend_url` and `cancel_url` (to post the forms to).
    """

    form_class = CodeForm
    template_name = "piggy_verify/code.html"
    checks_codes = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """
        Show the form, or return the state of the login in progress as JSON.

        If the code could not be sent, say so instead.
        """
        verification.require_sent(self.open_login)
        if self.wants_json():
            return JsonResponse(state(self.open_login))
        return super().get(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the request and the login in progress."""
        kwargs = super().get_form_kwargs()
        return {**kwargs, "request": self.request, "login": self.open_login}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the state of the login in progress."""
        login = self.open_login
        is_news = self.request.method != "POST"
        knows_members = verification.traits().knows_members
        return super().get_context_data(
            **state(login),
            is_resent=login.is_resent and is_news,
            is_held_back=login.is_held_back and is_news,
            is_send_recent=login.is_send_recent,
            knows_members=knows_members,
            texts=texts_for(login.channel, knows_members=knows_members),
            login=login,
            form_url=self.get_page_url("code"),
            resend_url=self.get_page_url("resend"),
            cancel_url=self.get_page_url("cancel"),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the code, unless the same login has posted it before."""
        try:
            return super().post(request, *args, **kwargs)
        except CodeRepeated as repetition:
            return self.repeated(repetition)


class CodeView(CodePage):
    """Asks for the code, checks it, and logs the user in. See `CodePage`."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the code, and log the user in within the same transaction."""
        self.token_fetch = tokens.LoginFetch()
        with transactions.kept_open(request, self.token_fetch.columns):
            return super().post(request, *args, **kwargs)

    def form_valid(self, form: Form) -> HttpResponse:
        """Log the user in and redirect. The auth token is fetched afterwards."""
        user = cast("CodeForm", form).user
        self.log_in(user)
        self.token_fetch.begin(self.request, user)
        response = self.send_on(self.get_next())
        pending.forget(self.request, response)
        devices.remember(self.request, response, self.open_login.recipient)
        return response

    def log_in(self, user: Any) -> None:
        """Log `user` in, always with a new session key."""
        if SESSION_KEY in self.request.session:
            # Django keeps the key of a session that already belongs to the same user.
            # `request.user` is not compared, because it is anonymous if the backend of
            # that session is no longer in the settings.
            self.request.session.cycle_key()
        log_in(self.request, user)


class ResendView(LoginPage):
    """Sends another code for the login in progress. The count of wrong codes stays."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Send a code and go back to the code page."""
        login = self.open_login
        verification.require_attempts_left(request)
        try:
            result = verification.send_again(login, request=request)
        except ContactUnknown:
            # The contact was deleted meanwhile. The e-mail page says so.
            return self.expired()
        return self.waiting_for_code(login.sent_again(result))


class CancelView(FlowView):
    """Forgets the login in progress."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Redirect to the first page, and keep `next`."""
        if login := pending.find(request):
            pending.attach(request, login)
        response: HttpResponse
        if self.wants_json():
            response = HttpResponse(status=204)
        else:
            next_url = (login and login.next) or self.get_next()
            response = HttpResponseRedirect(self.get_start_url(next_url))
        pending.forget(request, response)
        return response
