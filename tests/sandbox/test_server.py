"""Serve the sandbox on a port."""

import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from django_piggy_verify.sandbox import Mail, Sandbox
from django_piggy_verify.sandbox.server import SandboxServer

EMAIL = "john@example.com"
SEND = "/api/v3/oauth/clients/contact-verification/send"
BODY = b'{"email": "john@example.com"}'
HEADERS = {"Authorization": "Bearer key", "Content-Type": "application/json"}


@pytest.fixture
def sandbox() -> Sandbox:
    sandbox = Sandbox()
    sandbox.add_contact(EMAIL)
    return sandbox


@pytest.fixture
def server(sandbox: Sandbox) -> Iterator[SandboxServer]:
    with SandboxServer(sandbox) as server:
        yield server


def _connect(server: SandboxServer) -> HTTPConnection:
    return HTTPConnection(urlsplit(server.url).netloc, timeout=5)


def _talk(server: SandboxServer, request: bytes) -> bytes:
    """Send raw bytes, and read until the server closes the connection."""
    port = urlsplit(server.url).port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=5) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_addresses_are_those_of_the_api(server: SandboxServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert server.base_url == f"{server.url}/api/v3/oauth/clients"
    assert server.token_url == f"{server.url}/oauth/token"


def test_a_connection_is_kept_alive_and_counted_once(server: SandboxServer) -> None:
    assert server.connections == 0
    connection = _connect(server)

    for _ in range(3):
        connection.request("POST", SEND, BODY, HEADERS)
        assert b"Success" in connection.getresponse().read()

    connection.close()
    assert server.connections == 1
    assert len(server.sandbox.mails) == 3


def test_many_clients_are_served_at_once(server: SandboxServer) -> None:
    everyone = threading.Barrier(10, timeout=5)
    connections = [_connect(server) for _ in range(10)]

    def send(connection: HTTPConnection) -> None:
        everyone.wait()
        connection.request("POST", SEND, BODY, HEADERS)
        connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=send, args=[each]) for each in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert server.connections == 10
    assert len(server.sandbox.mails) == 10


def test_nothing_is_logged(
    server: SandboxServer, capfd: pytest.CaptureFixture[str]
) -> None:
    connection = _connect(server)
    connection.request("POST", SEND, BODY, HEADERS)
    connection.getresponse().read()
    connection.close()

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "header",
    [
        "Transfer-Encoding: chunked",
        "Content-Length: x",
        "Content-Length: 99999999",
    ],
)
def test_a_body_of_unknown_or_absurd_length_counts_as_empty(
    server: SandboxServer, header: str
) -> None:
    request = f"POST {SEND} HTTP/1.1\r\nAuthorization: Bearer key\r\n{header}\r\n\r\n"

    answered = _talk(server, request.encode())

    assert answered.startswith(b"HTTP/1.1 400")
    assert b'"code": 1003' in answered


def test_stopping_does_not_wait_for_idle_or_delayed_clients(sandbox: Sandbox) -> None:
    threads = threading.active_count()
    sandbox.switches.delay = 10
    started = time.monotonic()
    with SandboxServer(sandbox) as server:
        idle, delayed = _connect(server), _connect(server)
        idle.connect()
        delayed.request("POST", SEND, BODY, HEADERS)
        while not sandbox.mails or server.connections < 2:
            time.sleep(0.001)

    assert time.monotonic() - started < 5
    assert threading.active_count() == threads
    idle.close()
    delayed.close()


def test_a_client_that_gives_up_makes_no_noise(
    sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    sandbox.switches.delay = 60
    with SandboxServer(sandbox) as server:
        connection = _connect(server)
        connection.request("POST", SEND, BODY, HEADERS)
        while not sandbox.mails:
            time.sleep(0.001)
        connection.close()

    assert capfd.readouterr() == ("", "")


def test_an_error_of_a_test_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    def announce(mail: Mail) -> None:
        raise ValueError(f"{mail.recipient} is no mailbox")

    broken = Sandbox(announce=announce)
    broken.add_contact(EMAIL)
    with SandboxServer(broken) as server:
        request = (
            f"POST {SEND} HTTP/1.1\r\nAuthorization: Bearer key\r\n"
            f"Content-Length: {len(BODY)}\r\n\r\n"
        )
        assert _talk(server, request.encode() + BODY) == b""

    assert "john@example.com is no mailbox" in capfd.readouterr().err
