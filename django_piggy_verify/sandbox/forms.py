"""The forms of the mailbox page."""

from dataclasses import asdict
from typing import Any, Self

from django import forms

from django_piggy_verify.sandbox.errors import CALLS, DOCUMENTED
from django_piggy_verify.sandbox.switches import Fault, Switches
from django_piggy_verify.sandbox.vendors import punchh, transmit_shapes, verifik

_NONE = ("", "none")


class ContactForm(forms.Form):
    """Adds a contact, or gives an address and a number to one."""

    email = forms.EmailField(label="E-mail", required=False)
    phone = forms.RegexField(
        r"^\+[1-9][0-9]{6,14}$",
        label="Phone",
        help_text="With the country, such as +31612345678.",
        required=False,
    )
    uid = forms.CharField(label="UUID (Piggy)", required=False, empty_value=None)

    def clean(self) -> None:
        """Ask for an address or a number."""
        super().clean()
        if not self.errors and not any(
            self.cleaned_data[name] for name in ("email", "phone")
        ):
            raise forms.ValidationError("Enter an e-mail address or a number.")


class PointsForm(forms.Form):
    """Sets the points of a contact."""

    recipient = forms.CharField(widget=forms.HiddenInput)
    points = forms.IntegerField(label="Points")


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
            ("Punchh", [(word, word) for word in punchh.ERRORS]),
            ("Transmit", [(word, word) for word in transmit_shapes.ERRORS]),
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

    failing_profiles = forms.IntegerField(
        label="Punchh: profile calls that fail", min_value=0, required=False
    )

    @classmethod
    def of(cls, switches: Switches) -> Self:
        """Return a form that shows these switches."""
        return cls(initial=asdict(switches))

    def clean_fault_on(self) -> frozenset[str] | None:
        """Return None, which means all calls, if no call is chosen."""
        return frozenset(self.cleaned_data["fault_on"]) or None

    def clean_failing_profiles(self) -> int:
        """Return 0 for a blank field."""
        return self.cleaned_data["failing_profiles"] or 0

    def apply_to(self, switches: Switches) -> None:
        """Set the switches to the posted values."""
        values: dict[str, Any] = self.cleaned_data
        for name, value in values.items():
            setattr(switches, name, value)
