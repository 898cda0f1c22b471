"""
Text that does not show itself. Only that: what is secret is decided elsewhere.

Tracebacks, debug pages and error reporters print the `repr` of every local
variable; wrapping a secret where it enters keeps it out of all of them.
"""


class Secret(str):
    """A `str` whose `repr` gives nothing away; its value is an ordinary string."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Answer a placeholder, since reprs end up in tracebacks and logs."""
        return "'**********'"
