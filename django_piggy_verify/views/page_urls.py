"""The URLs to which the pages lead. Each is the result of a method of `PageURLs`."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.functional import cached_property

from django_piggy_verify.login import pending, redirects
from django_piggy_verify.login.logins import Login
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel
from django_piggy_verify.views.negotiation import form_data
from django_piggy_verify.views.protection import ProtectedView


class PageURLs(ProtectedView):
    """A page that knows the URLs of the other pages, and what was posted to it."""

    @cached_property
    def data(self) -> Any:
        """Return the posted fields, from a form or a JSON body."""
        data: Any = form_data(self.request)
        if "code" in data:
            # Tracebacks show the data of forms, so hide the code in it.
            data = data.copy()
            data["code"] = Secret(data["code"])
        return data

    def get_next(self) -> str:
        """Return the posted or requested `next`, unchecked, or a blank text."""
        return self.data.get("next") or self.request.GET.get("next", "")

    def get_safe_next(self) -> str:
        """
        Return `get_next` if it is short and stays on this site, else a blank text.

        Django says that a very long URL leaves the site. So the length is compared
        first, and the log says that the `next` was too long.
        """
        next_url = self.get_next()
        is_kept = pending.fits(next_url) and redirects.is_safe(next_url, self.request)
        return next_url if is_kept else ""

    def get_target_url(self, next_url: str) -> str:
        """Return `next_url` if it stays on this site, else ``LOGIN_REDIRECT_URL``."""
        if redirects.is_safe(next_url, self.request):
            return next_url
        return resolve_url(settings.LOGIN_REDIRECT_URL)

    def get_page_url(self, name: str) -> str:
        """Return the URL of another login page, by its name."""
        match = self.request.resolver_match
        return reverse(
            f"piggy_verify:{name}", current_app=match.namespace if match else None
        )

    def get_channel(self) -> Channel:
        """Return the channel of the login in progress. Without one, it is e-mail."""
        login = pending.attached_to(self.request)
        return login.channel if login else Channel.EMAIL

    def get_way(self) -> Channel:
        """Return the channel of the code, for the texts of the pages."""
        return self.get_channel()

    def get_start_url(self, next_url: str, **query: Any) -> str:
        """Return the URL of the first page, with `next_url` in its query."""
        return self.get_first_page_url(self.get_channel(), next_url, **query)

    def get_first_page_url(self, channel: Channel, next_url: str, **query: Any) -> str:
        """Return the URL of the page that asks for the recipient of a channel."""
        if channel is Channel.SMS:
            query["by"] = "phone"
        if redirects.is_safe(next_url, self.request):
            query["next"] = next_url
        url = self.get_page_url("email")
        return f"{url}?{urlencode(query, doseq=True)}" if query else url

    def get_code_page_url(self, login: Login) -> str:
        """Return the URL of the page to go on with a login in progress."""
        return self.get_page_url("code")

    def get_login_url(self) -> str:
        """Return ``LOGIN_URL``, with the first page of the flow as its `next`."""
        return redirect_to_login(self.get_start_url(self.get_next())).url

    def get_retry_url(self) -> str:
        """Return the URL of the link "Try again" after an outage."""
        return self.get_start_url(self.get_next())
