"""A line that tells whoever sits at a terminal how far a command has come."""

from typing import Final

from django.core.management.base import OutputWrapper

_WIDTH: Final = 60


class Line:
    """Is rewritten in place, and is seen on a terminal only: no log is full of it."""

    def __init__(self, out: OutputWrapper, *, is_wanted: bool) -> None:
        self._out = out
        self._is_seen = is_wanted and out.isatty()

    def show(self, text: str) -> None:
        """Put `text` in the place of what stood there."""
        if self._is_seen:
            self._out.write(f"\r{text:{_WIDTH}}", ending="")
            self._out.flush()

    def clear(self) -> None:
        """Leave an empty line, with the cursor at its beginning."""
        if self._is_seen:
            self._out.write(f"\r{'':{_WIDTH}}\r", ending="")
