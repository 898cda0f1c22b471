"""
Connect a browser with the WSGI application of this process.

Django's test client is not used here: the work after a response would count as a part
of the response.
"""

import sys
from functools import cache
from io import BytesIO
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.wsgi import get_wsgi_application

from benchmarks.contestants.browser import Browser, Member, Request, Response


def visit(member: Member) -> Browser:
    """Return a new browser of this member."""
    return Browser(exchange, member.network_address)


def user_in(browser: Browser) -> int:
    """Return the id of the user in the session of a browser."""
    return int(SessionStore(browser.cookies["sessionid"])[SESSION_KEY])


def exchange(request: Request) -> Response:
    """Make a request. The response is closed later, as by a server that sends it."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        started.append((status, headers))

    chunks = _application()(_environ(request), start_response)
    body = b"".join(chunks)
    [(status, headers)] = started
    return Response(int(status[:3]), headers, body, chunks.close)


@cache
def _application() -> Any:
    return get_wsgi_application()


def _environ(request: Request) -> dict[str, Any]:
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in request.headers.items()
    }
    path, _, query = request.path.partition("?")
    return {
        **headers,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REMOTE_ADDR": request.network_address,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
