"""
The pages on which a user who is logged in connects a contact, and disconnects it.

They work like the login pages, but nobody is logged in: the user, the session and the
key of the session stay the same.
"""

from contextlib import suppress
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.views import redirect_to_login
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from django_piggy_verify import connecting
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    AlreadyConnected,
    CodeRejected,
    CodeRepeated,
    ContactTaken,
    ContactUnknown,
    OnlyWayIn,
    PiggyVerifyError,
    ProviderError,
)
from django_piggy_verify.forms import ConnectCodeForm
from django_piggy_verify.login import contacts, pending, redirects, verification
from django_piggy_verify.login.pending import Login
from django_piggy_verify.models import Contact
from django_piggy_verify.traits import Channel
from django_piggy_verify.views.base import FlowView
from django_piggy_verify.views.first_page import EmailView
from django_piggy_verify.views.login import CancelView, CodePage, LoginPage, ResendView
from django_piggy_verify.views.negotiation import prefers_json

_PAGES = {
    "email": "connect",
    "code": "connect-code",
    "resend": "connect-resend",
    "cancel": "connect-cancel",
}
"""The name of each connect page, by the name of the login page that it is like."""

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
        "login_refused": _("This account cannot be connected in this way."),
        "contact_taken": _("This belongs to another account."),
        "already_connected": _("Your account has another connection already."),
        "only_way_in": _("This is your only way to log in."),
        "link_not_followed": _("Follow the link in the email first."),
    }

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Bind the login in progress to the user."""
        pending.bind(request, request.user)
        super().setup(request, *args, **kwargs)

    def can_connect(self, user: AbstractBaseUser) -> bool:
        """
        Return whether `user` may connect contacts. The default is True.

        Called on each page. Users who are not active are refused before. So are staff
        and superusers without ``PIGGY_VERIFY_ALLOW_STAFF``.
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
        """Lead to ``LOGIN_URL``, and from there back to a page that has a GET."""
        if prefers_json(self.request):
            return self.error(403, "login_required")
        if self.request.method in {"GET", "HEAD"}:
            return redirect_to_login(self.request.get_full_path())
        return HttpResponseRedirect(self.get_login_url())

    def response_to(self, error: PiggyVerifyError) -> HttpResponse:
        """Return the response to a request that `error` has ended."""
        code = _CONFLICTS.get(type(error))
        return self.conflict(code) if code else super().response_to(error)

    def conflict(self, code: str) -> HttpResponse:
        """Say why the contact cannot be connected or disconnected, and no more."""
        return self._failure(409, code, self.conflict_template_name, conflict=code)

    def refused(self) -> HttpResponse:
        """Say that the user may not connect a contact. The link leads out of here."""
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
        """Return the way on which the provider sends a code or a link."""
        kind = self.get_channel()
        with suppress(ProviderError):  # the page is about this error
            return verification.traits().way_to(kind) or kind
        return kind

    def get_code_page_url(self, login: Login) -> str:
        """Return the URL of the page for the code, or of the one for the link."""
        return self.get_page_url("connect-link" if _has_link(login) else "code")

    def get_target_url(self, next_url: str) -> str:
        """Return `next_url` if it stays on this site, else the list of contacts."""
        is_kept = redirects.is_safe(next_url, self.request)
        return next_url if is_kept else self.get_page_url("email")


