"""django-piggy-verify with its default limits."""

from collections.abc import Sequence
from datetime import timedelta
from secrets import token_hex

from django.db.models import Q
from django.urls import include, path
from django.utils import timezone

from benchmarks.contestants.browser import Browser, Member, address_of, any_code
from benchmarks.contestants.rows import fill_in, fill_users
from benchmarks.upstream import TOKEN, uid_of
from django_piggy_verify.models import AuthToken, Contact, Tally

urlpatterns = [path("login/", include("django_piggy_verify.urls"))]


def prepare(members: Sequence[Member]) -> None:
    """Create the contacts of the members."""
    now = timezone.now()
    for member in members:
        Contact.objects.create(
            user_id=member.user_id,
            provider="piggy",
            uid=uid_of(member.email),
            email=member.email,
            verified_at=now,
        )


def log_in(member: Member) -> Browser:
    """Go through the four pages."""
    browser = Browser(member)
    browser.open("/login/")
    code_page = browser.submit("/login/", email=member.email)
    browser.open(code_page)
    browser.submit(code_page, code=any_code())
    return browser


def rest() -> None:
    """
    Delete the counters of the members, as if their last login was days ago.

    The rows from `fill` stay.
    """
    now = timezone.now()
    running, cleared = Q(ends_at__gt=now), Q(ends_at__lt=now - timedelta(days=7))
    Tally.objects.filter(running | cleared).delete()


def fill(count: int) -> None:
    """Add users, their contacts, expired tokens and expired counters."""
    long_ago = timezone.now() - timedelta(days=1)
    users = fill_users(count)
    fill_in(
        Contact,
        (
            {
                "user": user,
                "provider": "piggy",
                "uid": uid_of(address_of(number)),
                "email": address_of(number),
                "phone": "",
                "created_at": long_ago,
                "verified_at": long_ago,
                "fetch_until": None,
                "fetch_state": "",
            }
            for number, user in users
        ),
    )
    contacts = Contact.objects.filter(auth_token=None).values_list("pk", flat=True)
    fill_in(
        AuthToken,
        (
            {
                "contact": contact,
                "ciphertext": TOKEN.encode(),
                "fetched_at": long_ago,
                "expires_at": long_ago,
            }
            for contact in list(contacts)
        ),
    )
    fill_in(
        Tally,
        (
            {
                "key": token_hex(32),
                "count": 1,
                "ends_at": long_ago,
            }
            for _ in range(count)
        ),
    )
