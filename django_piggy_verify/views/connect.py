"""The pages on which a user connects a contact with a code, and disconnects it."""

from collections.abc import Sequence
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.utils.translation import gettext

from django_piggy_verify import connecting
from django_piggy_verify.exceptions import ContactUnknown
from django_piggy_verify.forms import ConnectCodeForm
from django_piggy_verify.login import verification
from django_piggy_verify.models import Contact
from django_piggy_verify.views.connect_page import ConnectPage, has_link
from django_piggy_verify.views.first_page import EmailView
from django_piggy_verify.views.login import CancelView, CodePage, ResendView
from django_piggy_verify.views.negotiation import error_response


class ConnectView(ConnectPage, EmailView):
    """
    Lists the contacts of the user, and asks for an address or a number to connect.

    Context of the template: that of `EmailView`, `contacts` (the user's contacts, the
    oldest first), `disconnect_url` (to post the `contact` to, its primary key).
    `channel` is "link" if a link is mailed in place of a code. `can_log_in` says
    whether a contact of the provider logs in.
    """

    template_name = "piggy_verify/connect.html"
    # The list of contacts stands before the form.
    focuses_form = False

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or return the contacts and the CSRF token to a script."""
        if self.wants_json():
            found = map(_in_json, self.get_contacts())
            body = {"csrf_token": get_token(request), "contacts": list(found)}
            return JsonResponse(body)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the contacts of the user, and what they are good for."""
        return super().get_context_data(
            can_log_in=verification.traits().can_log_in,
            contacts=self.get_contacts(),
            disconnect_url=self.get_page_url("disconnect"),
            **kwargs,
        )

    def get_contacts(self) -> Sequence[Contact]:
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
        if has_link(self.open_login) and not self.wants_json():
            return self.lead_to_code_page(self.open_login)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the code, and connect the contact."""
        if has_link(self.open_login):
            return self.lead_to_code_page(self.open_login)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Form) -> HttpResponse:
        """Redirect. The form has connected the contact."""
        return self.connected()


class ConnectResendView(ConnectPage, ResendView):
    """Sends another code or link. The count of wrong codes stays."""


class ConnectCancelView(ConnectPage, CancelView):
    """Forgets the login in progress. The contacts of the user stay."""


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
            return self.no_such_contact()
        if self.wants_json():
            return HttpResponse(status=204)
        return HttpResponseRedirect(self.get_page_url("email"))

    def no_such_contact(self) -> HttpResponse:
        """Return 404, as for a page that does not exist."""
        if self.wants_json():
            message = gettext("There is no such contact.")
            return error_response(404, "not_found", message)
        return self.not_found()

    def is_only_way_in(self, user: AbstractBaseUser, contact: Contact) -> bool:
        """
        Return whether `user` could not log in without `contact`.

        The default knows passwords and contacts only. If your users have other ways to
        log in, override it.
        """
        return connecting.is_only_way_in(user, contact)


def _in_json(contact: Contact) -> dict[str, Any]:
    return {
        "contact": contact.pk,
        "provider": contact.provider,
        "email": contact.email,
        "phone": contact.phone,
    }
