"""Find the callables that a setting may name by their dotted paths."""

from collections.abc import Callable
from typing import Any

from django.utils.module_loading import import_string


def imported(named: object) -> Callable[..., Any]:
    """
    Return the callable in a setting, or the one at the dotted path in it.

    Raises TypeError if it is not callable. Errors of the import are not caught.
    """
    found: Any = import_string(named) if isinstance(named, str) else named
    if not callable(found):
        raise TypeError("not a callable")
    return found  # type: ignore[no-any-return]
