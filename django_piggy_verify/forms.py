"""
What a person types: cleaning it, and the words for what is wrong with it.

No HTTP and no session. A field's refusal costs nothing: nothing has been sent
or counted yet.
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
    """An e-mail address, cleaned to its one spelling."""

    default_error_messages = {
        "required": _("Enter your email address."),
        "invalid": _("Enter an email address like name@example.com."),
        "unknown_contact": _("We know no member with this email address."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=recipients.MAX_LENGTH, **kwargs)

    def to_python(self, value: Any) -> str:
        """Answer the address as `recipients.normalise` spells it, to be validated."""
        typed = super().to_python(value) or ""
        try:
            return recipients.normalise(typed) if typed else typed
        except ValueError:
            raise ValidationError(
                self.error_messages["invalid"], code="invalid"
            ) from None


class CodeField(forms.CharField):
    """A code as people paste it, cleaned by `codes.normalise`."""

    default_error_messages = {
        "required": _("Enter the code from the email."),
        "invalid": _("Enter the code from the email, and nothing else."),
        # The API does not tell a wrong code from a used or an expired one.
        "code_rejected": _(
            "The code is wrong or has expired. Check it, or ask for a new one."
        ),
    }

    def to_python(self, value: Any) -> str:
        """Answer the code as it goes to the provider; blank if nothing is left."""
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
    """Names the login in progress, also on a page that comes back with errors."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Answer the login that the form was made for, whatever was posted."""
        return initial


class CodeInput(forms.TextInput):
    """A text field that never shows again what was typed into it."""

    def format_value(self, value: Any) -> None:
        """Answer nothing: a code belongs on no page."""


class EmailForm(forms.Form):
    """Asks whom to send a code to. `next` travels along unchecked."""

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
    Asks for the code of one login in progress, and has it checked.

    After `is_valid` the user is in `user`. Lets TooManyAttempts, ProviderError
    and LoginRefused through: they are no fault of the code.
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
        self.initial.setdefault("login", str(login))
        self.user: Any = None

    def clean_code(self) -> str:
        """Trade the code for a user, through Django's own `authenticate()`."""
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


def _is_blank(typed: str) -> bool:
    """Whether only spaces and dashes were typed, so that nothing is missing else."""
    return not typed.strip(" -\t\r\n")
