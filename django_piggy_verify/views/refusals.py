"""
Show on the first page why the provider refuses what was typed and ticked there.

A send is made after the response to the first page. So its refusal is known only on a
later page, which leads back to the first one.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from django_piggy_verify import consent_fields
from django_piggy_verify.consent_fields import ConsentField
from django_piggy_verify.exceptions import ConsentMissing, RecipientRefused
from django_piggy_verify.forms import FIELDS
from django_piggy_verify.login.logins import Login

Refusal: TypeAlias = RecipientRefused | ConsentMissing


def to_query(refusal: Refusal) -> Mapping[str, list[str]]:
    """Return the parameters of a URL that tell the first page about a refusal."""
    if isinstance(refusal, ConsentMissing):
        return {"missing": sorted(refusal.kinds) or [""]}
    return {"refused": ["1"]}


def from_query(query: QueryDict) -> Refusal | None:
    """Return the refusal that `to_query` has written into a URL, or None."""
    if "missing" in query:
        return ConsentMissing(query.getlist("missing"))
    return RecipientRefused() if "refused" in query else None


def answers_of(login: Login) -> dict[str, str]:
    """Return what the visitor has typed and ticked on the first page."""
    boxes = {
        name: consent_fields.ticked(each.version)
        for each in login.consents
        for name in consent_fields.names([each.kind])
    }
    return {FIELDS[login.channel]: login.recipient, "next": login.next, **boxes}


def show(form: Form, refusal: Refusal) -> None:
    """Add the errors of a refusal to the form of the first page, which is bound."""
    _forgive_own_fields(form)
    if isinstance(refusal, ConsentMissing):
        _untick(form, consent_fields.names(refusal.kinds))
        return
    name = next(each for each in FIELDS.values() if each in form.fields)
    if name in form.errors:
        # The country of the number has left the settings. The field says so already.
        return
    message = form.fields[name].error_messages["recipient_refused"]
    form.add_error(name, ValidationError(message, code="recipient_refused"))


def _forgive_own_fields(form: Form) -> None:
    """
    Remove the errors of fields that a project adds, such as a CAPTCHA.

    The login in progress does not have what was typed there. It was valid.
    """
    for name, field in form.fields.items():
        is_known = name in (*FIELDS.values(), "next") or isinstance(field, ConsentField)
        if not is_known:
            form.errors.pop(name, None)


def _untick(form: Form, names: Collection[str]) -> None:
    """
    Validate the form again, without the ticks in these boxes.

    If there are no such boxes, the provider has not said which consents are missing.
    Then no box is ticked. A form of a project may lack the boxes.
    """
    fields: Mapping[str, Any] = form.fields
    boxes = [name for name, each in fields.items() if isinstance(each, ConsentField)]
    unticked = [name for name in boxes if name in names] or boxes
    form.data = {name: each for name, each in form.data.items() if name not in unticked}
    form.full_clean()
    _forgive_own_fields(form)
    if not form.errors:
        message = _("We cannot send a code, because a consent is missing.")
        form.add_error(None, ValidationError(message, code="consent_required"))
