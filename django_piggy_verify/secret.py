"""
Texts, bytes and numbers whose `repr` is hidden.

Tracebacks, debug pages and error reporters print the `repr` of every local variable.
They do not show a secret that the program wraps as soon as it gets the secret.
"""

import re
from typing import Final, TypeGuard

_PLACEHOLDER: Final = "'**********'"

# Any printable text is accepted. Other texts may be impossible to store: a lone
# surrogate is an example.
_TOKEN: Final = re.compile(r"[!-~]{1,8192}")


class Secret(str):
    """A `str` with a hidden `repr`. Its value is an ordinary string."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a placeholder."""
        return _PLACEHOLDER


class SecretBytes(bytes):
    """A `bytes` with a hidden `repr`, and so with a hidden `str`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a placeholder."""
        return _PLACEHOLDER


class SecretInt(int):
    """An `int` with a hidden `repr`. Its `str` is the ordinary one."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a placeholder."""
        return _PLACEHOLDER

    # Otherwise the `str` of each number would be the placeholder. A provider that makes
    # a text of a numeric id would then have one id for all contacts.
    __str__ = int.__repr__


class SecretFloat(float):
    """A `float` with a hidden `repr`. Its `str` is the ordinary one."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a placeholder."""
        return _PLACEHOLDER

    __str__ = float.__repr__


def is_token(value: object) -> TypeGuard[str]:
    """Return whether the value can be a token: up to 8192 characters of ASCII."""
    # The `repr` of a match would show the token.
    return isinstance(value, str) and bool(_TOKEN.fullmatch(value))
