"""
django-sesame: a signed link, which is made here and opened; nothing is sent.

It has no page to ask for the link: one request is the whole login.
"""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.urls import path
from sesame.utils import get_query_string
from sesame.views import LoginView

from benchmarks.contestants.browser import Browser, Member

urlpatterns = [path("login/", LoginView.as_view())]


def prepare(members: Sequence[Member]) -> None:
    """Nothing: a user is enough."""


def log_in(member: Member) -> Browser:
    """Open a link made for the user with this address."""
    user = User.objects.get(email=member.email)
    browser = Browser(member)
    browser.follow("/login/" + get_query_string(user))
    return browser
