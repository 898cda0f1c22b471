"""
The pages of the flow: e-mail, code, resend, cancel.

Each view reads the posted fields, calls one function of `login`, and returns the
response of a method of `FlowView`. Template authors can change the class attributes.
Programmers can also override the methods.
"""

from contextlib import suppress
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

from django_piggy_verify import consent_fields, recipients, tokens
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    CodeRepeated,
    ConsentMissing,
    ContactUnknown,
    ProviderError,
    RecipientRefused,
    TooManyAttempts,
)
from django_piggy_verify.forms import FIELDS, CodeForm, EmailForm, PhoneForm
from django_piggy_verify.login import devices, pending, transactions, verification
from django_piggy_verify.login.pending import Login
from django_piggy_verify.traits import Channel
from django_piggy_verify.views import refusals
from django_piggy_verify.views.base import FlowView, state
from django_piggy_verify.views.negotiation import cross_out, form_errors, prefers_json
from django_piggy_verify.views.refusals import Refusal


class FormPage(FlowView, FormView):  # type: ignore[type-arg]
    """A page of the flow with one form, in HTML or as JSON."""

    http_method_names = ["get", "head", "post", "options"]
    invalid_status = 200
    """The HTTP status of an HTML page that shows a form with errors."""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the posted fields, from a form or a JSON body."""
        kwargs = super().get_form_kwargs()
        if self.request.method == "POST":
            kwargs["data"] = self.data
        return kwargs

    def form_invalid(self, form: Form) -> HttpResponse:
        """Show the form with its errors: `invalid_status` in HTML, 400 in JSON."""
        if not prefers_json(self.request):
            context = self.get_context_data(form=form)
            return self.render_to_response(context, status=self.invalid_status)
        return form_errors(form)


class EmailView(FormPage):
    """
    Asks for an address or a mobile number, and sends a code to it.

    Context of the template: `form`, `is_expired` (whether an earlier login in progress
    has ended), `channel` ("email" or "sms"), `other_url` (of the page that asks for the
    other kind of recipient, or blank), `knows_members` (whether codes go to members
    only).
    """

    form_class = EmailForm
    phone_form_class = PhoneForm
    template_name = "piggy_verify/email.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or return the CSRF token to a script."""
        if prefers_json(request):
            return JsonResponse({"csrf_token": get_token(request)})
        return super().get(request, *args, **kwargs)

    def get_form(self, form_class: type[Form] | None = None) -> Form:
        """Return the form. After a refused send, it has the errors of that send."""
        is_first = self.request.method != "POST"
        login = pending.find(self.request) if is_first else None
        refusal = refusals.from_query(self.request.GET)
        if login and refusal and login.channel is self.get_channel():
            return self._form_of(login, refusal)
        return cast("Form", super().get_form(form_class))

    def _form_of(self, login: Login, refusal: Refusal) -> Form:
        """Return the form as `login` has begun with it, with the errors of its send."""
        answers = refusals.answers_of(login)
        form = self.get_form_class()(**{**self.get_form_kwargs(), "data": answers})
        refusals.show(form, refusal)
        return form

    def get_channel(self) -> Channel:
        """
        Return the channel of what was posted, or of what the page asks for.

        A field that is not blank comes first. A script may post the other one blank.
        """
        names = ("phone", "email")
        typed = [name for name in names if self.data.get(name)]
        posted = [name for name in names if name in self.data]
        asked, *_ = *typed, *posted, self.request.GET.get("by", "")
        first, *others = _offered_channels()
        return Channel.SMS if asked == "phone" and others else first

    def get_form_class(self) -> type[Form]:
        """Return the form for an address or for a number."""
        if self.get_channel() is Channel.SMS:
            return self.phone_form_class
        return super().get_form_class()

    def get_initial(self) -> dict[str, Any]:
        """Fill in `next`. After an expired login, fill in its recipient too."""
        initial = {**super().get_initial(), "next": self.get_next()}
        login = pending.find(self.request) if self.request.method != "POST" else None
        if login and not login.is_open:
            initial[FIELDS[login.channel]] = login.recipient
        return initial

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the channel, and whether to say that the login in progress has ended."""
        is_expired = "expired" in self.request.GET and self.request.method != "POST"
        return super().get_context_data(
            is_expired=is_expired,
            channel=str(self.get_channel()),
            other_url=self.get_other_url(),
            knows_members=verification.traits().knows_members,
            **kwargs,
        )

    def get_other_url(self) -> str:
        """Return the URL of the page that asks for the other kind of recipient."""
        others = (each for each in _offered_channels() if each != self.get_channel())
        other = next(others, None)
        return self.get_first_page_url(other, self.get_next()) if other else ""

    def form_valid(self, form: Form) -> HttpResponse:
        """Send a code and go on to the code page."""
        recipient = form.cleaned_data[FIELDS[self.get_channel()]]
        kinds = verification.traits().consents
        consents = consent_fields.given(kinds, form.cleaned_data)
        try:
            result = verification.send_code(
                recipient, request=self.request, consents=consents
            )
        except ContactUnknown:
            return self.unknown(form)
        except (RecipientRefused, ConsentMissing) as refusal:
            refusals.show(form, refusal)
            return self.form_invalid(form)
        except TooManyAttempts:
            login = pending.find(self.request)
            if login and recipients.key(login.recipient) == recipients.key(recipient):
                # The code that was sent before can still be entered.
                pending.attach(self.request, login)
            raise
        login = pending.begin(
            self.request, recipient, result, next_url=self.get_safe_next()
        )
        return self.waiting_for_code(login)

    def unknown(self, form: Form) -> HttpResponse:
        """Say that no contact has this address, if the settings allow it."""
        name = FIELDS[self.get_channel()]
        message = form.fields[name].error_messages["unknown_contact"]
        form.add_error(name, ValidationError(message, code="unknown_contact"))
        return self.form_invalid(form)


def _offered_channels() -> list[Channel]:
    """
    Return the channels that the first page offers, the default first.

    Text messages need ``PIGGY_VERIFY_SMS_COUNTRIES`` too. A provider that cannot be
    created sends none. The form of the page says so.
    """
    if not conf.sms_countries:
        return [Channel.EMAIL]
    with suppress(ProviderError):
        channels = verification.traits().channels
        return [each for each in Channel if each in channels] or [Channel.EMAIL]
    return [Channel.EMAIL]


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
        login = pending.find(request, self.data.get(pending.FIELD, ""))
        shown = self.data.get("recipient", login.recipient if login else "")
        self.login = login if login and login.recipient == shown else None
        if self.login is not None:
            pending.attach(request, self.login)
        # The form gets `data`, which was read above. Other code needs no secrets.
        cross_out(request, "code", pending.FIELD)

    def get_next(self) -> str:
        """Return the `next` that the visitor had when the login began."""
        if self.login:
            return self.login.next or super().get_next()
        return pending.next_of(self.data.get(pending.FIELD, "")) or super().get_next()

    def get_retry_url(self) -> str:
        """Return the URL of the code page, because an outage does not end the login."""
        return self.get_page_url("code")

    def turned_away(self) -> HttpResponse | None:
        """Redirect to the e-mail page if the login is missing or has expired."""
        response = super().turned_away()
        if response is None and (self.login is None or not self.login.is_open):
            response = self.expired()
        return response

    @property
    def open_login(self) -> Login:
        """The login in progress. After `turned_away`, it exists and is open."""
        return cast("Login", self.login)


class CodeView(LoginPage, FormPage):
    """
    Asks for the code, checks it, and logs the user in.

    Context of the template: `form`, `recipient`, `resend_in` and `expires_in`
    (seconds), `is_resent` and `is_held_back` (the result of the last request for
    another code), `is_send_recent` (whether a script should ask if it has failed),
    `login` (for the hidden field of this name in other forms), `channel` ("email" or
    "sms"), `knows_members` (whether codes go to members only).
    """

    form_class = CodeForm
    template_name = "piggy_verify/code.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """
        Show the form, or return the state of the login in progress as JSON.

        If the code could not be sent, say so instead.
        """
        verification.require_sent(self.open_login)
        if prefers_json(request):
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
        return super().get_context_data(
            **state(login),
            is_resent=login.is_resent and is_news,
            is_held_back=login.is_held_back and is_news,
            is_send_recent=login.is_send_recent,
            knows_members=verification.traits().knows_members,
            login=login,
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the code, unless the same login has posted it before."""
        self.token_fetch = tokens.LoginFetch()
        try:
            with transactions.kept_open(request, self.token_fetch.columns):
                return super().post(request, *args, **kwargs)
        except CodeRepeated as repetition:
            return self.repeated(repetition)

    def repeated(self, repetition: CodeRepeated) -> HttpResponse:
        """
        Redirect like the first request with this code, without another login.

        The browser has the session of the first request, or will get it soon. The
        response sets no cookie, because it could replace a cookie of the first one.
        """
        if repetition.was_right:
            return self.send_on(self.get_next())
        return self.lead_to_code_page(self.open_login)

    def form_valid(self, form: Form) -> HttpResponse:
        """Log the user in and redirect. The auth token is fetched afterwards."""
        user = cast("CodeForm", form).user
        self.log_in(user)
        self.token_fetch.begin(self.request, user)
        response = self.send_on(self.get_next())
        pending.forget(response)
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
        if prefers_json(request):
            response = HttpResponse(status=204)
        else:
            next_url = (login and login.next) or self.get_next()
            response = HttpResponseRedirect(self.get_start_url(next_url))
        pending.forget(response)
        return response
