"""
A text whose `repr` is hidden.

Tracebacks, debug pages and error reporters print the `repr` of every local variable.
A secret that is wrapped where it enters the program stays out of all of them.
"""


class Secret(str):
    """A `str` with a hidden `repr`. Its value is an ordinary string."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return a placeholder."""
        return "'**********'"
