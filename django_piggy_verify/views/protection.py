"""
What every page of the flow is guarded by, and what a script is told of an error.

The guards wrap the view itself, so that no override of `dispatch` loses them.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connections, transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    UnreadablePostError,
)
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.decorators import classonlymethod, decorator_from_middleware
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from django_piggy_verify import durations
from django_piggy_verify.views.negotiation import error_response

_View = Callable[..., HttpResponseBase]


def _read_as_utf_8(view: _View) -> _View:
    """
    Read what was sent as UTF-8, as every form sends it.

    Of a charset that its headers claim Django makes a bare 400, or of "hex" a 500; if
    there is a query as well, before anybody can do something about it.
    """

    @wraps(view)
    def read(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Left alone otherwise: a middleware may have read the form, which is then gone.
        if (request.encoding or "utf-8").lower() != "utf-8":
            request.encoding = "utf-8"
        return view(request, *args, **kwargs)

    return read


def _csrf_middleware() -> type[CsrfViewMiddleware]:
    """Answer the project's own check of CSRF tokens, if it has one, or Django's."""
    for path in settings.MIDDLEWARE:
        found = import_string(path)
        if isinstance(found, type) and issubclass(found, CsrfViewMiddleware):
            return found
    return CsrfViewMiddleware


class ProtectedView(View):
    """A view with the guards that every page of the flow has."""

    messages: Mapping[str, str | Promise] = {
        "csrf_failed": _("Your browser has not sent what this page needs."),
        "method_not_allowed": _("This page cannot be asked for in this way."),
        "provider_unavailable": _(
            "This does not work right now. Try again in %(wait)s."
        ),
    }
    """What scripts are told, by the code of the error."""

    @classonlymethod
    def as_view(
        cls,
        **initkwargs: Any,
    ) -> _View:
        """Answer the view: never cached, CSRF-protected, anonymous, in autocommit."""
        view = cls._csrf_checked(super().as_view(**initkwargs), initkwargs)
        for guard in (
            _read_as_utf_8,
            never_cache,
            sensitive_post_parameters("email", "code", "login"),
            login_not_required,
            # The middleware would answer what fails the check above with its own
            # bare page, also where a script asks, or where cookies are blocked.
            csrf_exempt,
        ):
            view = guard(view)
        # No transaction may be open while the provider is called.
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    @classonlymethod
    def _csrf_checked(cls, view: _View, initkwargs: dict[str, Any]) -> _View:
        """Have the CSRF token checked, and answer a failure ourselves."""

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            passed: list[bool] = []

            def let_through(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                passed.append(True)
                return view(request, *args, **kwargs)

            # Made anew each time: a check keeps the settings that it has read.
            check = decorator_from_middleware(_csrf_middleware())
            response: HttpResponseBase = check(let_through)(request, *args, **kwargs)
            if not passed:
                with suppress(UnreadablePostError):  # then nobody waits for an answer
                    response = cls._csrf_failed(initkwargs, request)
            return response

        return answer

    @classonlymethod
    def _csrf_failed(
        cls, initkwargs: dict[str, Any], request: HttpRequest
    ) -> HttpResponse:
        page = cls(**initkwargs)
        # Not that of a subclass: it is not meant for what others have forged.
        View.setup(page, request)
        response: HttpResponse = page.csrf_failed()
        patch_vary_headers(response, ["Accept"])
        return response

    def http_method_not_allowed(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Say which methods there are."""
        response = self.interrupted(405, "method_not_allowed")
        response["Allow"] = self.options(request)["Allow"]
        return response

    def csrf_failed(self) -> HttpResponse:
        """Refuse a request whose CSRF check has failed. Nothing else was done."""
        return self.interrupted(403, "csrf_failed")

    def interrupted(self, status: int, code: str) -> HttpResponse:
        """Answer a request that none of the pages makes."""
        return self.error(status, code)

    def error(self, status: int, code: str, *, retry_after: int = 0) -> HttpResponse:
        """Tell a script what went wrong, and in how many seconds to try again."""
        wait = durations.in_words(retry_after)
        message = str(self.messages[code]).replace("%(wait)s", wait)
        response = error_response(status, code, message)
        if retry_after:
            response["Retry-After"] = str(retry_after)
        return response
