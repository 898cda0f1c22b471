"""The base of the pages with a form, in HTML or as JSON."""

from typing import Any

from django.forms import Form
from django.http import HttpResponse
from django.views.generic import FormView

from django_piggy_verify.templatetags.piggy_verify import needs_summary
from django_piggy_verify.views.base import FlowView
from django_piggy_verify.views.negotiation import form_errors


class FormPage(FlowView, FormView):  # type: ignore[type-arg]
    """A page of the flow with one form, in HTML or as JSON."""

    http_method_names = ["get", "head", "post", "options"]
    invalid_status = 200
    """The HTTP status of an HTML page that shows a form with errors."""

    focuses_form = True
    """Whether the first field has the focus. A field with an error always has it."""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the posted fields, from a form or a JSON body."""
        kwargs = super().get_form_kwargs()
        if self.request.method == "POST":
            kwargs["data"] = self.data
        return kwargs

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Let the browser focus the field to fill in."""
        context = super().get_context_data(**kwargs)
        self._set_focus(context["form"])
        return context

    def _set_focus(self, form: Form) -> None:
        if needs_summary(form):
            return  # The list of errors has the focus.
        visible = form.visible_fields()
        wrong = [field for field in visible if field.errors]
        first = [*wrong, *(visible if self.focuses_form else ())][:1]
        for field in first:
            field.field.widget.attrs["autofocus"] = True

    def form_invalid(self, form: Form) -> HttpResponse:
        """Show the form with its errors: `invalid_status` in HTML, 400 in JSON."""
        if not self.wants_json():
            context = self.get_context_data(form=form)
            return self.render_to_response(context, status=self.invalid_status)
        return form_errors(form)
