"""
Content negotiation: read forms and JSON bodies, and choose between HTML and JSON.

The module also hides posted secrets from other code that reads the request.
"""

import json
from collections.abc import Mapping

from django.http import HttpRequest, JsonResponse

CROSSED_OUT = "*" * 20
"""The text that replaces a secret, as in Django's own reports."""


def prefers_json(request: HttpRequest) -> bool:
    """Return whether ``Accept`` prefers JSON to HTML (RFC 9110 section 12.5.1)."""
    offered = ["text/html", "application/json"]
    return request.get_preferred_type(offered) == "application/json"


def form_data(request: HttpRequest) -> Mapping[str, str]:
    """
    Return the fields that were posted, from a form or a JSON object.

    Of a JSON object, only texts and whole numbers are read. Any other JSON body counts
    as a body without fields, so the form says which fields are missing.
    """
    if request.content_type != "application/json":
        return request.POST
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    fields = body.items() if isinstance(body, dict) else ()
    return {name: _text(value) for name, value in fields if type(value) in {str, int}}


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


def _text(value: str | int) -> str:
    """Return `value` as text without lone surrogates, which no response can encode."""
    return str(value).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
