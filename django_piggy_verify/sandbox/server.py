"""
Serve a sandbox on a separate port, for tests. Each connection has a thread.

The server listens on the loopback interface only, and has no TLS. The HTTP is done by
the server of the standard library.
"""

import socket
import socketserver
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

from django_piggy_verify.sandbox.api import VENDORS, answer
from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.pages import Pages
from django_piggy_verify.sandbox.vendors.piggy import TOKEN_PATH

LENGTH_DIGITS = 7
"""The maximum number of digits of a Content-Length: just under 10 MB."""


class SandboxServer:
    """
    Serves a sandbox during its `with` block. You can enter the block only once.

    `connections` counts the TCP connections that were accepted. The end of the block
    closes all connections, including those that wait for the `delay` switch.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._server = _Server(sandbox)
        self._thread = Thread(
            target=self._server.serve_forever,
            # With the default, each test would take up to half a second longer.
            kwargs={"poll_interval": 0.01},
            name="piggy-sandbox",
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.base_url = self.url_of("piggy")
        self.token_url = f"{self.url}/{TOKEN_PATH}"

    def url_of(self, vendor: str) -> str:
        """
        Return the ``PIGGY_VERIFY_BASE_URL`` of a vendor.

        It is "piggy", "verifik", "punchh" or "transmit".
        """
        return f"{self.url}/{VENDORS[vendor].BASE_PATH}"

    @property
    def connections(self) -> int:
        """The number of TCP connections that were accepted."""
        return self._server.accepted

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    # The server waits for its threads, so that none is left after the test.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.accepted = 0
        self.closing = Event()
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look up the name of 127.0.0.1 in DNS, which can be slow.
        socketserver.TCPServer.server_bind(self)
        self.server_port = self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self.accepted += 1
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Wake all threads that wait for the delay or for a request."""
        self.closing.set()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the client has closed it already
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # In tests of timeouts, clients close the connection while they wait.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # sends head and body in one packet

    def do_GET(self) -> None:
        given = answer(
            self.server.sandbox,
            self.command,
            self.path.removeprefix("/"),
            dict(self.headers.items()),
            self._body(),
            pages=Pages(root=f"http://127.0.0.1:{self.server.server_port}/"),
            sleep=self.server.closing.wait,
        )
        self.send_response(given.status)
        for name, value in given.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(given.body)))
        self.end_headers()
        self.wfile.write(given.body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base's names

    def _body(self) -> bytes:
        """Read the body. A body that is chunked or too long counts as empty."""
        length = self.headers.get("Content-Length", "0")
        is_plain = length.isdecimal() and len(length) <= LENGTH_DIGITS
        if "Transfer-Encoding" in self.headers or not is_plain:
            self.close_connection = True
            return b""
        return self.rfile.read(int(length))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing, because a path may contain the id of a contact."""
