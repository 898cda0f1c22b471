"""The fixtures of pytest: nothing here needs Django before a test asks for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.server import SandboxServer


@pytest.fixture(scope="session")
def piggy_sandbox_server() -> Iterator[SandboxServer]:
    """Serve one sandbox to the whole test run; `connections` counts sockets."""
    with SandboxServer(Sandbox()) as server:
        yield server


@pytest.fixture
def piggy_sandbox(piggy_sandbox_server: SandboxServer, settings: Any) -> Sandbox:
    """
    Answer an empty sandbox that the settings point to.

    Turns ``DEBUG`` on, since the sandbox speaks plain http, and takes away the
    time that a POST of an address takes at least.
    """
    sandbox = piggy_sandbox_server.sandbox
    sandbox.reset()
    settings.DEBUG = True
    settings.PIGGY_VERIFY_BASE_URL = piggy_sandbox_server.base_url
    settings.PIGGY_VERIFY_API_KEY = "sandbox-key"
    settings.PIGGY_VERIFY_SEND_FLOOR = 0
    return sandbox
