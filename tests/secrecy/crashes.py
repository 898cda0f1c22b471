"""Let functions crash in the middle of a step."""

import inspect
from pkgutil import resolve_name

import pytest

from django_piggy_verify.secret import Secret
from tests.secrecy import evidence as sinks

WIRE = """
    django_piggy_verify.http.client._distinct
    django_piggy_verify.http.client._parse
    django_piggy_verify.http.client._read
    django_piggy_verify.http.client._send
    django_piggy_verify.http.connections._Punctual.putheader
    django_piggy_verify.http.connections._Punctual.send
    django_piggy_verify.http.connections._UntilDeadline.readinto
    requests.adapters.HTTPAdapter.send
"""


def crashing(steps):
    """Parametrize a test by a step and by the path of a function of this step."""
    pairs = [(step, path) for step in steps for path in steps[step].split()]
    return pytest.mark.parametrize(("step", "path"), pairs)


def crash_at(path, evidence, error):
    """Return a function that raises `error`, for use in place of the one at `path`."""
    has_frame = path not in WIRE and not _is_of_c(resolve_name(path))

    def crash(*args, **kwargs):
        if has_frame:
            # The frame of the real function would hold them.
            evidence.note("errors", *map(sinks.shown, [*args, *kwargs.values()]))
        raise error("broken on purpose")

    return crash


def _is_of_c(function):
    """Return whether no traceback has a frame of this function."""
    return inspect.isbuiltin(function) or function is Secret
