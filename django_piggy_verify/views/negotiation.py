"""
Content negotiation: read a form or a JSON body, and see which one is wanted back.

Posted secrets are also hidden here from other code that reads the request.
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

    Only texts and whole numbers of a JSON object are read. Any other JSON body has
    no fields, so that the form names the fields that are missing.
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
    status: int, code: str, message: str, fields: Mapping[str, object] | None = None
) -> JsonResponse:
    """Return an error in the one JSON shape that all errors have."""
    error = {"code": code, "message": message, "fields": fields or {}}
    return JsonResponse({"error": error}, status=status)


def _text(value: str | int) -> str:
    """Return `value` as text that every response can encode: no lone surrogates."""
    return str(value).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
