"""The hand-written login of `benchmarks.floor`."""

from collections.abc import Sequence

from django.urls import path

from benchmarks.contestants.browser import Browser, Member, any_code
from benchmarks.contestants.wsgi import visit
from benchmarks.databases import fill, fill_users
from benchmarks.floor.models import Profile
from benchmarks.floor.views import code_page, email_page
from benchmarks.upstream import uid_of

urlpatterns = [
    path("login/", email_page, name="email"),
    path("login/code/", code_page, name="code"),
]


def prepare(members: Sequence[Member]) -> None:
    """Create the profiles of the members."""
    Profile.objects.bulk_create(
        Profile(user_id=member.user_id, uid=uid_of(member.email)) for member in members
    )


def log_in(member: Member) -> Browser:
    """Go through the four pages."""
    browser = visit(member)
    browser.open("/login/")
    code_url = browser.submit("/login/", email=member.email)
    browser.open(code_url)
    browser.submit(code_url, code=any_code())
    return browser


def add(first: int, last: int) -> None:
    """Add users, their profiles and old tokens."""
    fill_users(first, last)
    fill("floor_profile", first, last, id="n", user_id="n", uid="{hash}")
    token = {"id": "n", "profile_id": "n", "text": "{hash}"}
    fill("floor_token", first, last, **token, fetched_at="after(-86400)")
