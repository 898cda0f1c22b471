"""
django-sesame: this module creates a signed link and opens it. No mail is sent.

The package has no page to ask for the link, so a login is one request.
"""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.urls import path
from sesame.utils import get_query_string
from sesame.views import LoginView

from benchmarks.contestants.browser import Browser, Member
from benchmarks.contestants.wsgi import visit

urlpatterns = [path("login/", LoginView.as_view())]


def prepare(members: Sequence[Member]) -> None:
    """Do nothing, because a user is enough."""


def log_in(member: Member) -> Browser:
    """Open a link made for the user with this address."""
    user = User.objects.get(email=member.email)
    browser = visit(member)
    browser.follow("/login/" + get_query_string(user))
    return browser
