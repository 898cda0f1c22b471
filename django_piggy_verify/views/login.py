"""
The pages of the flow: e-mail, code, resend, cancel.

Each view reads what was posted, calls one use case and hands over to an outcome
of `flow`. Class attributes are for template authors, ``get_...`` and the
methods named after outcomes for programmers.
"""

from typing import Any, cast

from django.contrib.auth import SESSION_KEY, login as log_in
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.middleware.csrf import get_token
from django.views.generic import FormView

from django_piggy_verify import recipients, tokens
from django_piggy_verify.exceptions import (
    CodeRepeated,
    ContactUnknown,
    TooManyAttempts,
)
from django_piggy_verify.forms import CodeForm, EmailForm
from django_piggy_verify.login import devices, pending, verification
from django_piggy_verify.login.pending import Login
from django_piggy_verify.views.base import FlowView, state
from django_piggy_verify.views.negotiation import (
    cross_out,
    error_response,
    prefers_json,
)


class FormPage(FlowView, FormView):  # type: ignore[type-arg]
    """A page of the flow with one form, in HTML or as JSON."""

    http_method_names = ["get", "head", "post", "options"]
    invalid_status = 200
    """The status of a form that comes back with errors, in HTML."""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Feed the form from a JSON body as well."""
        kwargs = super().get_form_kwargs()
        if self.request.method == "POST":
            kwargs["data"] = self.data
        return kwargs

    def form_invalid(self, form: Form) -> HttpResponse:
        """Show the form with its errors: `invalid_status` in HTML, 400 in JSON."""
        if not prefers_json(self.request):
            context = self.get_context_data(form=form)
            return self.render_to_response(context, status=self.invalid_status)
        errors = form.errors.as_data()
        first: ValidationError = next(iter(errors.values()))[0]
        code = first.code if first.code in _OWN_ERROR_CODES else "invalid"
        fields = {name: list(messages) for name, messages in form.errors.items()}
        return error_response(400, str(code), first.messages[0], fields)


_OWN_ERROR_CODES = {"code_rejected", "unknown_contact"}


class EmailView(FormPage):
    """
    Asks for an address and has a code sent to it.

    Context of the template: `form`, `is_expired` (whether an earlier login in
    progress is gone).
    """

    form_class = EmailForm
    template_name = "piggy_verify/email.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or hand a script what its POSTs need."""
        if prefers_json(request):
            return JsonResponse({"csrf_token": get_token(request)})
        return super().get(request, *args, **kwargs)

    def get_initial(self) -> dict[str, Any]:
        """Fill in `next`, and after an expired login the address once more."""
        initial = {**super().get_initial(), "next": self.get_next()}
        login = pending.find(self.request) if self.request.method != "POST" else None
        if login and not login.is_open:
            initial["email"] = login.recipient
        return initial

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add whether to explain that the login in progress is gone."""
        is_expired = "expired" in self.request.GET and self.request.method != "POST"
        return super().get_context_data(is_expired=is_expired, **kwargs)

    def form_valid(self, form: Form) -> HttpResponse:
        """Send a code and go on to the code page."""
        recipient = form.cleaned_data["email"]
        try:
            result = verification.send_code(recipient, request=self.request)
        except ContactUnknown:
            return self.unknown(form)
        except TooManyAttempts:
            login = pending.find(self.request)
            if login and recipients.key(login.recipient) == recipients.key(recipient):
                # The code that was mailed before can still be entered.
                pending.attach(self.request, login)
            raise
        login = pending.begin(
            self.request, recipient, result, next_url=self.get_safe_next()
        )
        return self.waiting_for_code(login)

    def unknown(self, form: Form) -> HttpResponse:
        """Say that the address is no contact's, where the project allows it."""
        message = form.fields["email"].error_messages["unknown_contact"]
        form.add_error("email", ValidationError(message, code="unknown_contact"))
        return self.form_invalid(form)


