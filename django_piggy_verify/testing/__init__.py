"""
Tools for the tests of a project: three fixtures, a login, and an assertion.

Load the fixtures with ``pytest_plugins = ["django_piggy_verify.testing"]``. pytest
does not load them by itself. The fixtures need pytest and pytest-django. The other
tools work in Django's own test cases too. A ``conftest.py`` may import this module,
because pytest does not rewrite it (PYTEST_DONT_REWRITE).
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
    "sandbox_for",
]

_MODULES = {
    "assert_strangers_look_like_contacts": "strangers",
    "login_contact": "logins",
}

with suppress(ModuleNotFoundError):  # pytest may be missing
    from django_piggy_verify.testing.fixtures import (
        piggy_sandbox,
        piggy_sandbox_server,
        sandbox_for,
    )


def __getattr__(name: str) -> Any:
    """Import a tool at its first use: pytest loads the fixtures before Django."""
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
