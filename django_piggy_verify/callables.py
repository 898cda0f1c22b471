"""Find the callables that a setting may name by their dotted paths."""

import sys
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


def why_unusable(named: object, error: Exception) -> str:
    """
    Return in words why `imported` raised `error` for `named`.

    An error that the imported module raised itself is named by its type only.
    """
    if not isinstance(named, str):
        return type(error).__name__
    path, _dot, name = named.rpartition(".")
    if not path:
        return "it is no dotted path"
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and f"{path}.".startswith(f"{missing}."):
        return f"there is no module {missing!r}"
    # Python drops a module that could not be imported.
    module = sys.modules.get(path)
    if isinstance(error, ImportError) and module and not hasattr(module, name):
        return f"the module {path!r} has no {name!r}"
    return type(error).__name__
