"""
django-magiclink: it mails a link, and checks the address and the browser.

A login has four requests: show the form, post the address, show "sent", open the link.
"""

import html
import re
from collections.abc import Sequence
from typing import Final

from django.core import mail
from django.urls import include, path

from benchmarks.contestants.browser import Browser, Member
from benchmarks.contestants.wsgi import visit

_LINK: Final = re.compile(r"http://testserver(\S+)")

urlpatterns = [path("", include("magiclink.urls"))]


def prepare(members: Sequence[Member]) -> None:
    """Do nothing, because a user with an address is enough."""


def log_in(member: Member) -> Browser:
    """Go through the pages, and open the link in the mail."""
    browser = visit(member)
    browser.open("/login/")
    browser.open(browser.submit("/login/", email=member.email))
    link = _LINK.search(str(mail.outbox[-1].body))
    browser.follow(html.unescape(link.group(1)) if link else "/none/in/the/mail/")
    return browser
