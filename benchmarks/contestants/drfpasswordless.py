"""
drfpasswordless: it mails six digits, and exchanges them for a token of DRF.

It is an API without pages and sessions, so a login is two POSTs of JSON.
"""

import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from django.core import mail
from django.urls import include, path
from rest_framework.authtoken.models import Token

from benchmarks.contestants.browser import JSON, Browser, Member, Stuck
from benchmarks.contestants.wsgi import visit

_CODE: Final = re.compile(r"\b\d{6}\b")

urlpatterns = [path("", include("drfpasswordless.urls"))]


def prepare(members: Sequence[Member]) -> None:
    """Do nothing, because a user with an address is enough."""


def log_in(member: Member) -> Browser:
    """Ask for a code, and exchange it for a token."""
    browser = visit(member)
    _post(browser, "/auth/email/", email=member.email)
    code = _CODE.search(str(mail.outbox[-1].body))
    token = code.group() if code else "none in the mail"
    answer = _post(browser, "/auth/token/", email=member.email, token=token)
    browser.cookies["token"] = answer["token"]
    return browser


def user_in(browser: Browser) -> int:
    """Return the id of the user of the token."""
    return int(Token.objects.get(key=browser.cookies["token"]).user_id)


def _post(browser: Browser, path: str, **body: str) -> Any:
    posted = json.dumps(body).encode()
    response = browser.fetch(
        browser.request("POST", path, posted, accept=JSON, content=JSON)
    )
    if response.status != HTTPStatus.OK:
        raise Stuck(f"{path} answered {response.status}: {response.body[:300]!r}")
    return json.loads(response.body)
