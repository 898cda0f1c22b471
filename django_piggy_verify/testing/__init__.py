"""
For a project's own tests: a remote API on a real port, a login, and an assertion.

Load the fixtures with ``pytest_plugins = ["django_piggy_verify.testing"]``; nothing
is loaded by itself. They need pytest and pytest-django; the rest serves Django's own
test cases as well. A ``conftest.py`` may import from here, too, since there is nothing
to rewrite: PYTEST_DONT_REWRITE.
"""

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

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

with suppress(ModuleNotFoundError):  # there may be no pytest
    from django_piggy_verify.testing.fixtures import piggy_sandbox, piggy_sandbox_server


def __getattr__(name: str) -> Any:
    """Import what needs Django at first use: fixtures are loaded before it is."""
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
