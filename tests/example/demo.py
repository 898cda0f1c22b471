"""Run the example in a process of its own, as the README says."""

import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import django_piggy_verify
from tests.processes import process
from tests.waiting import PATIENCE

EXAMPLE = Path(__file__).parents[2] / "example_project"
PACKAGE = Path(django_piggy_verify.__file__).parents[1]


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """A small environment: neither .env nor the variables of the tests count."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE),
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "DEBUG": "True",
        "PIGGY_VERIFY_API_KEY": "",
        "PIGGY_VERIFY_BASE_URL": "",
        **variables,
    }


def manage(folder: Path, *words: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "manage.py"), *words],
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout


class Demo:
    """A running demo and its output."""

    def __init__(self, process: subprocess.Popen[bytes], console: Path) -> None:
        self.process = process
        self.console = console

    def wait_for(self, pattern: str) -> str:
        """Wait until `pattern` was printed, and return its first group."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            is_over = self.process.poll() is not None
            printed = self.console.read_text()
            if match := re.search(pattern, printed):
                return match[1]
            if is_over:
                break
            time.sleep(0.05)
        return pytest.fail(f"no {pattern!r} in:\n{self.console.read_text()}")

    def last_code(self, recipient: str) -> str:
        """Return the newest code that was mailed to a member."""
        pattern = rf"code for {re.escape(recipient)}: (\S+)\n"
        self.wait_for(pattern)
        return str(re.findall(pattern, self.console.read_text())[-1])

    def last_link(self, address: str) -> str:
        """Return the newest link that was mailed to an address."""
        return self.wait_for(rf"link for {re.escape(address)}: (\S+)\n")

    def close_circuit(self) -> None:
        """Let codes be sent again at once after an outage."""
        self._forget_counts("circuit")

    def end_cooldown(self) -> None:
        """Let another code be sent to the same person at once."""
        self._forget_counts("send_cooldown")

    def _forget_counts(self, name: str) -> None:
        database = sqlite3.connect(self.console.parent / "db.sqlite3")
        with closing(database), database:
            database.execute(
                "DELETE FROM piggy_verify_tally WHERE key LIKE ?", [f"%:{name}%"]
            )

    def url(self) -> str:
        url = self.wait_for(r"Shop: +(\S+)\n")
        self.wait_for(r"(Quit the server)")
        return url


@contextmanager
def running_demo(folder: Path, *options: str, **variables: str) -> Iterator[Demo]:
    console = folder / "console.txt"
    command = [sys.executable, str(EXAMPLE / "manage.py"), "demo", *options]
    small = environment(folder, **variables)
    with process(command, console, env=small) as started:
        try:
            yield Demo(started, console)
        finally:
            started.kill()


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> str:
    with taken_port() as port:
        pass
    return str(port)
