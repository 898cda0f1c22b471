"""django-piggy-verify with its default settings."""

from collections.abc import Sequence
from datetime import timedelta
from threading import Semaphore
from typing import Any, Final

from django.db.models import Q
from django.dispatch import Signal
from django.urls import include, path
from django.utils import timezone

from benchmarks.contestants.browser import Browser, Member, Stuck, any_code
from benchmarks.contestants.wsgi import visit
from benchmarks.databases import fill, fill_contacts, fill_users
from benchmarks.upstream import uid_of
from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.signals import auth_token_fetched, code_sent

PATIENCE: Final = 20
"""Seconds that the work after a response may take."""

urlpatterns = [path("login/", include("django_piggy_verify.urls"))]


class _Done:
    """Counts how often some work after a response was done."""

    def __init__(self, signal: Signal) -> None:
        self._done = Semaphore(0)
        signal.connect(self._count, weak=False)

    def wait(self) -> None:
        """Wait until the work was done once more. Raises Stuck."""
        if not self._done.acquire(timeout=PATIENCE):
            raise Stuck("the work after a response was not done")

    def _count(self, **_arguments: Any) -> None:
        self._done.release()


_sends, _fetches = _Done(code_sent), _Done(auth_token_fetched)


def prepare(members: Sequence[Member]) -> None:
    """Create the contacts of the members."""
    now = timezone.now()
    Contact.objects.bulk_create(
        Contact(
            user_id=member.user_id,
            provider="piggy",
            uid=uid_of(member.email),
            email=member.email,
            verified_at=now,
        )
        for member in members
    )


def log_in(member: Member) -> Browser:
    """Go through the four pages. The member waits for the mail with the code."""
    browser = visit(member)
    browser.open("/login/")
    code_page = browser.submit("/login/", email=member.email)
    browser.open(code_page)
    _sends.wait()
    browser.submit(code_page, code=any_code())
    _fetches.wait()
    return browser


def rest(*, keeps_rows: bool = False) -> None:
    """
    Delete the counters of the members, as if their last login was days ago.

    With `keeps_rows`, they are spent but not purged. The rows from `add` always stay.
    """
    now = timezone.now()
    running, cleared = Q(ends_at__gt=now), Q(ends_at__lt=now - timedelta(days=7))
    if keeps_rows:
        Tally.objects.filter(running).update(ends_at=now - timedelta(seconds=1))
    else:
        Tally.objects.filter(running | cleared).delete()


def add(first: int, last: int) -> None:
    """Add users, contacts and expired tokens, and twice as many spent counters."""
    long_ago = "after(-86400)"
    fill_users(first, last)
    provider, uid, email = "'piggy'", "{hash}", "'member' || n || '@example.com'"
    fill_contacts(first, last, user_id="n", provider=provider, uid=uid, email=email)
    token = {"id": "n", "contact_id": "n", "ciphertext": "{bytes}"}
    fill(
        "piggy_verify_authtoken",
        first,
        last,
        **token,
        fetched_at=long_ago,
        expires_at=long_ago,
    )
    key = "substr({hash}, 1, 40) || ':send_ip'"
    twice = first, 2 * last - first + 1
    fill("piggy_verify_tally", *twice, key=key, count="1", ends_at=long_ago)
