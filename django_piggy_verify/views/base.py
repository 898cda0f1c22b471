"""
The base of the login pages. Each outcome of a request is one method of `FlowView`.

Each of these methods returns a response in HTML or in JSON. Those for a failure are in
`failures`.
"""

from contextlib import suppress
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.utils.cache import patch_vary_headers

from django_piggy_verify.exceptions import PiggyVerifyError, ProviderError
from django_piggy_verify.login import browsers, pending, redirects, verification
from django_piggy_verify.login.logins import Login
from django_piggy_verify.views.failures import FailurePages

_LOOP: Final = (
    "Redirection loop for authenticated user detected. LOGIN_REDIRECT_URL, or"
    " get_target_url() of the view, leads to a login page."
)


class FlowView(FailurePages):
    """
    A page of the login.

    It redirects visitors who are logged in, and shows a page for every failure.
    """

    redirect_authenticated_user = True

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Handle the request, and show a page for each failure."""
        try:
            response = self._early_response() or super().dispatch(
                request, *args, **kwargs
            )
        except PiggyVerifyError as error:
            response = self.response_to(error)
        # After a send that has failed too, since the vendor may know the browser now.
        browsers.remember(request, response)
        patch_vary_headers(response, ["Accept"])
        return response

    def has_page(self) -> bool:
        """Return whether the project has this page. Otherwise it returns 404."""
        try:
            return verification.traits().can_log_in
        except ProviderError:
            # A visitor who is logged in is sent on, even if nobody can log in now.
            if not self.request.user.is_authenticated:
                raise
        return True

    def _early_response(self) -> HttpResponse | None:
        """Call `turned_away`, except for OPTIONS and methods that the page lacks."""
        if not self.has_page():
            return self.not_found()
        return self.turned_away() if self._is_shown() else None

    def _is_shown(self) -> bool:
        method = str(self.request.method).lower()
        return method != "options" and method in self.http_method_names

    def turned_away(self) -> HttpResponse | None:
        """Return the response for a visitor who must not see this page, or None."""
        if self.redirect_authenticated_user and self.request.user.is_authenticated:
            return self.send_on(self._next_out_of_the_flow())
        return None

    def _next_out_of_the_flow(self) -> str:
        """
        Return the `next` of a visitor who is logged in, without login pages in between.

        Raises ValueError if every redirect would lead to a login page again.

        Source: ``LoginView.dispatch`` of Django raises ValueError as well.
        """
        for next_url in (self.get_next(), ""):
            target = self.get_target_url(next_url)
            for each in (next_url, redirects.next_in(target)):
                if not self._sends_on(self.get_target_url(each)):
                    return each
        raise ValueError(_LOOP)

    def _sends_on(self, url: str) -> bool:
        """Return whether `url` is a login page of this site that redirects again."""
        url = urljoin(self.request.path, url)
        is_here = urlsplit(url).netloc in {"", self.request.get_host()}
        return is_here and redirects.sends_on(url)

    def csrf_failed(self) -> HttpResponse:
        """
        Redirect a visitor who is logged in, as the page itself does.

        A login changes the CSRF token. So forms that were open before the login fail
        the check. Examples are a second click on the code form, and the login page in
        another tab.
        """
        with suppress(ProviderError):
            if not self.has_page():
                return self.not_found()
        # The method of a subclass may do more, which a forged request must not cause.
        redirect = FlowView.turned_away(self) if self._is_shown() else None
        return redirect or super().csrf_failed()

    def send_on(self, next_url: str) -> HttpResponse:
        """Redirect a visitor who is logged in to `next_url`, if it is safe."""
        url = self.get_target_url(next_url)
        if self.wants_json():
            return JsonResponse({"redirect_to": url})
        return HttpResponseRedirect(url)

    def waiting_for_code(self, login: Login) -> HttpResponse:
        """Redirect to the code page, and store the login in progress."""
        response = self.lead_to_code_page(login)
        pending.remember(self.request, response, login)
        return response

    def lead_to_code_page(self, login: Login) -> HttpResponse:
        """Redirect to the code page, or return the state of `login` to a script."""
        if self.wants_json():
            return JsonResponse(state(login), status=202)
        return HttpResponseRedirect(self.get_code_page_url(login))


def state(login: Login) -> dict[str, Any]:
    """Return the parts of a login in progress that a page or a script may know."""
    return {
        "recipient": login.recipient,
        "channel": str(verification.channel_to(login.recipient)),
        "expires_in": login.expires_in,
        "resend_in": login.resend_in,
        "sent": not login.is_held_back,
    }
