"""
Ask a visitor to agree to the texts that the provider wants, one box each.

The texts stand at the URLs of ``PIGGY_VERIFY_CONSENTS``. `forms` adds the boxes.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_piggy_verify.conf import conf

PREFIX: Final = "consent_"
"""The beginning of the name of each field. The kind of the consent follows it."""

_YES: Final = {"on", "true", "1"}
"""The texts that mean a ticked box, from a page of a project or from a script."""

_WEB_PAGE: Final = re.compile(r"https?:|[^:]*([/?#]|\Z)", re.IGNORECASE)
"""The beginning of a URL that is relative, or that has the scheme of a web page.

Without a colon before the first slash, a URL has no scheme (RFC 3986 section 4.2).
"""

_LABELS: Final[dict[str, str | Promise]] = {
    "terms": _("I agree to the {start}terms and conditions, version {version}{end}."),
    "privacy": _("I agree to the {start}privacy policy, version {version}{end}."),
}
_LABEL: Final = _("I agree to {start}{kind}, version {version}{end}.")
_MISSING: Final[dict[str, str | Promise]] = {
    "terms": _("Agree to the terms and conditions."),
    "privacy": _("Agree to the privacy policy."),
}
_ONE_MISSING: Final = _("Agree to {kind}.")


class ConsentInput(forms.CheckboxInput):
    """
    A box for one version of a text.

    The box is ticked only by "on", "true", "1", and the value that the page posts for
    it. This value has the version. So a visitor does not agree to a newer version than
    the one that was on the page.
    """

    def __init__(self, version: str) -> None:
        super().__init__(attrs={"value": ticked(version)})

    def value_from_datadict(self, data: Any, files: Any, name: str) -> bool:
        """Return whether the visitor has ticked the box. "false" does not tick it."""
        return data.get(name) in {*_YES, self.attrs["value"]}


class ConsentField(forms.Field):
    """
    The consent of a visitor to one text, whose kind is the name of the field.

    The label has the version of the text, and a link to it. The link opens in a new
    tab, because the visitor would lose what is typed on the page already.
    """

    def __init__(self, kind: str) -> None:
        text = conf.consents.get(kind, {})
        version = str(text.get("version", ""))
        missing = str(_MISSING.get(kind, _ONE_MISSING)).replace("{kind}", kind)
        super().__init__(
            label=_label(kind, version, url=str(text.get("url", ""))),
            widget=ConsentInput(version),
            error_messages={"consent_required": missing},
        )

    def validate(self, value: Any) -> None:
        """Raise ValidationError if the box is not ticked."""
        if value is not True:
            message = self.error_messages["consent_required"]
            raise ValidationError(message, code="consent_required")


def ticked(version: str) -> str:
    """Return what a page posts for a box that is ticked."""
    return f"version {version}"


def is_web_page(url: str) -> bool:
    """Return whether `url` may be a link: it is relative, or begins with http(s)."""
    return bool(_WEB_PAGE.match(url))


def names(kinds: Iterable[str]) -> dict[str, str]:
    """Return the kinds of consents by the names of their fields."""
    return {f"{PREFIX}{kind}": kind for kind in kinds}


def given(kinds: Iterable[str], cleaned: Mapping[str, object]) -> set[str]:
    """Return those of the kinds whose box is ticked in the cleaned data of a form."""
    return {kind for name, kind in names(kinds).items() if cleaned.get(name) is True}


def _label(kind: str, version: str, *, url: str) -> SafeString:
    start = end = SafeString()
    # A URL such as ``javascript:`` would run as a script of the page.
    if url and is_web_page(url):
        start = format_html('<a href="{}" target="_blank" rel="noopener">', url)
        end = format_html(" ({})</a>", _("opens in a new tab"))
    label = str(_LABELS.get(kind, _LABEL))
    return format_html(label, start=start, kind=kind, version=version, end=end)