class LoginPage(FlowView):
    """
    A page that needs a login in progress: the one that its form names.

    A script names it by the `recipient` that it shows, since another tab may
    have begun another login since.
    """

    login: Login | None = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Find the login in progress."""
        super().setup(request, *args, **kwargs)
        login = pending.find(request, self.data.get(pending.FIELD, ""))
        shown = self.data.get("recipient", login.recipient if login else "")
        self.login = login if login and login.recipient == shown else None
        if self.login is not None:
            pending.attach(request, self.login)
        # The form gets `data`, which was read above; nobody else needs these.
        cross_out(request, "code", pending.FIELD)

    def get_next(self) -> str:
        """Answer where the visitor wanted to go when the login began."""
        if self.login:
            return self.login.next or super().get_next()
        return pending.next_of(self.data.get(pending.FIELD, "")) or super().get_next()

    def get_retry_url(self) -> str:
        """Answer the code page: an outage leaves the login in progress."""
        return self.get_page_url("code")

    def turned_away(self) -> HttpResponse | None:
        """Ask for a new login where this one is too old, foreign or missing."""
        answer = super().turned_away()
        if answer is None and (self.login is None or not self.login.is_open):
            answer = self.expired()
        return answer

    @property
    def open_login(self) -> Login:
        """The login in progress, once `turned_away` has let the visitor through."""
        return cast("Login", self.login)


class CodeView(LoginPage, FormPage):
    """
    Asks for the code, checks it, and logs in.

    Context of the template: `form`, `recipient`, `resend_in` and `expires_in`
    (seconds), `is_resent` and `is_held_back` (what came of last asking for another
    code), `login` (for the hidden field of that name in further forms).
    """

    form_class = CodeForm
    template_name = "piggy_verify/code.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or as JSON the state of the login in progress."""
        if prefers_json(request):
            return JsonResponse(state(self.open_login))
        return super().get(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Tell the form whose code it asks for."""
        kwargs = super().get_form_kwargs()
        return {**kwargs, "request": self.request, "login": self.open_login}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add what the page says about the login in progress."""
        login = self.open_login
        is_news = self.request.method != "POST"
        return super().get_context_data(
            **state(login),
            is_resent=login.is_resent and is_news,
            is_held_back=login.is_held_back and is_news,
            login=login,
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the code, unless the same login in progress has just posted it."""
        try:
            return super().post(request, *args, **kwargs)
        except CodeRepeated as repetition:
            return self.repeated(repetition)

    def repeated(self, repetition: CodeRepeated) -> HttpResponse:
        """
        Lead on as the first request with this code does, and log nobody in.

        The browser has the session of the first request, or is about to get it. No
        cookie is set, since it might arrive after those of the first request.
        """
        if repetition.was_right:
            return self.send_on(self.get_next())
        return self.lead_to_code_page(self.open_login)

    def form_valid(self, form: Form) -> HttpResponse:
        """Log the user in, fetch the auth token, and lead on."""
        user = cast("CodeForm", form).user
        self.log_in(user)
        tokens.fetch_at_login(user)
        response = self.send_on(self.get_next())
        pending.forget(response)
        devices.remember(self.request, response, self.open_login.recipient)
        return response

    def log_in(self, user: Any) -> None:
        """Log `user` in, always with a new session key."""
        if SESSION_KEY in self.request.session:
            # Django keeps the key of a session that names the same user already.
            # `request.user` does not tell: it is anonymous if no backend vouches
            # for that user any more.
            self.request.session.cycle_key()
        log_in(self.request, user)


class ResendView(LoginPage):
    """Sends another code for the login in progress; the count of wrong ones stays."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Send a code and go back to the code page."""
        login = self.open_login
        verification.require_attempts_left(request)
        try:
            result = verification.send_code(login.recipient, request=request)
        except ContactUnknown:
            # Said on the e-mail page; whoever got here was a contact then.
            return self.expired()
        return self.waiting_for_code(login.sent_again(result))


class CancelView(FlowView):
    """Forgets the login in progress."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Go back to the e-mail page, with `next` kept."""
        login = pending.find(request)
        response: HttpResponse
        if prefers_json(request):
            response = HttpResponse(status=204)
        else:
            next_url = (login and login.next) or self.get_next()
            response = HttpResponseRedirect(self.get_start_url(next_url))
        pending.forget(response)
        return response
