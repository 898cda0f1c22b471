"""A simple browser without JavaScript, which can log in."""

import random
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.test import Client

MEMBERS: Final = 50
"""The number of members who take turns. Nobody logs in twice in one round."""

_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_FORM: Final = "application/x-www-form-urlencoded"


class Stuck(Exception):
    """A page did not answer as it should in a login."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member and the address of the member's computer."""

    number: int
    user_id: int

    @property
    def email(self) -> str:
        """The e-mail address."""
        return address_of(self.number)

    @property
    def network_address(self) -> str:
        """The network address, which no other member has."""
        return f"10.1.{self.number // 250}.{self.number % 250 + 1}"


def address_of(number: int) -> str:
    """Return the e-mail address of the member with this number."""
    return f"member{number}@example.com"


def any_code() -> str:
    """Return a random code, most likely a new one. The API accepts any code."""
    return f"{random.randrange(10**8):08}"


class Browser:
    """A browser that starts without cookies. `client` stores its cookies."""

    def __init__(self, member: Member) -> None:
        self.client = Client(REMOTE_ADDR=member.network_address)
        self._page = ""

    def open(self, path: str) -> str:
        """Show a page, and return its text."""
        response = self.client.get(path)
        _require(response, 200)
        self._page = response.content.decode()
        return self._page

    def submit(self, path: str, **typed: str) -> str:
        """Post the form of the current page, and return the URL of the redirect."""
        fields = {**dict(_HIDDEN.findall(self._page)), **typed}
        response = self.client.post(path, urlencode(fields), content_type=_FORM)
        return _target(response)

    def follow(self, path: str) -> str:
        """Open a link, and return the URL of the redirect."""
        return _target(self.client.get(path))

    def user_id(self) -> int:
        """Return the id of the user in the session."""
        return int(self.client.session["_auth_user_id"])


def _target(response: Any) -> str:
    _require(response, 302)
    return str(response["Location"])


def _require(response: Any, status: int) -> None:
    if response.status_code != status:
        path = response.request["PATH_INFO"]
        raise Stuck(f"{path} answered {response.status_code}: {response.content[:300]}")
