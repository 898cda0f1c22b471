"""
The first page of the flow, which asks for an address or a number, and for consents.

`refusals` leads back to this page, with errors.
"""

from contextlib import suppress
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token

from django_piggy_verify import consent_fields, recipients
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    ConsentMissing,
    ContactUnknown,
    ProviderError,
    RecipientRefused,
    TooManyAttempts,
)
from django_piggy_verify.forms import FIELDS, EmailForm, PhoneForm
from django_piggy_verify.login import pending, verification
from django_piggy_verify.login.logins import Login
from django_piggy_verify.traits import Channel
from django_piggy_verify.views import refusals
from django_piggy_verify.views.form_page import FormPage
from django_piggy_verify.views.refusals import Refusal
from django_piggy_verify.views.texts import texts_for


class EmailView(FormPage):
    """
    Asks for an address or a mobile number, and sends a code to it.

    Context of the template: `form`, `is_expired` (whether the visitor comes from a page
    that found no open login in progress), `ended` (why: "expired", "lost" or "none";
    otherwise blank), `channel` ("email" or "sms"), `other_url` (of the page that asks
    for the other kind of recipient, or blank), `knows_members` (whether codes go to
    members only), `texts` (for the channel), `form_url` (to post the form to).
    """

    form_class = EmailForm
    phone_form_class = PhoneForm
    template_name = "piggy_verify/email.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or return the CSRF token to a script."""
        if self.wants_json():
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
        """
        Fill in `next`. After an expired login, fill in its recipient too.

        With ``?other=1`` in the URL, the visitor is to give another recipient.
        """
        initial = {**super().get_initial(), "next": self.get_next()}
        is_first = self.request.method != "POST" and "other" not in self.request.GET
        login = pending.find(self.request) if is_first else None
        if login and not login.is_open:
            initial[FIELDS[login.channel]] = login.recipient
        return initial

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the channel, and why there is no login in progress."""
        ended = self.get_ended_reason()
        knows_members = verification.traits().knows_members
        return super().get_context_data(
            is_expired=bool(ended),
            ended=ended,
            channel=str(self.get_way()),
            other_url=self.get_other_url(),
            knows_members=knows_members,
            texts=texts_for(self.get_channel(), knows_members=knows_members),
            form_url=self.get_page_url("email"),
            **kwargs,
        )

    def get_ended_reason(self) -> str:
        """Return why another page has led here, or a blank text."""
        why = self.request.GET.get("expired")
        if why is None or self.request.method == "POST":
            return ""
        return why if why in {"lost", "none"} else "expired"

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
        traits, kinds = verification.traits(), (Channel.EMAIL, Channel.SMS)
        return [each for each in kinds if traits.way_to(each)] or [Channel.EMAIL]
    return [Channel.EMAIL]
