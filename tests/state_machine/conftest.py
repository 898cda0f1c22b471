import logging

import pytest

from django_piggy_verify.sandbox.server import SandboxServer
from tests.state_machine.upstream import KEY, Upstream


@pytest.fixture
def server(settings):
    with SandboxServer(Upstream()) as server:
        settings.DEBUG = True
        settings.PIGGY_VERIFY_API_KEY = KEY
        yield server


@pytest.fixture
def log(monkeypatch):
    """Collect all logs. The records of pytest would grow without end."""
    root, handler = logging.getLogger(), logging.Handler()
    records: list[logging.LogRecord] = []
    monkeypatch.setattr(root, "handlers", [handler])
    monkeypatch.setattr(handler, "emit", records.append)
    level = root.level
    root.setLevel(logging.DEBUG)
    yield records
    root.setLevel(level)
