"""
HTML or JSON: which one a request brings, and which one it wants back.

What is said in either is the views' business.
"""

import json
from collections.abc import Mapping

from django.http import HttpRequest, JsonResponse


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


def error_response(
    status: int, code: str, message: str, fields: Mapping[str, object] | None = None
) -> JsonResponse:
    """Answer the one shape that all errors have in JSON."""
    error = {"code": code, "message": message, "fields": fields or {}}
    return JsonResponse({"error": error}, status=status)


def _text(value: str | int) -> str:
    """Answer `value` as text that every response can encode: no lone surrogates."""
    return str(value).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
