"""The hand-written login of `benchmarks.floor`."""

from collections.abc import Sequence
from datetime import timedelta

from django.urls import path
from django.utils import timezone

from benchmarks.contestants.browser import Browser, Member, address_of, any_code
from benchmarks.contestants.rows import fill_in, fill_users
from benchmarks.floor.models import Profile, Token
from benchmarks.floor.views import code_page, email_page
from benchmarks.upstream import TOKEN, uid_of

urlpatterns = [
    path("login/", email_page, name="email"),
    path("login/code/", code_page, name="code"),
]


def prepare(members: Sequence[Member]) -> None:
    """Create the profiles of the members."""
    for member in members:
        Profile.objects.create(user_id=member.user_id, uid=uid_of(member.email))


def log_in(member: Member) -> Browser:
    """Go through the four pages."""
    browser = Browser(member)
    browser.open("/login/")
    code_url = browser.submit("/login/", email=member.email)
    browser.open(code_url)
    browser.submit(code_url, code=any_code())
    return browser


def fill(count: int) -> None:
    """Add users, their profiles and old tokens."""
    long_ago = timezone.now() - timedelta(days=1)
    users = fill_users(count)
    fill_in(
        Profile,
        ({"user": user, "uid": uid_of(address_of(number))} for number, user in users),
    )
    profiles = Profile.objects.filter(token=None).values_list("pk", flat=True)
    fill_in(
        Token,
        (
            {"profile": profile, "text": TOKEN, "fetched_at": long_ago}
            for profile in list(profiles)
        ),
    )
