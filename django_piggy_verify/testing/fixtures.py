"""The fixtures for pytest. The module itself does not need Django."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.api import VENDORS
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
    return _point_to(piggy_sandbox_server, settings, "piggy")


@pytest.fixture
def sandbox_for(
    piggy_sandbox_server: SandboxServer, settings: Any
) -> Callable[[str], Sandbox]:
    """
    Return a function that does what `piggy_sandbox` does, for the vendor of a name.

    It also sets the provider, its options and the other settings that the provider
    needs. The same sandbox emulates all vendors.
    """

    def use(vendor: str) -> Sandbox:
        settings.PIGGY_VERIFY_PROVIDER = VENDORS[vendor].PROVIDER
        settings.PIGGY_VERIFY_PROVIDER_OPTIONS = dict(VENDORS[vendor].OPTIONS)
        return _point_to(piggy_sandbox_server, settings, vendor)

    return use


def _point_to(server: SandboxServer, settings: Any, vendor: str) -> Sandbox:
    server.sandbox.reset()
    settings.DEBUG = True
    settings.PIGGY_VERIFY_BASE_URL = server.url_of(vendor)
    settings.PIGGY_VERIFY_SEND_FLOOR = 0
    for name, value in VENDORS[vendor].SETTINGS.items():
        setattr(settings, name, value)
    return server.sandbox
