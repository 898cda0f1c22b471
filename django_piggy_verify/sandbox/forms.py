"""The forms of the mailbox page."""

from dataclasses import asdict
from typing import Any, Self

from django import forms

from django_piggy_verify.sandbox.errors import CALLS, DOCUMENTED
from django_piggy_verify.sandbox.switches import Fault, Switches
from django_piggy_verify.sandbox.vendors import verifik

_NONE = ("", "none")


class ContactForm(forms.Form):
    """Adds a contact."""

    email = forms.EmailField(label="E-mail")
    uid = forms.CharField(label="UUID", required=False, empty_value=None)


class SwitchesForm(forms.Form):
    """Shows and sets the switches that fit into a form field."""

    fault = forms.TypedChoiceField(
        choices=[_NONE, *((fault.value, fault.value) for fault in Fault)],
        coerce=Fault,
        empty_value=None,
        required=False,
    )
    error_code = forms.TypedChoiceField(
        choices=[
            _NONE,
            ("Piggy", [(c, f"{c} {text}") for c, (text, _) in DOCUMENTED.items()]),
            ("Verifik", [(word, word) for word in verifik.ERRORS]),
        ],
        coerce=lambda value: int(value) if value.isdecimal() else value,
        empty_value=None,
        required=False,
    )
    fault_on = forms.TypedMultipleChoiceField(
        label="Fault and error code on",
        help_text="Choose none for all calls. An outage at a send looks like 'code "
        "sent', because a 500 may depend on the contact. To see the page for an "
        "outage, choose maintenance.",
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
    flat = forms.BooleanField(label="Verifik: flat answers", required=False)
    second_factor = forms.BooleanField(label="Verifik: second factor", required=False)
    face_liveness = forms.BooleanField(label="Verifik: face liveness", required=False)

    @classmethod
    def of(cls, switches: Switches) -> Self:
        """Return a form that shows these switches."""
        return cls(initial=asdict(switches))

    def clean_fault_on(self) -> frozenset[str] | None:
        """Return None, which means all calls, if no call is chosen."""
        return frozenset(self.cleaned_data["fault_on"]) or None

    def apply_to(self, switches: Switches) -> None:
        """Set the switches to the posted values."""
        values: dict[str, Any] = self.cleaned_data
        for name, value in values.items():
            setattr(switches, name, value)
