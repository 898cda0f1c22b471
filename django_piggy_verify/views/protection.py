"""
Protect every page: CSRF check, no caching, no transaction. Return errors as JSON.

The decorators wrap the whole view. So they work even if a project overrides `dispatch`.
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
from django_piggy_verify.views.negotiation import error_response, prefers_json

_View = Callable[..., HttpResponseBase]


def _read_as_utf_8(view: _View) -> _View:
    """
    Decode the request as UTF-8, which every form uses.

    Otherwise Django returns a bare 400 for some charsets in the headers, and a 500 for
    the charset "hex".
    """

    @wraps(view)
    def read(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Set only if it differs: Django then discards a form that is already read.
        if (request.encoding or "utf-8").lower() != "utf-8":
            request.encoding = "utf-8"
        return view(request, *args, **kwargs)

    return read


def _csrf_middleware() -> type[CsrfViewMiddleware]:
    """Return the project's own CSRF middleware, or Django's if it has none."""
    for path in settings.MIDDLEWARE:
        found = import_string(path)
        if isinstance(found, type) and issubclass(found, CsrfViewMiddleware):
            return found
    return CsrfViewMiddleware


class ProtectedView(View):
    """A view with the protection that every page of the flow has."""

    messages: Mapping[str, str | Promise] = {
        "csrf_failed": _("Your browser has not sent what this page needs."),
        "method_not_allowed": _("This page does not accept this kind of request."),
        "provider_unavailable": _(
            "This does not work right now. Try again in %(wait)s."
        ),
    }
    """The texts of the errors in JSON, by the code of the error."""

    @classonlymethod
    def as_view(
        cls,
        **initkwargs: Any,
    ) -> _View:
        """Return the view: never cached, CSRF-protected, anonymous, in autocommit."""
        view = cls._csrf_checked(super().as_view(**initkwargs), initkwargs)
        for guard in (
            _read_as_utf_8,
            never_cache,
            sensitive_post_parameters("email", "phone", "code", "login", "device"),
            login_not_required,
            # The check above shows our own page or JSON. The middleware would show its
            # bare page to scripts and to browsers that block cookies.
            csrf_exempt,
        ):
            view = guard(view)
        # No transaction may be open during a call to the provider.
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    @classonlymethod
    def _csrf_checked(cls, view: _View, initkwargs: dict[str, Any]) -> _View:
        """Check the CSRF token. If the check fails, show our own page."""

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            passed: list[bool] = []

            def let_through(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                passed.append(True)
                return view(request, *args, **kwargs)

            # Created at each request, because the middleware caches settings.
            check = decorator_from_middleware(_csrf_middleware())
            response: HttpResponseBase = check(let_through)(request, *args, **kwargs)
            if not passed:
                with suppress(UnreadablePostError):  # the visitor has gone away
                    response = cls._csrf_failed(initkwargs, request)
            return response

        return answer

    @classonlymethod
    def _csrf_failed(
        cls, initkwargs: dict[str, Any], request: HttpRequest
    ) -> HttpResponse:
        page = cls(**initkwargs)
        # A subclass's own `setup` must not run for a forged request.
        View.setup(page, request)
        response: HttpResponse = page.csrf_failed()
        patch_vary_headers(response, ["Accept"])
        return response

    def wants_json(self) -> bool:
        """Return whether the response is JSON. The request's ``Accept`` decides."""
        return prefers_json(self.request)

    def http_method_not_allowed(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Say which methods the page has."""
        response = self.interrupted(405, "method_not_allowed")
        response["Allow"] = self.options(request)["Allow"]
        return response

    def csrf_failed(self) -> HttpResponse:
        """Refuse a request whose CSRF check has failed. Nothing else was done."""
        return self.interrupted(403, "csrf_failed")

    def interrupted(self, status: int, code: str) -> HttpResponse:
        """Refuse a request that no page of this package makes."""
        return self.error(status, code)

    def error(
        self, status: int, code: str, *, retry_after: int = 0, limit: str = ""
    ) -> HttpResponse:
        """Return an error as JSON, with the seconds to wait and the limit, if any."""
        wait = durations.in_words(retry_after)
        message = str(self.messages[code]).replace("%(wait)s", wait)
        details = {"retry_after": retry_after, "limit": limit}
        known: dict[str, Any] = {name: each for name, each in details.items() if each}
        response = error_response(status, code, message, **known)
        if retry_after:
            response["Retry-After"] = str(retry_after)
        return response
