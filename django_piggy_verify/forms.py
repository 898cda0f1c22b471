"""
The forms for the address, the number and the code, with their error messages.

Forms do no HTTP and use no session. If a field is invalid, nothing is sent or counted.
"""

from typing import Any, Final

from django import forms
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_piggy_verify import connecting, consent_fields, phones, recipients
from django_piggy_verify.conf import conf
from django_piggy_verify.consent_fields import ConsentField
from django_piggy_verify.exceptions import CodeRejected, ContactTaken
from django_piggy_verify.login import axes, codes, verification
from django_piggy_verify.login.logins import Login
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel

FIELDS: Final = {Channel.EMAIL: "email", Channel.SMS: "phone"}
"""The name of the field for the recipient, by the channel of the code."""


class RecipientField(forms.EmailField):
    """An e-mail address, cleaned by `recipients.normalise`. Numbers are invalid."""

    default_error_messages = {
        "required": _("Enter your email address."),
        "invalid": _("Enter an email address like name@example.com."),
        "unknown_contact": _("We know no member with this email address."),
        "recipient_refused": _(
            "We cannot send a code to this email address. Use a different one."
        ),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=recipients.MAX_LENGTH, **kwargs)

    def to_python(self, value: Any) -> str:
        """Return the address in its one spelling, before the validators run."""
        typed = super().to_python(value) or ""
        try:
            return recipients.normalise(typed) if typed else typed
        except ValueError:
            raise ValidationError(
                self.error_messages["invalid"], code="invalid"
            ) from None


class PhoneField(forms.CharField):
    """A mobile number, cleaned by `recipients.normalise`. Addresses are invalid."""

    default_error_messages = {
        "required": _("Enter your mobile number."),
        "invalid": _(
            "Enter a mobile number like %(example)s. We cannot text every country."
        ),
        "unknown_contact": _("We know no member with this mobile number."),
        "recipient_refused": _(
            "We cannot send a code to this mobile number. Use a different one."
        ),
    }

    def to_python(self, value: Any) -> str:
        """Return the number in E.164 form, before the validators run."""
        typed = super().to_python(value) or ""
        try:
            number = recipients.normalise(typed) if typed else typed
        except ValueError:
            raise self._error() from None
        if number and recipients.channel_of(number) is not Channel.SMS:
            raise self._error()
        return number

    def _error(self) -> ValidationError:
        example = {"example": _example_number()}
        return ValidationError(self.error_messages["invalid"], "invalid", example)


class CodeField(forms.CharField):
    """A code that a person types or pastes, cleaned by `codes.normalise`."""

    default_error_messages = {
        "required": _("Enter the code from the email."),
        "invalid": _("Enter the code from the email, and nothing else."),
        # The API does not say whether a code is wrong, used or expired.
        "code_rejected": _(
            "The code is wrong or has expired. Check it, or ask for a new one."
        ),
    }

    def to_python(self, value: Any) -> str:
        """Return the code for the provider, or a blank text if no code was typed."""
        typed = Secret(super().to_python(value) or "")
        try:
            return codes.normalise(typed)
        except ValueError:
            if _is_blank(typed):
                return ""
            raise ValidationError(
                self.error_messages["invalid"], code="invalid"
            ) from None


_OF_TEXTS: Final = {
    "required": _("Enter the code from the text message."),
    "invalid": _("Enter the code from the text message, and nothing else."),
}


class LoginField(forms.Field):
    """A hidden field that names the login in progress."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return the login that the form was created for, not the posted text."""
        return initial


class CodeInput(forms.TextInput):
    """A text input that does not show the typed code again."""

    def format_value(self, value: Any) -> None:
        """Return None, so that no page contains a code."""


