"""Show the progress of a command on a terminal."""

from typing import Final

from django.core.management.base import OutputWrapper

_WIDTH: Final = 60


class Line:
    """A line that is overwritten in place. It appears on a terminal only."""

    def __init__(self, out: OutputWrapper, *, is_wanted: bool) -> None:
        self._out = out
        self._is_seen = is_wanted and out.isatty()

    def show(self, text: str) -> None:
        """Replace the line with `text`."""
        if self._is_seen:
            self._out.write(f"\r{text:{_WIDTH}}", ending="")
            self._out.flush()

    def clear(self) -> None:
        """Empty the line, and move the cursor to its beginning."""
        if self._is_seen:
            self._out.write(f"\r{'':{_WIDTH}}\r", ending="")
