"""
A simple browser without JavaScript, which can log in.

`wsgi` and `server` connect it with a contestant. It knows nothing of Django.
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Final, TypeAlias
from urllib.parse import urlencode

MEMBERS: Final = 50
"""The number of members who take turns. Nobody logs in twice in one round."""

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"

_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


class Stuck(Exception):
    """A page did not answer as it should in a login."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member and the address of the member's computer."""

    number: int
    user_id: int = 0

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


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a browser."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    network_address: str


@dataclass(frozen=True, slots=True)
class Response:
    """A response that has arrived completely."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    close: Callable[[], object] = bool
    """Tells the application that the response has been sent."""

    def header(self, name: str) -> str:
        """Return the value of the header of this name, or a blank text."""
        return next((value for each, value in self.headers if each == name), "")


Exchange: TypeAlias = Callable[[Request], Response]
"""Makes a request, and returns the response when it has arrived."""


class Browser:
    """A browser that starts without cookies."""

    def __init__(self, exchange: Exchange, network_address: str) -> None:
        self.cookies: dict[str, str] = {}
        self.waits: list[float] = []
        """The seconds that each request took until its response had arrived."""

        self._exchange = exchange
        self._network_address = network_address
        self._page = ""

    def open(self, path: str) -> str:
        """Show a page, and return its text."""
        response = self.get(path)
        _require(response, HTTPStatus.OK, path)
        self._page = response.body.decode()
        return self._page

    def submit(self, path: str, **typed: str) -> str:
        """Post the form of the current page, and return the URL of the redirect."""
        return _target(self.post(path, **typed), path)

    def follow(self, path: str) -> str:
        """Open a link, and return the URL of the redirect."""
        return _target(self.get(path), path)

    def get(self, path: str, accept: str = "text/html") -> Response:
        """Make a GET request."""
        return self.fetch(self.request("GET", path, accept=accept))

    def post(self, path: str, **typed: str) -> Response:
        """Post the form of the current page."""
        return self.fetch(self.form(path, **typed))

    def form(self, path: str, **typed: str) -> Request:
        """Return the request that posts the form of the current page."""
        fields = dict(_HIDDEN.findall(self._page)) | typed
        return self.request("POST", path, urlencode(fields).encode(), content=FORM)

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        accept: str = "text/html",
        content: str = "",
    ) -> Request:
        """Return a request of this browser, with its cookies."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Accept": accept, "Cookie": cookies, "Content-Type": content}
        given = {name: value for name, value in headers.items() if value}
        return Request(method, path, given, body, self._network_address)

    def fetch(self, request: Request) -> Response:
        """Make a request, and keep the cookies of the response."""
        began = time.perf_counter()
        response = self._exchange(request)
        self.waits.append(time.perf_counter() - began)
        response.close()
        for name, value in response.headers:
            if name == "Set-Cookie":
                self._keep(value)
        return response

    def _keep(self, set_cookie: str) -> None:
        for name, morsel in SimpleCookie(set_cookie).items():
            self.cookies[name] = morsel.value
            if morsel["max-age"] == "0":
                del self.cookies[name]


def _target(response: Response, path: str) -> str:
    _require(response, HTTPStatus.FOUND, path)
    return response.header("Location")


def _require(response: Response, status: int, path: str) -> None:
    if response.status != status:
        body = response.body[:300]
        raise Stuck(f"{path} answered {response.status}: {body!r}")
