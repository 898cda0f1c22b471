"""A browser without JavaScript, as far as logging in needs one."""

import random
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.test import Client

MEMBERS: Final = 50
"""Who take turns in logging in; in one round nobody's comes twice."""

_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_FORM: Final = "application/x-www-form-urlencoded"


class Stuck(Exception):
    """A page did not lead on as it does in a login."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who can log in, and the computer they do it with."""

    number: int
    user_id: int

    @property
    def email(self) -> str:
        """Their address."""
        return address_of(self.number)

    @property
    def network_address(self) -> str:
        """Where their requests come from; nobody else's do."""
        return f"10.1.{self.number // 250}.{self.number % 250 + 1}"


def address_of(number: int) -> str:
    """Answer the e-mail address of the member with this number."""
    return f"member{number}@example.com"


def any_code() -> str:
    """Answer a code that nobody has used yet, most likely; the API takes any."""
    return f"{random.randrange(10**8):08}"


class Browser:
    """One without cookies yet; `client` has what it was given so far."""

    def __init__(self, member: Member) -> None:
        self.client = Client(REMOTE_ADDR=member.network_address)
        self._page = ""

    def open(self, path: str) -> str:
        """Show a page, and answer its text."""
        response = self.client.get(path)
        _require(response, 200)
        self._page = response.content.decode()
        return self._page

    def submit(self, path: str, **typed: str) -> str:
        """Post the form of the page that is shown, and answer where that leads."""
        fields = {**dict(_HIDDEN.findall(self._page)), **typed}
        response = self.client.post(path, urlencode(fields), content_type=_FORM)
        return _target(response)

    def follow(self, path: str) -> str:
        """Open a link that leads on, and answer where to."""
        return _target(self.client.get(path))

    def user_id(self) -> int:
        """Answer who is logged in, by the session."""
        return int(self.client.session["_auth_user_id"])


def _target(response: Any) -> str:
    _require(response, 302)
    return str(response["Location"])


def _require(response: Any, status: int) -> None:
    if response.status_code != status:
        path = response.request["PATH_INFO"]
        raise Stuck(f"{path} answered {response.status_code}: {response.content[:300]}")
