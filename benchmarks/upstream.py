"""
A small copy of the API for the measurements, over TLS.

It has three calls, and accepts any code and any address but those of strangers. It runs
in its own process, so its CPU time does not count for a contestant. It counts the
requests. A `Mailbox` waits for the mail that a request has caused. The sandbox of the
package is not used, because it stores mails and records that nobody reads here, and it
runs in the process of the package.
"""

import hashlib
import json
import socketserver
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Condition, Lock, Thread
from types import TracebackType
from typing import IO, Any, Final, Self, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.mail_server import MailServer

HOST: Final = "127.0.0.1"
BASE_PATH: Final = "/api/v3/oauth/clients"
TOKEN: Final = "eyJpdiI6" + "0123456789abcdef" * 20
"""An opaque text that is as long as a token of the vendor."""

MAILBOX: Final = "/mailbox/"
PATIENCE: Final = 20
"""Seconds that a mailbox waits for a mail."""


def uid_of(address: str) -> str:
    """Return the id of the contact with this address."""
    digest = hashlib.sha256(address.encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:28]))


def is_stranger(address: str) -> bool:
    """Return whether the API has no contact with this address."""
    return address.startswith("stranger")


class Upstream:
    """
    The process of the server, which runs during a `with` block.

    The server writes its certificate into `directory`. It also takes mails over SMTP,
    and drops them.
    """

    port: int
    mail_port: int
    """The port for SMTP."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "upstream.pem"
        self._command = [sys.executable, __file__, str(self.certificate)]

    def __enter__(self) -> Self:
        _make_certificate(self.certificate)
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ports = self._ask()
        self.port, self.mail_port = ports["port"], ports["mail_port"]
        self.base_url = f"https://{HOST}:{self.port}{BASE_PATH}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        cast("IO[str]", self._process.stdin).close()
        self._process.wait()

    def count(self) -> tuple[int, int]:
        """Return the number of requests and of TCP connections so far."""
        counted = self._ask("count")
        return counted["requests"], counted["connections"]

    def delay(self, seconds: float) -> None:
        """Delay each answer and each mail from now on, but not those for strangers."""
        self._ask(f"delay {seconds}")

    def fail(self, *, is_down: bool) -> None:
        """Let the API answer with status 503 from now on, or let it work again."""
        self._ask(f"down {int(is_down)}")

    def _ask(self, command: str = "") -> Any:
        if command:
            print(command, file=self._process.stdin, flush=True)
        return json.loads(cast("IO[str]", self._process.stdout).readline())


class Mailbox:
    """Waits for the mails of members, over one connection. One thread may use it."""

    def __init__(self, upstream: Upstream) -> None:
        context = ssl.create_default_context(cafile=upstream.certificate)
        self._connection = HTTPSConnection(
            HOST, upstream.port, timeout=2 * PATIENCE, context=context
        )

    def wait(self, address: str) -> None:
        """Wait until the API has mailed a code to this address. Raises TimeoutError."""
        self._connection.request("GET", MAILBOX + address)
        response = self._connection.getresponse()
        response.read()
        if response.status != HTTPStatus.OK:
            raise TimeoutError(f"no mail to {address}")


def _make_certificate(path: Path) -> None:
    """Write a key and its certificate, valid for a day on this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    pkcs8, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(pem, pkcs8, bare) + certificate.public_bytes(pem)
    )


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, certificate: str) -> None:
        self.delay = 0.0
        self.is_down = False
        self.mails: set[str] = set()
        self.news = Condition()
        self.requests = 0
        self.connections = 0
        self.lock = Lock()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        super().__init__((HOST, 0), _Handler)

    def server_bind(self) -> None:
        # HTTPServer looks up the name of the address in DNS, which can be slow.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        with self.lock:
            self.connections += 1
        # Do the handshake in the thread of the connection.
        return self._tls.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        ), address


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet

    def do_POST(self) -> None:
        posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        address = posted["email"]
        if not self._begin(0.0 if is_stranger(address) else self.server.delay):
            return
        if self.path.endswith("/verify"):
            self._succeed({"uuid": uid_of(address)})
        elif is_stranger(address):
            self._write(HTTPStatus.NOT_FOUND, {"code": 55031})
        else:
            self._succeed({"type": "Success", "message": "The link was sent"})
            with self.server.news:
                self.server.mails.add(address)
                self.server.news.notify_all()

    def do_GET(self) -> None:
        if self.path.startswith(MAILBOX):
            self._wait_for_mail(self.path.removeprefix(MAILBOX))
        elif self._begin(self.server.delay):
            self._succeed({"auth_token": TOKEN})

    def _wait_for_mail(self, address: str) -> None:
        """Wait for a mail, and remove it from the mailbox."""
        mails = self.server.mails
        with self.server.news:
            if self.server.news.wait_for(lambda: address in mails, PATIENCE):
                mails.remove(address)
                status = HTTPStatus.OK
            else:
                status = HTTPStatus.NOT_FOUND
        self._write(status, {})

    def _begin(self, delay: float) -> bool:
        """Count the request, and wait. If the API is down, say so and return False."""
        with self.server.lock:
            self.server.requests += 1
        time.sleep(delay)
        if self.server.is_down:
            self._write(HTTPStatus.SERVICE_UNAVAILABLE, {})
        return not self.server.is_down

    def _succeed(self, data: object) -> None:
        self._write(HTTPStatus.OK, {"data": data, "meta": []})

    def _write(self, status: HTTPStatus, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing, because the pipe to the parent is for counts."""


def main() -> None:
    """Serve, and reply to the commands of the parent until it closes the pipe."""
    server = _Server(sys.argv[1])
    mails = MailServer(HOST)
    for each in (server, mails):
        Thread(target=each.serve_forever, daemon=True).start()
    _tell({"port": server.server_port, "mail_port": mails.port})
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "delay":
            server.delay = mails.delay = float(arguments[0])
        elif command == "down":
            server.is_down = bool(int(arguments[0]))
        _tell({"requests": server.requests, "connections": server.connections})


def _tell(answer: dict[str, int]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
