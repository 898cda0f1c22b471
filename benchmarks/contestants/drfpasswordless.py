"""
drfpasswordless: it mails six digits, and exchanges them for a token of DRF.

It is an API without pages and sessions, so a login is two POSTs of JSON.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core import mail
from django.test import Client
from django.urls import include, path
from rest_framework.authtoken.models import Token

from benchmarks.contestants.browser import Member, Stuck

_CODE: Final = re.compile(r"\b\d{6}\b")

urlpatterns = [path("", include("drfpasswordless.urls"))]


@dataclass(frozen=True, slots=True)
class Script:
    """A script that has logged in, with its token."""

    token: str

    def user_id(self) -> int:
        """Return the id of the user of the token."""
        return int(Token.objects.get(key=self.token).user_id)


def prepare(members: Sequence[Member]) -> None:
    """Do nothing, because a user with an address is enough."""


def log_in(member: Member) -> Script:
    """Ask for a code, and exchange it for a token."""
    client = Client(REMOTE_ADDR=member.network_address)
    _post(client, "/auth/email/", {"email": member.email})
    code = _CODE.search(str(mail.outbox[-1].body))
    token = code.group() if code else "none in the mail"
    answer = _post(client, "/auth/token/", {"email": member.email, "token": token})
    return Script(answer["token"])


def _post(client: Client, path: str, body: dict[str, str]) -> Any:
    response: Any = client.post(path, body, content_type="application/json")
    if response.status_code != 200:  # noqa: PLR2004
        raise Stuck(f"{path} answered {response.status_code}: {response.content[:300]}")
    return response.json()
