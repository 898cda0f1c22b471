"""
Serve a contestant by gunicorn, for the measurements with many visitors.

The login has the same four requests for this package and for the hand-written floor.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.contestants.browser import Browser, Member, Request, Response, any_code
from benchmarks.upstream import HOST, Mailbox, Upstream

ROOT: Final = Path(__file__).parents[1]
PATIENCE: Final = 60
"""Seconds that a visitor waits for a response."""

APPLICATION: Final = "django.core.wsgi:get_wsgi_application()"

# `requests` reads these variables in the hand-written floor.
FOREIGN_CERTIFICATES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Server:
    """
    The processes of gunicorn, which run during a `with` block.

    `package` is the folder that contains `django_piggy_verify`. The errors are written
    into a file in `directory`.
    """

    def __init__(
        self,
        contestant: str,
        upstream: Upstream,
        *options: str,
        members: int = 1,
        package: Path = ROOT,
        **settings: Any,
    ) -> None:
        self.port = 0
        self._numbers = iter(range(members))
        self._options = options
        # Each visitor has a network address, as behind a proxy.
        settings = {"PIGGY_VERIFY_TRUSTED_PROXY_COUNT": 1} | settings
        self._environment = {
            **_environment(),
            "CONTESTANT": contestant,
            "MEMBERS": str(members),
            "PYTHONPATH": str(ROOT),
            "SETTINGS": json.dumps(settings),
            "UPSTREAM_CERTIFICATE": str(upstream.certificate),
            "UPSTREAM_URL": upstream.base_url,
        }
        self._directory = upstream.certificate.parent
        self._package = package / "django_piggy_verify"

    def __enter__(self) -> Self:
        with (
            socket.create_server((HOST, 0), backlog=1024) as listener,
            (self._directory / "errors.txt").open("w") as errors,
        ):
            self.port = listener.getsockname()[1]
            self._link_package()
            self._process = subprocess.Popen(
                self._command(listener.fileno()),
                cwd=self._directory,
                env=self._environment,
                pass_fds=[listener.fileno()],
                stderr=errors,
            )
        self._wait_until_ready()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)

    def next_member(self) -> Member:
        """Return a member who has not visited the site yet."""
        return Member(next(self._numbers))

    def visit(self, member: Member) -> Browser:
        """Return a new browser of this member."""
        return Browser(partial(exchange, self.port), member.network_address)

    def log_in(self, member: Member, mailbox: Mailbox) -> Browser:
        """Go through the four pages. The member waits for the mail with the code."""
        browser = self.visit(member)
        browser.open("/login/")
        code_page = browser.submit("/login/", email=member.email)
        browser.open(code_page)
        mailbox.wait(member.email)
        browser.submit(code_page, code=any_code())
        return browser

    def _link_package(self) -> None:
        """Let Python find this package in the current folder, and so first."""
        link = self._directory / "django_piggy_verify"
        link.unlink(missing_ok=True)
        link.symlink_to(self._package)

    def _command(self, listener: int) -> list[str]:
        return [
            *(sys.executable, "-m", "gunicorn"),
            *("--config", "python:benchmarks.contestants.serving"),
            *("--bind", f"fd://{listener}"),
            *("--log-level", "warning"),
            *self._options,
            APPLICATION,
        ]

    def _wait_until_ready(self) -> None:
        """Wait for the first response, and let all workers load the pages."""
        try:
            for _ in range(20):
                self.visit(Member(0)).open("/login/")
        except OSError as error:
            errors = (self._directory / "errors.txt").read_text()
            raise RuntimeError(f"gunicorn does not answer:\n{errors}") from error


def exchange(port: int, request: Request) -> Response:
    """Make a request over a connection of its own."""
    connection = HTTPConnection(HOST, port, timeout=PATIENCE)
    try:
        connection.request(
            request.method, request.path, request.body, headers_of(request)
        )
        response = connection.getresponse()
        return Response(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def raw(request: Request, *, is_last: bool) -> bytes:
    """
    Return the bytes of a request.

    If it is the last one, it asks the server to close the connection afterwards.
    """
    headers = {
        **headers_of(request),
        "Host": HOST,
        "Connection": "close" if is_last else "keep-alive",
        "Content-Length": str(len(request.body)),
    }
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"{request.method} {request.path} HTTP/1.1\r\n{''.join(lines)}\r\n"
    return head.encode() + request.body


def headers_of(request: Request) -> Mapping[str, str]:
    """Return the headers, with the network address as a proxy adds it."""
    return {**request.headers, "X-Forwarded-For": request.network_address}


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name not in FOREIGN_CERTIFICATES and not name.lower().endswith("_proxy")
    }
