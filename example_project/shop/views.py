"""The page for members only."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import (
    ContactProvider,
    PortalProvider,
    TokenProvider,
)
from django_piggy_verify.traits import traits_of
from shop.points import points_of


@login_required
def members(request: HttpRequest) -> HttpResponse:
    """Show the points, who is logged in, and how old the cached auth token is."""
    provider = get_provider()
    traits = traits_of(provider)
    contact = Contact.objects.filter(user=request.user.pk).first()
    token = AuthToken.objects.filter(contact=contact).first()
    has_points = isinstance(provider, ContactProvider)
    context = {
        "has_points": has_points,
        "points": points_of(request.user) if has_points and contact else None,
        "has_portal": isinstance(provider, PortalProvider),
        "has_tokens": isinstance(provider, TokenProvider) or traits.issues_tokens,
        "can_log_in": traits.can_log_in,
        "contact": contact,
        "token_age": token and int((timezone.now() - token.fetched_at).total_seconds()),
    }
    return render(request, "shop/members.html", context)
