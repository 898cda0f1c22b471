"""
The views of the sandbox: the API, the mailbox page and the portal.

Without DEBUG, each view returns 404, because the mailbox shows codes to everybody. No
view uses the database or needs a login.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connections
from django.db.transaction import non_atomic_requests
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from django_piggy_verify.sandbox import sandbox
from django_piggy_verify.sandbox.api import answer
from django_piggy_verify.sandbox.forms import ContactForm, PointsForm, SwitchesForm
from django_piggy_verify.sandbox.pages import Pages
from django_piggy_verify.sandbox.switches import Switches

View = Callable[..., HttpResponse]


def _development_only(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, **arguments: str) -> HttpResponse:
        if not settings.DEBUG:
            raise Http404("The sandbox works with DEBUG = True only.")
        return view(request, **arguments)

    return guarded


def _open(view: View) -> View:
    """Exempt a view from login and CSRF checks, and from caches and transactions."""
    view = never_cache(_development_only(view))
    for alias in connections:
        view = non_atomic_requests(using=alias)(view)
    return login_not_required(csrf_exempt(view))


def _page(view: View) -> View:
    """Check the CSRF token, but only after the check of DEBUG."""
    return _open(csrf_protect(view))


@_open
def api(request: HttpRequest, path: str) -> HttpResponse:
    """
    Return the response of the remote API.

    WSGI decodes the path, so this view cannot distinguish `%2F` from a slash. The
    SandboxServer can.
    """
    query = request.META.get("QUERY_STRING", "")
    given = answer(
        sandbox,
        request.method or "",
        quote(path, errors="replace") + (f"?{query}" if query else ""),
        request.headers,
        request.body,
        pages=_pages(request),
    )
    return HttpResponse(given.body, status=given.status, headers=dict(given.headers))


def _pages(request: HttpRequest) -> Pages:
    portal, root = (
        request.build_absolute_uri(reverse(f"piggy_verify_sandbox:{name}"))
        for name in ("portal", "mailbox")
    )
    return Pages(portal=portal, root=root)


@_page
@require_safe
def mailbox(request: HttpRequest) -> HttpResponse:
    """Show the mails and texts, the contacts, the users and the switches."""
    return _mailbox(request)


@_page
@require_safe
def portal(request: HttpRequest) -> HttpResponse:
    """Show a page in place of the Contacts Portal, with the contact's id."""
    contact = sandbox.visitor(request.GET.get("token", ""))
    return render(
        request,
        "piggy_verify/sandbox/portal.html",
        {"contact": contact},
        status=200 if contact else 403,
    )


@_page
@require_POST
def add_contact(request: HttpRequest) -> HttpResponse:
    """Add a contact."""
    form = ContactForm(request.POST)
    if not form.is_valid():
        return _mailbox(request, contact_form=form)
    sandbox.add_contact(**form.cleaned_data)
    return _back()


@_page
@require_POST
def remove_contact(request: HttpRequest) -> HttpResponse:
    """Remove a contact. An unknown address or number is no error."""
    sandbox.remove_contact(request.POST.get("recipient", ""))
    return _back()


@_page
@require_POST
def set_points(request: HttpRequest) -> HttpResponse:
    """Set the points of a contact. An unknown address or number is no error."""
    form = PointsForm(request.POST)
    if not form.is_valid():
        return _mailbox(request, points_form=form)
    with suppress(LookupError):
        sandbox.set_points(**form.cleaned_data)
    return _back()


@_page
@require_POST
def set_switches(request: HttpRequest) -> HttpResponse:
    """Set the switches of the form."""
    form = SwitchesForm(request.POST)
    if not form.is_valid():
        return _mailbox(request, switches_form=form)
    form.apply_to(sandbox.switches)
    return _back()


@_page
@require_POST
def reset(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Delete all data."""
    sandbox.reset()
    return _back()


def _mailbox(
    request: HttpRequest,
    *,
    contact_form: ContactForm | None = None,
    points_form: PointsForm | None = None,
    switches_form: SwitchesForm | None = None,
) -> HttpResponse:
    context = {
        "mails": sandbox.mails,
        "contacts": sandbox.contacts,
        "users": sandbox.users.all,
        "contact_form": contact_form or ContactForm(),
        "points_form": points_form,
        "is_misbehaving": sandbox.switches != Switches(),
        "switches_form": switches_form or SwitchesForm.of(sandbox.switches),
    }
    return render(request, "piggy_verify/sandbox/mailbox.html", context)


def _back() -> HttpResponse:
    return redirect("piggy_verify_sandbox:mailbox")
