"""The forms of the mailbox page."""

from dataclasses import asdict
from typing import Any, Final, Self

from django import forms

from django_piggy_verify.sandbox.errors import CALLS, DOCUMENTED
from django_piggy_verify.sandbox.switches import Fault, Switches
from django_piggy_verify.sandbox.vendors import punchh, transmit_shapes, verifik

_FAULTS: Final = {
    Fault.OUTAGE: "It breaks down (HTTP 500)",
    Fault.MAINTENANCE: "It is closed for maintenance (HTTP 503)",
    Fault.MALFORMED: "It answers with a page of HTML in place of JSON",
    Fault.NO_DATA: "It answers with JSON, but without the data",
    Fault.RATE_LIMITED: "It says that there are too many calls (HTTP 429)",
    Fault.UNAUTHORIZED: "It does not accept the key (HTTP 401)",
    Fault.EMPTY: "It answers with nothing at all",
    Fault.REDIRECT: "It redirects to another site (HTTP 302)",
    Fault.BLOCKED: "Its firewall takes the site for a robot (HTTP 403)",
}


class _Form(forms.Form):
    """A form whose labels end without a colon, since a box may follow a sentence."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"label_suffix": "", **options})


class ContactForm(_Form):
    """Adds a contact, or gives an address and a number to one."""

    email = forms.EmailField(label="E-mail", required=False)
    phone = forms.RegexField(
        r"^\+[1-9][0-9]{6,14}$",
        label="Phone",
        help_text="With the country, such as +31612345678.",
        required=False,
    )
    uid = forms.CharField(
        label="UUID (Piggy)",
        help_text="If you leave this empty, the sandbox makes one.",
        required=False,
        empty_value=None,
    )

    def clean(self) -> None:
        """Ask for an address or a number."""
        super().clean()
        if not self.errors and not any(
            self.cleaned_data[name] for name in ("email", "phone")
        ):
            raise forms.ValidationError("Enter an e-mail address or a number.")


class PointsForm(_Form):
    """Sets the points of a contact."""

    recipient = forms.CharField(widget=forms.HiddenInput)
    points = forms.IntegerField(label="Points")


class SwitchesForm(_Form):
    """Shows and sets the switches that fit into a form field."""

    fault = forms.TypedChoiceField(
        label="The server of the vendor",
        help_text="A breakdown during a send looks like a sent code, because an error "
        "500 may depend on the contact. To see the page for an outage, choose "
        "maintenance.",
        choices=[("", "It works"), *_FAULTS.items()],
        coerce=Fault,
        empty_value=None,
        required=False,
    )
    error_code = forms.TypedChoiceField(
        label="The error that the API returns",
        choices=[
            ("", "No error"),
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
        label="Calls that these two apply to",
        help_text="If you choose none, they apply to all calls.",
        choices=[(call, call) for call in CALLS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    error_status = forms.IntegerField(
        label="HTTP status of an error", min_value=400, max_value=599
    )
    errors_as = forms.ChoiceField(
        label="Details of an error, in its member “errors”",
        choices=[
            ("absent", "There are none"),
            ("text", "A text for each field"),
            ("list", "A list of texts for each field"),
        ],
    )
    delay = forms.FloatField(
        label="Seconds until the API answers", min_value=0, max_value=120, required=True
    )
    reuse_codes = forms.BooleanField(
        label="A used code works again, until it expires", required=False
    )
    bare_token = forms.BooleanField(
        label="Piggy returns the auth token without a name", required=False
    )
    flat = forms.BooleanField(
        label="Verifik answers without its envelope “data”", required=False
    )
    second_factor = forms.BooleanField(
        label="Verifik wants a second factor after a right code", required=False
    )
    face_liveness = forms.BooleanField(
        label="Verifik recommends to check that a living person is there",
        required=False,
    )
    failing_profiles = forms.IntegerField(
        label="Punchh fails at this number of profile calls",
        min_value=0,
        required=False,
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