class ConnectView(ConnectPage, EmailView):
    """
    Lists the contacts of the user, and asks for an address or a number to connect.

    Context of the template: that of `EmailView`, `contacts` (the user's contacts, the
    oldest first), `disconnect_url` (to post the `contact` to, its primary key).
    `channel` is "link" if a link is mailed in place of a code.
    """

    template_name = "piggy_verify/connect.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or return the contacts and the CSRF token to a script."""
        if prefers_json(request):
            found = map(_in_json, self.get_contacts())
            body = {"csrf_token": get_token(request), "contacts": list(found)}
            return JsonResponse(body)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the contacts of the user."""
        return super().get_context_data(
            contacts=self.get_contacts(),
            disconnect_url=self.get_page_url("disconnect"),
            **kwargs,
        )

    def get_contacts(self) -> Any:
        """Return the contacts of the user."""
        return connecting.contacts_of(cast("AbstractBaseUser", self.request.user))


class ConnectCodeView(ConnectPage, CodePage):
    """
    Asks for the code, checks it, and connects the contact.

    If a link was mailed, the page leads to `ConnectLinkView`. A script still gets the
    state of the login in progress.
    """

    form_class = ConnectCodeForm
    template_name = "piggy_verify/connect_code.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or return the state of the login in progress as JSON."""
        if _has_link(self.open_login) and not prefers_json(request):
            return self.lead_to_code_page(self.open_login)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the code, and connect the contact."""
        if _has_link(self.open_login):
            return self.lead_to_code_page(self.open_login)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Form) -> HttpResponse:
        """Redirect. The form has connected the contact."""
        return self.connected()


class ConnectResendView(ConnectPage, ResendView):
    """Sends another code or link. The count of wrong codes stays."""


class ConnectCancelView(ConnectPage, CancelView):
    """Forgets the login in progress. The contacts of the user stay."""


class ConnectLinkView(ConnectPage, LoginPage):
    """
    The page that a mailed link leads back to. Its button asks the provider.

    Whoever opens the page gets the same page, whatever the query is, because nobody
    has signed the query. Programs that scan mails open it, too. So it says nothing of
    the login in progress.

    Context of the template: `form_url`, `start_url`. After a "no" of the provider, also
    `is_not_followed`, `recipient`, `resend_in` (seconds), `login`, `resend_url` and
    `cancel_url`.
    """

    http_method_names = ["get", "head", "post", "options"]
    template_name = "piggy_verify/connect_link.html"

    def has_page(self) -> bool:
        """Return whether the provider mails links."""
        if not super().has_page():
            return False
        return verification.traits().way_to(Channel.EMAIL) is Channel.LINK

    def turned_away(self) -> HttpResponse | None:
        """Show the page to everybody. Only a user who is logged in can post it."""
        return super().turned_away() if self.request.method == "POST" else None

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the page, or return the CSRF token to a script."""
        if prefers_json(request):
            return JsonResponse({"csrf_token": get_token(request)})
        return self._render()

    def post(self, request: HttpRequest) -> HttpResponse:
        """
        Ask the provider whether the link was followed, and connect the contact.

        If a code was sent, lead to the page for it.
        """
        login = self.open_login
        if not _has_link(login):
            return self.lead_to_code_page(login)
        try:
            checked = verification.check_link(login.recipient, request=request)
        except CodeRejected:
            verification.require_attempts_left(request)
            return self.not_followed()
        except CodeRepeated as repetition:
            return self.repeated(repetition)
        connecting.connect(checked, request=request)
        return self.connected()

    def not_followed(self) -> HttpResponse:
        """Say that the provider does not know yet that the link was followed."""
        if prefers_json(self.request):
            return self.error(409, "link_not_followed")
        login = self.open_login
        return self._render(
            is_not_followed=True,
            recipient=login.recipient,
            resend_in=login.resend_in,
            login=login,
            resend_url=self.get_page_url("resend"),
            cancel_url=self.get_page_url("cancel"),
        )

    def ask_to_log_in(self) -> HttpResponse:
        """Lead to ``LOGIN_URL``, and from there back to this page."""
        if prefers_json(self.request):
            return super().ask_to_log_in()
        return redirect_to_login(self.request.path)

    def _render(self, **context: Any) -> HttpResponse:
        context["form_url"] = self.get_page_url("connect-link")
        context["start_url"] = self.get_page_url("email")
        return render(self.request, self.template_name, context)


class DisconnectView(ConnectPage):
    """Deletes a contact of the user, with its tokens."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """Delete the contact whose primary key is in the field `contact`."""
        try:
            connecting.disconnect(
                self.data.get("contact", ""),
                user=cast("AbstractBaseUser", request.user),
                request=request,
                is_only_way_in=self.is_only_way_in,
            )
        except ContactUnknown:
            return self.not_found()
        if prefers_json(request):
            return HttpResponse(status=204)
        return HttpResponseRedirect(self.get_page_url("email"))

    def is_only_way_in(self, user: AbstractBaseUser, contact: Contact) -> bool:
        """
        Return whether `user` could not log in without `contact`.

        The default knows passwords and contacts only. If your users have other ways to
        log in, override it.
        """
        return connecting.is_only_way_in(user, contact)


def _has_link(login: Login) -> bool:
    """Return whether a link is mailed for a login in progress, and no code is sent."""
    return verification.channel_to(login.recipient) is Channel.LINK


def _in_json(contact: Contact) -> dict[str, Any]:
    return {
        "contact": contact.pk,
        "provider": contact.provider,
        "email": contact.email,
        "phone": contact.phone,
    }
