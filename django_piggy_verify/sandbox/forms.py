"""The forms of the mailbox page."""

from dataclasses import asdict
from typing import Any, Self

from django import forms

from django_piggy_verify.sandbox.errors import CALLS, DOCUMENTED
from django_piggy_verify.sandbox.switches import Fault, Switches

_NONE = ("", "none")


class ContactForm(forms.Form):
    """Adds a contact."""

    email = forms.EmailField(label="E-mail")
    uid = forms.CharField(label="UUID", required=False, empty_value=None)


class SwitchesForm(forms.Form):
    """Shows and sets every switch that a select or a box can hold."""

    fault = forms.TypedChoiceField(
        choices=[_NONE, *((fault.value, fault.value) for fault in Fault)],
        coerce=Fault,
        empty_value=None,
        required=False,
    )
    error_code = forms.TypedChoiceField(
        choices=[_NONE, *((c, f"{c} {text}") for c, (text, _) in DOCUMENTED.items())],
        coerce=int,
        empty_value=None,
        required=False,
    )
    fault_on = forms.TypedMultipleChoiceField(
        label="Fault and error code on",
        help_text="None chosen: on all calls. Of a send, an outage looks like 'code "
        "sent': a 500 may depend on the contact. Choose maintenance to see its page.",
        choices=[(call, call) for call in CALLS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    error_status = forms.IntegerField(min_value=400, max_value=599)
    errors_as = forms.ChoiceField(
        label="Errors member",
        choices=[(shape, shape) for shape in ("absent", "text", "list")],
    )
    delay = forms.FloatField(
        label="Delay in seconds", min_value=0, max_value=120, required=True
    )
    bare_token = forms.BooleanField(required=False)
    reuse_codes = forms.BooleanField(required=False)

    @classmethod
    def of(cls, switches: Switches) -> Self:
        """Make a form that shows these switches."""
        return cls(initial=asdict(switches))

    def clean_fault_on(self) -> frozenset[str] | None:
        """Take no choice for all calls."""
        return frozenset(self.cleaned_data["fault_on"]) or None

    def apply_to(self, switches: Switches) -> None:
        """Set the switches to what was posted."""
        values: dict[str, Any] = self.cleaned_data
        for name, value in values.items():
            setattr(switches, name, value)
