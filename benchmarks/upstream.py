"""
A small copy of the API for the measurements, over TLS.

It has three calls and accepts any address and any code. It runs in its own process, so
its CPU time does not count for a contestant. It counts the requests. The sandbox of the
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import IO, Any, Final, Self, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST: Final = "127.0.0.1"
BASE_PATH: Final = "/api/v3/oauth/clients"
TOKEN: Final = "eyJpdiI6" + "0123456789abcdef" * 20
"""An opaque text that is as long as a token of the vendor."""


def uid_of(address: str) -> str:
    """Return the id of the contact with this address."""
    digest = hashlib.sha256(address.encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:28]))


class Upstream:
    """
    The process of the server, which runs during a `with` block.

    The server writes its certificate into `directory`.
    """

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
        port = self._ask()["port"]
        self.base_url = f"https://{HOST}:{port}{BASE_PATH}"
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
        """Delay each answer from now on."""
        self._ask(f"delay {seconds}")

    def _ask(self, command: str = "") -> Any:
        if command:
            print(command, file=self._process.stdin, flush=True)
        return json.loads(cast("IO[str]", self._process.stdout).readline())


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
        if self.path.endswith("/send"):
            self._answer({"type": "Success", "message": "The link was sent"})
        else:
            self._answer({"uuid": uid_of(posted["email"])})

    def do_GET(self) -> None:
        self._answer({"auth_token": TOKEN})

    def _answer(self, data: object) -> None:
        with self.server.lock:
            self.server.requests += 1
        if self.server.delay:
            time.sleep(self.server.delay)
        body = json.dumps({"data": data, "meta": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing, because the pipe to the parent is for counts."""


def main() -> None:
    """Serve, and reply to the commands of the parent until it closes the pipe."""
    server = _Server(sys.argv[1])
    Thread(target=server.serve_forever, daemon=True).start()
    _tell({"port": server.server_port})
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "delay":
            server.delay = float(arguments[0])
        _tell({"requests": server.requests, "connections": server.connections})


def _tell(answer: dict[str, int]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
