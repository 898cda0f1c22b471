"""
django-magiclink: a link by mail, checked by address and browser.

Four pages: ask for a link, post the address, "it is sent", open the link.
"""

import html
import re
from collections.abc import Sequence
from typing import Final

from django.core import mail
from django.urls import include, path

from benchmarks.contestants.browser import Browser, Member

_LINK: Final = re.compile(r"http://testserver(\S+)")

urlpatterns = [path("", include("magiclink.urls"))]


def prepare(members: Sequence[Member]) -> None:
    """Nothing: a user with an address is enough."""


def log_in(member: Member) -> Browser:
    """Go through the pages, by the link in the mail."""
    browser = Browser(member)
    browser.open("/login/")
    browser.open(browser.submit("/login/", email=member.email))
    link = _LINK.search(str(mail.outbox[-1].body))
    browser.follow(html.unescape(link.group(1)) if link else "/none/in/the/mail/")
    return browser
