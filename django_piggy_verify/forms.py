"""
The forms for the address and the code, with their error messages.

Forms do no HTTP and use no session. If a field is invalid, nothing is sent or counted.
"""

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_piggy_verify import recipients
from django_piggy_verify.login import axes, codes, verification
from django_piggy_verify.login.pending import Login
from django_piggy_verify.secret import Secret


class RecipientField(forms.EmailField):
    """An e-mail address, cleaned by `recipients.normalise`."""

    default_error_messages = {
        "required": _("Enter your email address."),
        "invalid": _("Enter an email address like name@example.com."),
        "unknown_contact": _("We know no member with this email address."),
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


class LoginField(forms.Field):
    """A hidden field that names the login in progress."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return the login that the form was created for, not the posted text."""
        return initial


class CodeInput(forms.TextInput):
    """A text input that does not show the typed code again."""

    def format_value(self, value: Any) -> None:
        """Return None, so that no page contains a code."""


class EmailForm(forms.Form):
    """Asks for the address to send a code to. The form does not check `next`."""

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


class CodeForm(forms.Form):
    """
    Asks for the code of one login in progress, and checks the code.

    After `is_valid`, the attribute `user` is the user. TooManyAttempts, ProviderError
    and LoginRefused do not become errors of the field, because the code may be right.
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

    def clean_code(self) -> str:
        """Exchange the code for a user, with Django's `authenticate()`."""
        code: str = self.cleaned_data["code"]
        self.user = authenticate(
            self.request,
            recipient=self.recipient,
            secret_code=code,
            username=self.recipient,
        )
        if self.user is None:
            axes.raise_if_locked_out(self.request)
            verification.require_attempts_left(self.request)
            messages = self.fields["code"].error_messages
            raise ValidationError(messages["code_rejected"], code="code_rejected")
        return code

    def clean(self) -> dict[str, Any] | None:
        """Raise CodeNotSent for a blank code too, if no code could be sent."""
        if not (self.user or self.has_error("code", "code_rejected")):
            verification.require_sent(self._login)
        return super().clean()


def _is_blank(typed: str) -> bool:
    """Return whether the text has only spaces and dashes, so that no code was typed."""
    return not typed.strip(" -\t\r\n")
