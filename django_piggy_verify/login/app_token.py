"""
Ask the project for the token that an app gets after a login.

The token is a credential. No frame of this module shows it while an error is raised.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest

from django_piggy_verify import callables
from django_piggy_verify.conf import conf

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


def make(request: HttpRequest, user: AbstractBaseUser) -> Mapping[str, Any]:
    """
    Return the mapping that ``PIGGY_VERIFY_APP_TOKEN`` makes for `user`.

    Raises ImproperlyConfigured if it makes no mapping, or one that JSON cannot express.
    The exceptions of the callable are not caught.
    """
    made = _mapping_or_fault(import_callable()(request, user))
    if isinstance(made, str):
        raise ImproperlyConfigured(f"{_SETTING} returned {made}")
    return made


def _mapping_or_fault(found: object) -> dict[str, Any] | str:
    """Return the mapping as a dictionary, or what is wrong with it in words."""
    if not isinstance(found, Mapping):
        return f"an object of the type {type(found).__name__}, and no mapping"
    try:
        json.dumps(dict(found), cls=DjangoJSONEncoder, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return f"what JSON cannot express: {error}"
    return dict(found)
