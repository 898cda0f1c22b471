"""
What can be seen of an answer, as one text that can be compared with another's.

Who is compared with whom, and at what, is the business of `strangers`.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from django.conf import settings
from django.http import HttpResponse

from django_piggy_verify.login import pending
from django_piggy_verify.sandbox import Call


def transcript(response: HttpResponse, calls: Iterable[Call]) -> str:
    """Answer the upstream calls, status, headers, cookies and body, line by line."""
    return "\n".join(_lines(response, calls))


def masked(text: str, *, address: str, ignore: str) -> str:
    """
    Answer a transcript without what differs between any two visitors.

    That is `address` in any spelling, CSRF tokens, ids of sessions and of logins
    in progress, nonces, and what the pattern `ignore` matches.
    """
    text = re.sub(r"[\w-]+:[\w-]{6}:[\w-]{43}", _read_login, text)
    for name in (settings.CSRF_COOKIE_NAME, settings.SESSION_COOKIE_NAME):
        text = re.sub(rf"(?m)^(Set-Cookie: {re.escape(name)}=)[^;]+", r"\1ID", text)
    text = re.sub(r"\b[A-Za-z0-9]{64}\b", "CSRF-TOKEN", text)
    text = re.sub(r"""(?<=\bnonce[-=])["']?[\w+/=-]+["']?""", "NONCE", text)
    text = re.sub(_spellings(address), "ADDRESS", text, flags=re.IGNORECASE)
    return re.sub(ignore, "", text)


def _lines(response: HttpResponse, calls: Iterable[Call]) -> Iterator[str]:
    for call in calls:
        yield f"Upstream: {call.method} {call.path} {json.dumps(call.body)}"
    yield f"Status: {response.status_code}"
    for name, value in response.headers.items():
        yield f"{name}: {value}"
    for cookie in response.cookies.values():
        yield f"Set-Cookie: {cookie.OutputString()}"
    yield from ("", response.getvalue().decode(errors="replace"))


def _read_login(signed: re.Match[str]) -> str:
    """Show what visitors can read in a login in progress, less what is random."""
    login = pending._read(signed[0])
    return repr(replace(login, id="ID", browser="ID")) if login else signed[0]


def _spellings(address: str) -> str:
    """Answer a pattern for `address` as HTML, JSON and URLs may write it."""
    return "".join(
        rf"(?:{re.escape(each)}|{re.escape(html.escape(each))}"
        rf"|\\u{ord(each):04x}|%(?:25)*{ord(each):02x})"
        for each in address
    )
