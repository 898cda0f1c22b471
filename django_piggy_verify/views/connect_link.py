"""The page that a mailed link leads back to."""

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render

from django_piggy_verify import connecting
from django_piggy_verify.exceptions import CodeRejected, CodeRepeated
from django_piggy_verify.login import verification
from django_piggy_verify.views.connect_page import ConnectPage, has_link
from django_piggy_verify.views.login import LoginPage


class ConnectLinkView(ConnectPage, LoginPage):
    """
    The page that a mailed link leads back to. Its button asks the provider.

    Everybody gets the same page, whatever the query is, because the query is not
    signed. Programs that scan mails open the page, too. So the page shows nothing of
    the login in progress.

    Context of the template: `form_url`, `start_url`. After a "no" of the provider, also
    `is_not_followed`, `recipient`, `resend_in` (seconds), `login`, `resend_url` and
    `cancel_url`.
    """

    http_method_names = ["get", "head", "post", "options"]
    template_name = "piggy_verify/connect_link.html"

    def turned_away(self) -> HttpResponse | None:
        """Show the page to everybody. Only a user who is logged in can post it."""
        return super().turned_away() if self.request.method == "POST" else None

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the page, or return the CSRF token to a script."""
        if self.wants_json():
            return JsonResponse({"csrf_token": get_token(request)})
        return self._render()

    def post(self, request: HttpRequest) -> HttpResponse:
        """
        Ask the provider whether the link was followed, and connect the contact.

        If a code was sent, lead to the page for it.
        """
        login = self.open_login
        if not has_link(login):
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
        if self.wants_json():
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
        if self.wants_json():
            return super().ask_to_log_in()
        return redirect_to_login(self.request.path)

    def _render(self, **context: Any) -> HttpResponse:
        context["form_url"] = self.get_page_url("connect-link")
        context["start_url"] = self.get_page_url("email")
        return render(self.request, self.template_name, context)
