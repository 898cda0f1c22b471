"""
For a project's own tests: fixtures of a remote API on a real port, and an assertion.

Load the fixtures with ``pytest_plugins = ["django_piggy_verify.testing"]``; nothing
is loaded by itself. They need pytest and pytest-django.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from django_piggy_verify.testing.strangers import (
        assert_strangers_look_like_contacts,
    )

__all__ = [
    "assert_strangers_look_like_contacts",
    "piggy_sandbox",
    "piggy_sandbox_server",
]


def __getattr__(name: str) -> Any:
    """Import the assertion at first use: fixtures are loaded before Django is."""
    if name != "assert_strangers_look_like_contacts":
        raise AttributeError(name)
    from django_piggy_verify.testing import strangers  # noqa: PLC0415

    return strangers.assert_strangers_look_like_contacts


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
