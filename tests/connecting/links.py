"""The steps of a user to whom a link is mailed."""

from contextlib import contextmanager

import requests
from django.utils import timezone

from django_piggy_verify.limits.fixed_windows import limit_of
from django_piggy_verify.models import Contact, Tally
from tests.connecting.steps import LINK, ask
from tests.steps import ADDRESS, calls


def follow(sandbox, address=ADDRESS):
    """Open the link in the newest mail. Return the URL to which the vendor leads."""
    link = sandbox.last_link(address)
    response = requests.get(link, allow_redirects=False, timeout=10)
    return response.headers["location"]


def go_on(browser, **options):
    """Press the button of the link page."""
    return browser.post(LINK, **options)


def connect(browser, sandbox, address=ADDRESS):
    ask(browser, address)
    follow(sandbox, address)
    return go_on(browser)


def asks(sandbox):
    """Return how often the vendor was asked about a user."""
    return calls(sandbox).count("user")


def counts():
    """Return the counts by the name of the limit."""
    counted = Tally.objects.filter(count__gt=0)
    return {limit_of(each.key): each.count for each in counted}


def contact_of(user, uid):
    now = timezone.now()
    return Contact.objects.create(
        provider="transmit", uid=uid, user=user, verified_at=now
    )


@contextmanager
def expired_tokens(sandbox):
    """Let the vendor issue only access tokens that have expired."""
    lifetime = sandbox.token_lifetime
    sandbox.token_lifetime = 0
    try:
        yield
    finally:
        sandbox.token_lifetime = lifetime
