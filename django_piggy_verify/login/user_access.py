"""
Ask the project for the access of the logged-in user to the vendor.

The access has a token of the person. No log and no frame of this module shows it.
"""

import sys
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from django_piggy_verify import callables, events
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import LoginRequired, ProviderRefused
from django_piggy_verify.providers.base import UserAccess, is_uid
from django_piggy_verify.secret import is_token


def find(request: HttpRequest | None) -> UserAccess:
    """
    Return the access that ``PIGGY_VERIFY_USER_ACCESS`` returns for this request.

    Raises LoginRequired if there is no request, or no usable access. The log says why
    there is no access. Raises ProviderRefused, and logs it, if the setting is missing,
    or names no callable.
    """
    if request is None:
        raise LoginRequired("without a request, nobody is logged in at the provider")
    access, fault = _ask(_callable(), request)
    if fault:
        events.USER_ACCESS_FAILED.log(found=fault)
    elif access is None:
        events.USER_ACCESS_MISSING.log()
    if access is None:
        raise LoginRequired("the user is not logged in at the provider")
    return access


def import_callable() -> Callable[[HttpRequest], Any]:
    """
    Return the callable that ``PIGGY_VERIFY_USER_ACCESS`` names.

    Raises TypeError if it is not callable. Errors of the import are not caught.
    """
    return callables.imported(conf.user_access)


def why_unusable(error: Exception) -> str:
    """Return in words why `import_callable` raised `error`."""
    if conf.user_access is None:
        return "it is missing"
    return callables.why_unusable(conf.user_access, error)


def _callable() -> Callable[[HttpRequest], Any]:
    try:
        return import_callable()
    except Exception as error:
        reason = why_unusable(error)
        cause = f"PIGGY_VERIFY_USER_ACCESS cannot be used: {reason}"
        refusal = ProviderRefused(cause, may_depend_on_contact=False)
        events.PROVIDER_REFUSED.log(
            verb="access", cause=cause, status=None, api_code=None, duration=0
        )
        raise refusal from error


def _ask(
    ask: Callable[[HttpRequest], Any], request: HttpRequest
) -> tuple[UserAccess | None, str]:
    """
    Return the access, or None and what is wrong with it.

    A value of another type may be the token itself, and the text of an exception may
    hold it. So no local variable holds either of them.
    """
    try:
        found = _access_or_type(ask(request))
    except Exception:  # noqa: BLE001  a project's own code may raise anything
        return None, f"it raised {_name_of_current_error()}"
    if isinstance(found, type):
        return None, f"an object of the type {found.__name__}"
    fault = _fault_of(found) if found else ""
    return (None, fault) if fault else (found, "")


def _access_or_type(found: object) -> UserAccess | type | None:
    return found if found is None or isinstance(found, UserAccess) else type(found)


def _name_of_current_error() -> str:
    return type(sys.exception()).__name__


def _fault_of(access: UserAccess) -> str:
    if not is_uid(access.uid):
        return "its uid is not 1 to 64 printable characters"
    return "" if is_token(access.token) else "its token is not printable ASCII"
