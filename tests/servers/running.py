"""Run the project of the tests under a real server, and visit it."""

import json
import os
import signal
import socket
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from django.db import connection

from django_piggy_verify.models import Tally
from tests.example.demo import free_port
from tests.example.http_browser import new_browser
from tests.processes import process, wait_for_server
from tests.waiting import PATIENCE, mailed_code, wait_until

ROOT = Path(__file__).parents[2]
WSGI = "tests.shapes.wsgi:application"
ASGI = "tests.shapes.asgi:application"
SERVERS = {
    "gunicorn sync": ["gunicorn", "--bind=127.0.0.1:{port}", WSGI],
    "gunicorn gthread": [
        "gunicorn",
        "--bind=127.0.0.1:{port}",
        "--threads=16",
        "--keep-alive=20",
        WSGI,
    ],
    "uvicorn": [
        "uvicorn",
        "--port={port}",
        "--lifespan=off",
        "--timeout-keep-alive=20",
        ASGI,
    ],
}


class Server:
    """A running server, with one worker."""

    def __init__(self, process, port, console):
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}/"
        self.console = console

    def worker(self):
        """Return the id of the process that responds to requests."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int((children.read_text().split() or [self.process.pid])[0])

    def kill(self):
        """End the server at once. Its parent ends first, or it replaces the worker."""
        if self.process.poll() is None:
            worker = self.worker()
            self.process.kill()
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)

    def memory(self):
        """Return how many bytes of memory the worker uses now."""
        pages = Path(f"/proc/{self.worker()}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")

    def files(self):
        """Return how many files and connections the worker has open now."""
        return len([*Path(f"/proc/{self.worker()}/fd").iterdir()])

    def end(self):
        """End the server as an operator does, and wait for its end."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


@contextmanager
def running_server(name, folder, sandbox_url, options=(), **settings):
    """Run a server with additional command line options and settings."""
    port = free_port()
    console = folder / f"{port}.txt"
    module, *words = [each.format(port=port) for each in SERVERS[name]]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.servers.settings",
        "DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "SANDBOX": sandbox_url,
        "SERVER_SETTINGS": json.dumps(settings),
    }
    command = [sys.executable, "-m", module, *options, *words]
    with process(command, console, cwd=ROOT, env=environment) as started:
        server = Server(started, port, console)
        try:
            wait_for_server(started, f"{server.url}members/", console=console)
            yield server
        finally:
            server.kill()


class Visitor:
    """A script of a visitor, with a browser's cookies and one open connection."""

    def __init__(self, server, sandbox, address):
        self.sandbox = sandbox
        self.address = address
        self.port = server.port
        self.url = f"{server.url}login/"
        self.browser = new_browser()
        self.browser.headers["Accept"] = "application/json"
        token = self.get().json()["csrf_token"]
        self.browser.headers["X-CSRFToken"] = token

    def get(self, page="", headers=None):
        return self.browser.get(self.url + page, headers=headers, timeout=PATIENCE)

    def post(self, page="", headers=None, **fields):
        return self.browser.post(
            self.url + page,
            json=fields,
            headers=headers,
            timeout=PATIENCE,
            allow_redirects=False,
        )

    def ask(self, headers=None, **fields):
        return self.post(headers=headers, email=self.address, **fields)

    def ask_and_disconnect(self, headers):
        """Ask for a code, and disconnect once the request was counted."""
        with self._asking(headers):
            wait_until(Tally.objects.exists)

    def ask_until_the_end(self, headers):
        """Ask for a code, and read until the server closes the connection."""
        with self._asking(headers) as connection:
            while connection.recv(1024):
                pass

    @contextmanager
    def _asking(self, headers):
        fields = {"email": self.address}
        request = requests.Request("POST", self.url, headers, json=fields)
        prepared = self.browser.prepare_request(request)
        assert isinstance(prepared.body, bytes)
        lines = [f"POST {prepared.path_url} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in prepared.headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode()
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(head + prepared.body)
            yield connection

    def type_mailed_code(self):
        return self.post("code/", code=mailed_code(self.sandbox, self.address))
