"""The fixtures for pytest. pytest loads this module before Django is set up."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.http import HttpRequest

from django_piggy_verify.providers.base import UserAccess
from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.api import VENDORS
from django_piggy_verify.sandbox.server import SandboxServer
from django_piggy_verify.secret import Secret


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
    needs. The same sandbox emulates all vendors. Where the vendor has users of its own,
    a user who is logged in here is signed in there. The id there is made of the user's
    primary key. Each request gets a new access token.
    """
    sandbox = piggy_sandbox_server.sandbox

    def use(vendor: str) -> Sandbox:
        settings.PIGGY_VERIFY_PROVIDER = VENDORS[vendor].PROVIDER
        settings.PIGGY_VERIFY_PROVIDER_OPTIONS = dict(VENDORS[vendor].OPTIONS)
        settings.PIGGY_VERIFY_USER_ACCESS = partial(_sign_in, sandbox)
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


def _sign_in(sandbox: Sandbox, request: HttpRequest) -> UserAccess | None:
    """Return the access of a user who is logged in. This is ``USER_ACCESS``."""
    if not request.user.is_authenticated:
        return None
    uid = f"user-{request.user.pk}"
    return UserAccess(uid=uid, token=Secret(sandbox.sign_in(uid)))
