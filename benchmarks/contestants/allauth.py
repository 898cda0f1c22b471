"""django-allauth: its login by code. It has four pages and mails the code."""

import re
from collections.abc import Sequence
from typing import Final

from allauth.account.models import EmailAddress
from django.core import mail
from django.urls import include, path

from benchmarks.contestants.browser import Browser, Member
from benchmarks.contestants.wsgi import visit

_CODE: Final = re.compile(r"^[A-Z0-9]{2,}(?:-[A-Z0-9]+)*$", re.MULTILINE)

urlpatterns = [path("accounts/", include("allauth.account.urls"))]


def prepare(members: Sequence[Member]) -> None:
    """Create the verified addresses of the members."""
    EmailAddress.objects.bulk_create(
        EmailAddress(
            user_id=member.user_id, email=member.email, primary=True, verified=True
        )
        for member in members
    )


def log_in(member: Member) -> Browser:
    """Go through the four pages."""
    browser = visit(member)
    browser.open("/accounts/login/code/")
    code_page = browser.submit("/accounts/login/code/", email=member.email)
    browser.open(code_page)
    code = _CODE.search(str(mail.outbox[-1].body))
    browser.submit(code_page, code=code.group() if code else "none in the mail")
    return browser
