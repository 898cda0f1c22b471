"""
HTML or JSON: which one a request brings, and which one it wants back.

What is said in either is the views' business. What was posted is read here, and
hidden here from whoever else reads it.
"""

import json
from collections.abc import Mapping

from django.http import HttpRequest, JsonResponse

CROSSED_OUT = "*" * 20
"""What stands in a secret's place, as in Django's own reports."""


def prefers_json(request: HttpRequest) -> bool:
    """Whether ``Accept`` asks for JSON rather than HTML (RFC 9110 section 12.5.1)."""
    offered = ["text/html", "application/json"]
    return request.get_preferred_type(offered) == "application/json"


def form_data(request: HttpRequest) -> Mapping[str, str]:
    """
    Answer the fields that were posted, from a form or a JSON object.

    Of a JSON object only text and whole numbers count; a body that is no JSON
    object has no fields, so that each form says what it misses.
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
    Replace these fields in ``request.POST``, once `form_data` has read them.

    Listeners of ``user_login_failed`` are handed the request, and lockout tools
    store what was posted: they know a secret by names such as `password` only.
    Error reports show ``request.POST`` as well.
    """
    posted = request.POST.copy()
    for name in names:
        if name in posted:
            posted[name] = CROSSED_OUT
    request.POST = posted  # type: ignore[assignment]


def error_response(
    status: int, code: str, message: str, fields: Mapping[str, object] | None = None
) -> JsonResponse:
    """Answer the one shape that all errors have in JSON."""
    error = {"code": code, "message": message, "fields": fields or {}}
    return JsonResponse({"error": error}, status=status)


def _text(value: str | int) -> str:
    """Answer `value` as text that every response can encode: no lone surrogates."""
    return str(value).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
