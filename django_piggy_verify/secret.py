"""
A text whose `repr` is hidden.

Tracebacks, debug pages and error reporters print the `repr` of every local variable.
They do not show a secret that the program wraps as soon as it gets the secret.
"""


class Secret(str):
    """A `str` with a hidden `repr`. Its value is an ordinary string."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a placeholder."""
        return "'**********'"