class _RecipientForm(forms.Form):
    """Asks for a recipient, and for the consents that the provider wants."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, kind in consent_fields.names(verification.traits().consents).items():
            self.fields.setdefault(name, ConsentField(kind))


class EmailForm(_RecipientForm):
    """
    Asks for the address to send a code to. The form does not check `next`.

    If the provider wants consents, the form has a field for each, such as
    `consent_terms`.
    """

    email = RecipientField(
        label=_("Email address"),
        widget=forms.EmailInput(
            attrs={
                "autocomplete": "email",
                "autocapitalize": "none",
                "spellcheck": "false",
                "size": "30",
                "dir": "ltr",
            }
        ),
    )
    next = forms.Field(required=False, widget=forms.HiddenInput)


class PhoneForm(_RecipientForm):
    """Asks for the mobile number to send a code to. Apart from that, an `EmailForm`."""

    phone = PhoneField(
        label=_("Mobile number"),
        widget=forms.TelInput(
            attrs={
                "autocomplete": "tel",
                "inputmode": "tel",
                "size": "20",
                "dir": "ltr",
            }
        ),
    )
    next = forms.Field(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not conf.phone_region:
            hint = _("With the country code, like %(example)s.")
            self.fields["phone"].help_text = hint % {"example": _example_number()}

    def clean(self) -> dict[str, Any] | None:
        """Refuse a number that comes together with an address."""
        if self.data.get("email"):
            message = _("Enter an email address or a mobile number, not both.")
            self.add_error("phone", ValidationError(message, code="invalid"))
        return super().clean()


FORMS: Final = {Channel.EMAIL: EmailForm, Channel.SMS: PhoneForm}
"""The form of the first page, by the channel of the code."""


class CodeForm(forms.Form):
    """
    Asks for the code of one login in progress, and checks the code.

    After `is_valid`, the attribute `user` is the user, and `is_wrong` says whether the
    code was checked and wrong. TooManyAttempts, ProviderError and LoginRefused do not
    become errors of the field, because the code may be right.
    """

    code = CodeField(
        label=_("Code from the email"),
        widget=CodeInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
                "size": "12",
                "dir": "ltr",
            }
        ),
    )
    login = LoginField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, request: HttpRequest, login: Login, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.recipient = login.recipient
        self._login = login
        self.initial.setdefault("login", str(login))
        self.user: Any = None
        self.is_wrong = False
        self.fields["code"].widget.attrs.setdefault("inputmode", conf.code_inputmode)
        if login.channel is Channel.SMS:
            self.fields["code"].label = _("Code from the text message")
            self.fields["code"].error_messages.update(_OF_TEXTS)

    def clean_code(self) -> str:
        """Check the code."""
        code: str = self.cleaned_data["code"]
        if not self._is_right(code):
            self.is_wrong = True
            axes.raise_if_locked_out(self.request)
            verification.require_attempts_left(self.request)
            messages = self.fields["code"].error_messages
            raise ValidationError(messages["code_rejected"], code="code_rejected")
        return code

    def clean(self) -> dict[str, Any] | None:
        """Raise CodeNotSent for a blank code too, if no code could be sent."""
        is_checked = "code" in self.cleaned_data
        if not (is_checked or self.has_error("code", "code_rejected")):
            verification.require_sent(self._login)
        return super().clean()

    def _is_right(self, code: str) -> bool:
        """Exchange the code for a user, with Django's `authenticate()`."""
        self.user = authenticate(
            self.request,
            recipient=self.recipient,
            secret_code=code,
            username=self.recipient,
        )
        return self.user is not None


class ConnectCodeForm(CodeForm):
    """
    Asks for the code, and connects its contact to the user who is logged in.

    ContactTaken and AlreadyConnected do not become errors of the field, because the
    code was right.
    """

    def _is_right(self, code: str) -> bool:
        """Exchange the code for a contact, and connect the contact."""
        request, recipient = self.request, self.recipient
        try:
            checked = verification.check_code(recipient, Secret(code), request=request)
        except CodeRejected:
            return False
        except ContactTaken:
            # The vendor says so, and the attempt counts like one with a wrong code.
            verification.require_attempts_left(request)
            raise
        connecting.connect(checked, request=request)
        return True


def _example_number() -> str:
    """Return a mobile number of the region in the settings, to be shown in one line."""
    example = phones.example(countries=conf.sms_countries, region=conf.phone_region)
    return example.replace(" ", "\N{NO-BREAK SPACE}")


def _is_blank(typed: str) -> bool:
    """Return whether the text has only spaces and dashes, so that no code was typed."""
    return not typed.strip(" -\t\r\n")
