"""The base of the pages with a form, in HTML or as JSON."""

from typing import Any

from django.forms import Form
from django.http import HttpResponse
from django.views.generic import FormView

from django_piggy_verify.views.base import FlowView
from django_piggy_verify.views.negotiation import form_errors


class FormPage(FlowView, FormView):  # type: ignore[type-arg]
    """A page of the flow with one form, in HTML or as JSON."""

    http_method_names = ["get", "head", "post", "options"]
    invalid_status = 200
    """The HTTP status of an HTML page that shows a form with errors."""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the posted fields, from a form or a JSON body."""
        kwargs = super().get_form_kwargs()
        if self.request.method == "POST":
            kwargs["data"] = self.data
        return kwargs

    def form_invalid(self, form: Form) -> HttpResponse:
        """Show the form with its errors: `invalid_status` in HTML, 400 in JSON."""
        if not self.wants_json():
            context = self.get_context_data(form=form)
            return self.render_to_response(context, status=self.invalid_status)
        return form_errors(form)
