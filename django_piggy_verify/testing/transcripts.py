"""
Write a response as one text, so that two responses can be compared.

The module `strangers` decides which responses are compared.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from django.conf import settings
from django.http import HttpResponse

from django_piggy_verify.login import browsers, pending
from django_piggy_verify.sandbox import Call


def transcript(response: HttpResponse, calls: Iterable[Call]) -> str:
    """Return the API calls, status, headers, cookies and body, one fact a line."""
    return "\n".join(_lines(response, calls))


def masked(text: str, *, address: str, ignore: str) -> str:
    """
    Return a transcript without the parts that differ between any two visitors.

    These parts are `address` in any spelling, CSRF tokens, nonces, PKCE challenges and
    verifiers. The ids of browsers, sessions, logins in progress and sends are masked
    too, and so are all matches of the pattern `ignore`.
    """
    text = re.sub(r"[\w-]+:[\w-]{6}:[\w-]{43}", _read_login, text)
    # Each PKCE verifier is random, and so is its challenge (RFC 7636 section 4).
    text = re.sub(r'(?<=")[\w-]{43}(?=")', "PKCE", text)
    cookies = (settings.CSRF_COOKIE_NAME, settings.SESSION_COOKIE_NAME, browsers.COOKIE)
    for name in cookies:
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
    """Return the readable content of a login in progress, without random parts."""
    login = pending.read(signed[0])
    if login is None:
        return signed[0]
    # A blank `send_id` says that nothing was sent, so it is not replaced.
    send_id = login.send_id and "ID"
    return repr(replace(login, id="ID", browser="ID", send_id=send_id))


def _spellings(address: str) -> str:
    """Return a pattern that matches `address` in HTML, in JSON and in URLs."""
    return "".join(
        rf"(?:{re.escape(each)}|{re.escape(html.escape(each))}"
        rf"|\\u{ord(each):04x}|%(?:25)*{ord(each):02x})"
        for each in address
    )
