"""
Content negotiation: read forms and JSON bodies, and choose between HTML and JSON.

The module also hides posted secrets from other code that reads the request.
"""

import json
from collections.abc import Mapping

from django.forms import Form
from django.http import HttpRequest, JsonResponse

from django_piggy_verify.consent_fields import PREFIX

CROSSED_OUT = "*" * 20
"""The text that replaces a secret, as in Django's own reports."""

OWN_ERROR_CODES = {"code_rejected", "consent_required", "unknown_contact"}
"""The errors of a form that scripts can tell from "invalid"."""


def prefers_json(request: HttpRequest) -> bool:
    """Return whether ``Accept`` prefers JSON to HTML (RFC 9110 section 12.5.1)."""
    offered = ["text/html", "application/json"]
    return request.get_preferred_type(offered) == "application/json"


def form_data(request: HttpRequest) -> Mapping[str, str]:
    """
    Return the fields that were posted, from a form or a JSON object.

    Of a JSON object, only texts and whole numbers are read, and the true of a consent.
    Any other JSON body counts as a body without fields, so the form says which fields
    are missing.
    """
    if request.content_type != "application/json":
        return request.POST
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    fields = body.items() if isinstance(body, dict) else ()
    return {name: _text(value) for name, value in fields if _is_read(name, value)}


def cross_out(request: HttpRequest, *names: str) -> None:
    """
    Replace these fields in ``request.POST`` after `form_data` has read them.

    Receivers of ``user_login_failed`` get the request, and lockout tools store the
    posted fields. They recognise a secret only by names such as `password`. Error
    reports show ``request.POST`` as well.
    """
    posted = request.POST.copy()
    for name in names:
        if name in posted:
            posted[name] = CROSSED_OUT
    request.POST = posted  # type: ignore[assignment]


def error_response(
    status: int,
    code: str,
    message: str,
    fields: Mapping[str, object] | None = None,
    **details: object,
) -> JsonResponse:
    """Return an error as JSON. All errors have the same shape; some have `details`."""
    error = {"code": code, "message": message, "fields": fields or {}, **details}
    return JsonResponse({"error": error}, status=status)


def form_errors(form: Form) -> JsonResponse:
    """Return the errors of a form as JSON. The first one gives its code and message."""
    errors = form.errors.as_data()
    first, *_ = next(iter(errors.values()))
    code = first.code if first.code in OWN_ERROR_CODES else "invalid"
    fields = {name: list(messages) for name, messages in form.errors.items()}
    return error_response(400, str(code), first.messages[0], fields)


def _is_read(name: str, value: object) -> bool:
    if name.startswith(PREFIX):
        return value is True or type(value) is str
    return type(value) in {str, int}


def _text(value: str | int) -> str:
    """
    Return `value` as text without lone surrogates, which no response can encode.

    True becomes "true", the value of a box that is ticked.
    """
    text = "true" if value is True else str(value)
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
