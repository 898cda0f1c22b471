"""A vendor whose auth tokens are renewed with refresh tokens, and its provider."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django_piggy_verify.exceptions import LoginRequired
from django_piggy_verify.providers import calls
from django_piggy_verify.providers.base import Identity, Proof, TokenSet
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Traits

PROVIDER = f"{__name__}.RenewingProvider"


class Vendor(ThreadingHTTPServer):
    """
    Issues tokens at a login and for a refresh token, over HTTP.

    A refresh token is good for one call. If it comes again, the vendor refuses all
    later refresh tokens of the same login too.
    """

    daemon_threads = True
    # The tests connect many times at once.
    request_queue_size = 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.calls = []
        self.expires_in: object = 1800
        self.delay = 0.0
        self.status = 200
        self.rotates = True
        """Whether each refresh brings a new refresh token."""
        self.loses_answers = False
        """Whether the vendor does what a call asks for, but its answer is lost."""
        self.during = lambda: None
        """Is called after a refresh, before its answer."""
        self._lock = threading.Lock()
        self._logins = {}  # by refresh token
        self._spent, self._ended = set(), set()

    @property
    def refreshes(self):
        return self.calls.count("/refresh")

    def end_login(self):
        """Refuse the refresh tokens that there are."""
        self._ended.update(self._logins.values())

    def answer(self, path, members):
        """Return the status and the members of the answer."""
        with self._lock:
            self.calls.append(path)
            if self.status != 200:
                return self.status, {}
            if path == "/login":
                return 200, self._issue(login=len(self.calls))
            return self._renew(members["refresh_token"])

    def _renew(self, refresh):
        login = self._logins.get(refresh)
        if refresh in self._spent:
            self._ended.add(login)
        if login is None or login in self._ended:
            return 401, {}
        if not self.rotates:
            return 200, {**self._issue(login), "refresh_token": None}
        self._spent.add(refresh)
        return 200, self._issue(login)

    def refresh_token_of(self, number):
        """Return the refresh token that the call of this number brings."""
        return f"refresh-{number}"

    def _issue(self, login):
        number = len(self.calls)
        refresh = self.refresh_token_of(number)
        self._logins[refresh] = login
        return {
            "access_token": f"access-{number}",
            "refresh_token": refresh,
            "expires_in": self.expires_in,
        }


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        vendor = self.server
        assert isinstance(vendor, Vendor)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, members = vendor.answer(self.path, json.loads(body))
        time.sleep(vendor.delay)
        if self.path == "/refresh":
            vendor.during()
        if not vendor.loses_answers:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(members).encode())

    def log_message(self, *_args):
        """Print nothing."""


@contextmanager
def serving():
    """Run the vendor during the block."""
    with Vendor() as vendor:
        thread = threading.Thread(target=vendor.serve_forever, args=(0.01,))
        thread.start()
        yield vendor
        vendor.shutdown()
        thread.join()


class RenewingProvider:
    """Accepts every code."""

    name = "renewing"
    traits = Traits(issues_tokens=True)

    def send_code(self, challenge):
        return challenge

    def check_code(self, challenge, code):
        address = challenge.recipient
        identity = Identity(provider=self.name, uid=address, email=address)
        return Proof(identity=identity, tokens=_tokens("login"))

    def refresh_auth_token(self, refresh: Secret) -> TokenSet:
        return _tokens("refresh", refresh_token=refresh)


def _tokens(path, **members) -> TokenSet:
    answer = calls.call("POST", path, base_url="", json=members)
    if answer.status == 401:
        raise LoginRequired
    if not calls.is_success(answer):
        raise calls.failure(answer.status, refused=())
    body = answer.body
    assert isinstance(body, dict)
    refresh = body["refresh_token"]
    return TokenSet(
        access=Secret(body["access_token"]),
        expires_in=body["expires_in"],
        refresh=Secret(refresh) if refresh else None,
    )
