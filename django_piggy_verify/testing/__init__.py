"""
For a project's own tests: a remote API on a real port, a login, and an assertion.

Load the fixtures with ``pytest_plugins = ["django_piggy_verify.testing"]``; nothing
is loaded by itself. They need pytest and pytest-django. A ``conftest.py`` may import
from here as well, since there is nothing to rewrite: PYTEST_DONT_REWRITE.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from django_piggy_verify.testing.logins import login_contact
    from django_piggy_verify.testing.strangers import (
        assert_strangers_look_like_contacts,
    )

__all__ = [
    "assert_strangers_look_like_contacts",
    "login_contact",
    "piggy_sandbox",
    "piggy_sandbox_server",
]

_MODULES = {
    "assert_strangers_look_like_contacts": "strangers",
    "login_contact": "logins",
}


def __getattr__(name: str) -> Any:
    """Import what needs Django at first use: fixtures are loaded before it is."""
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


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
