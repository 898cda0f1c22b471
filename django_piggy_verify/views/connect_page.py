"""
The base of the pages on which a user who is logged in connects a contact.

They work like the login pages, but nobody is logged in: the user, the session and the
key of the session stay the same.
"""

from contextlib import suppress
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    AlreadyConnected,
    ContactTaken,
    OnlyWayIn,
    PiggyVerifyError,
    ProviderError,
)
from django_piggy_verify.login import contacts, logins, pending, redirects, verification
from django_piggy_verify.login.logins import Login
from django_piggy_verify.traits import Channel
from django_piggy_verify.views.base import FlowView

_PAGES = {
    "email": "connect",
    "code": "connect-code",
    "resend": "connect-resend",
    "cancel": "connect-cancel",
}
"""The name of each connect page, by the name of the login page that is like it."""

_CONFLICTS: dict[type[PiggyVerifyError], str] = {
    ContactTaken: "contact_taken",
    AlreadyConnected: "already_connected",
    OnlyWayIn: "only_way_in",
}


class ConnectPage(FlowView):
    """
    A page for a user who is logged in. Mix it into a login page.

    The pages return 404 unless ``PIGGY_VERIFY_CONNECT`` is on. To let only some users
    connect a contact, override `can_connect`.
    """

    redirect_authenticated_user = False
    limited_template_name = "piggy_verify/connect_limited.html"
    unavailable_template_name = "piggy_verify/connect_unavailable.html"
    unsent_template_name = "piggy_verify/connect_unsent.html"
    spent_template_name = "piggy_verify/connect_spent.html"
    refused_template_name = "piggy_verify/connect_refused.html"
    conflict_template_name = "piggy_verify/connect_conflict.html"
    messages = {
        **FlowView.messages,
        "login_expired": _("The time is over, or nothing was begun. Start again."),
        "login_refused": _("You cannot connect anything to this account in this way."),
        "contact_taken": _("This belongs to another account."),
        "already_connected": _("Your account has another connection already."),
        "only_way_in": _(
            "This is your only way to log in. Set a password first, or ask the shop for"
            " help."
        ),
        "link_not_followed": _("Follow the link in the email first."),
    }

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Bind the login in progress to the user."""
        pending.bind(request, request.user)
        super().setup(request, *args, **kwargs)

    def can_connect(self, user: AbstractBaseUser) -> bool:
        """
        Return whether `user` may connect contacts. The default is True.

        Each page calls this method. It is not called for users who are not active. With
        ``PIGGY_VERIFY_ALLOW_STAFF`` off, it is not called for staff and superusers.
        """
        return True

    def has_page(self) -> bool:
        """Return whether ``PIGGY_VERIFY_CONNECT`` is on."""
        return conf.connect

    def turned_away(self) -> HttpResponse | None:
        """Refuse a visitor who is not logged in, or who may not connect contacts."""
        if not self.request.user.is_authenticated:
            return self.ask_to_log_in()
        user = self.request.user
        if not (contacts.may_log_in(user) and self.can_connect(user)):
            return self.refused()
        return super().turned_away()

    def ask_to_log_in(self) -> HttpResponse:
        """Redirect to ``LOGIN_URL``, which leads back to a page that has a GET."""
        if self.wants_json():
            return self.error(403, "login_required")
        if self.request.method in {"GET", "HEAD"}:
            return redirect_to_login(self.request.get_full_path())
        # A logout ends the login in progress. The form still has its `next`.
        named = pending.read(self.data.get(logins.FIELD, ""))
        next_url = (named and named.next) or self.get_next()
        return redirect_to_login(self.get_start_url(next_url))

    def csrf_failed(self) -> HttpResponse:
        """Refuse the request, and lead back to what this user has begun."""
        pending.bind(self.request, self.request.user)
        return super().csrf_failed()

    def response_to(self, error: PiggyVerifyError) -> HttpResponse:
        """Return the response to a request that `error` has ended."""
        code = _CONFLICTS.get(type(error))
        return self.conflict(code) if code else super().response_to(error)

    def conflict(self, code: str) -> HttpResponse:
        """Say why the contact cannot be connected or disconnected, and no more."""
        return self._failure(409, code, self.conflict_template_name, conflict=code)

    def refused(self) -> HttpResponse:
        """Say that the user may not connect a contact, with a link to other pages."""
        response = self._failure(
            403,
            "login_refused",
            self.refused_template_name,
            back_url=super().get_target_url(self.get_next()),
        )
        pending.forget(self.request, response)
        return response

    def connected(self) -> HttpResponse:
        """Redirect after a contact was connected, and forget the login in progress."""
        response = self.send_on(self.get_next())
        pending.forget(self.request, response)
        return response

    def get_page_url(self, name: str) -> str:
        """Return the URL of the connect page that is like the login page `name`."""
        return super().get_page_url(_PAGES.get(name, name))

    def get_way(self) -> Channel:
        """Return the channel on which the provider sends a code or a link."""
        kind = self.get_channel()
        with suppress(ProviderError):  # the page is about this error
            return verification.traits().way_to(kind) or kind
        return kind

    def get_code_page_url(self, login: Login) -> str:
        """Return the URL of the page for the code, or of the one for the link."""
        with suppress(ProviderError):  # the page is about this error
            if has_link(login):
                return self.get_page_url("connect-link")
        return self.get_page_url("code")

    def get_target_url(self, next_url: str) -> str:
        """Return `next_url` if it stays on this site, else the list of contacts."""
        is_kept = redirects.is_safe(next_url, self.request)
        return next_url if is_kept else self.get_page_url("email")


def has_link(login: Login) -> bool:
    """Return whether a link is mailed for a login in progress, and no code is sent."""
    return verification.channel_to(login.recipient) is Channel.LINK
