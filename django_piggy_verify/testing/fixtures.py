"""The fixtures for pytest. The module itself does not need Django."""

from collections.abc import Iterator
from typing import Any

import pytest

from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.server import SandboxServer


@pytest.fixture(scope="session")
def piggy_sandbox_server() -> Iterator[SandboxServer]:
    """Serve one sandbox for the whole test run. `connections` counts its sockets."""
    with SandboxServer(Sandbox()) as server:
        yield server


@pytest.fixture
def piggy_sandbox(piggy_sandbox_server: SandboxServer, settings: Any) -> Sandbox:
    """
    Return an empty sandbox, and let the settings point to it.

    The fixture turns ``DEBUG`` on, because the sandbox uses http. It also removes the
    minimum time of a POST that sends a code.
    """
    sandbox = piggy_sandbox_server.sandbox
    sandbox.reset()
    settings.DEBUG = True
    settings.PIGGY_VERIFY_BASE_URL = piggy_sandbox_server.base_url
    settings.PIGGY_VERIFY_API_KEY = "sandbox-key"
    settings.PIGGY_VERIFY_SEND_FLOOR = 0
    return sandbox
