"""
Ask the project for the token that an app gets after a login.

The token is a credential. No frame of this module shows it while an error is raised.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest

from django_piggy_verify import callables
from django_piggy_verify.conf import conf
from django_piggy_verify.secret import Secret

_SETTING = "PIGGY_VERIFY_APP_TOKEN"


def import_callable() -> Callable[..., Any]:
    """
    Return the callable that ``PIGGY_VERIFY_APP_TOKEN`` names.

    Raises ImproperlyConfigured if it cannot be imported or called.
    """
    try:
        return callables.imported(conf.app_token)
    except Exception as error:
        reason = callables.why_unusable(conf.app_token, error)
        raise ImproperlyConfigured(f"{_SETTING} cannot be used: {reason}") from error


def make(request: HttpRequest, user: AbstractBaseUser) -> Secret:
    """
    Return the mapping that ``PIGGY_VERIFY_APP_TOKEN`` makes for `user`, as JSON.

    Raises ImproperlyConfigured if it makes no mapping, or one that JSON cannot express.
    The exceptions of the callable are not caught.
    """
    made = _Made(import_callable()(request, user))
    if not isinstance(made.found, Mapping):
        kind = type(made.found).__name__
        fault = f"an object of the type {kind}, and no mapping"
        raise ImproperlyConfigured(f"{_SETTING} returned {fault}")
    try:
        return _json_of(made)
    except (TypeError, ValueError, RecursionError) as error:
        fault = f"what JSON cannot express: {error}"
    # Outside of the block, because an error report would show the frames of `json`.
    raise ImproperlyConfigured(f"{_SETTING} returned {fault}")


@dataclass(frozen=True, slots=True)
class _Made:
    """The mapping of the callable. The type hides it from logs and tracebacks."""

    found: object = field(repr=False)


def _json_of(made: _Made) -> Secret:
    # In one expression, because an error report would show a local variable.
    return Secret(
        json.dumps(
            dict(cast("Mapping[str, Any]", made.found)),
            cls=DjangoJSONEncoder,
            allow_nan=False,
        )
    )
