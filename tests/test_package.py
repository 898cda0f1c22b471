import re
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"[\w-]+==[\w.]+")


def pins(name):
    return set(PIN.findall((ROOT / name).read_text()))


def test_pre_commit_pins_what_the_gates_pin():
    assert pins(".pre-commit-config.yaml") == pins("pyproject.toml")


def test_no_test_speaks_to_another_machine():
    with socket.socket() as sock, pytest.raises(pytest.fail.Exception):
        sock.connect(("192.0.2.1", 443))
