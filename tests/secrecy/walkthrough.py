"""Use every feature of the package, step by step, with marked secrets."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from django_piggy_verify.http.connections import session
from django_piggy_verify.login import challenges, verification
from django_piggy_verify.login.circuit import Circuit
from django_piggy_verify.loyalty import fetch_contact
from django_piggy_verify.models import AuthToken
from django_piggy_verify.portal import get_portal_url
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge
from django_piggy_verify.sandbox import Sandbox, Switches
from django_piggy_verify.sandbox.server import SandboxServer
from django_piggy_verify.sandbox.sessions import Sessions, Tokens
from django_piggy_verify.secret import Secret
from django_piggy_verify.tokens import get_auth_token
from tests.http.hostile import CLIENT_SECRET, CODE, GRANT, PORTAL_TOKEN, TOKEN
from tests.secrecy.evidence import (
    POINTS,
    PORTAL_PAGE,
    REFRESH_TOKEN,
    TOKEN_PAGE,
    WRONG_CODE,
    Browser,
)
from tests.steps import ADDRESS, UNLIMITED, type_code

BOB = "bob@example.com"
CAROL = "carol@example.com"

in_each_style = pytest.mark.parametrize(
    "is_script", [False, True], ids=["html", "json"]
)

PAGES = ["ask", "resend", "look", "mistype", "begin_elsewhere", "answer"]
PAGES += ["see_token", "see_no_token", "open_portal", "replay", "cancel", "log_out"]
CALLS = ["send", "check", "judge", "send_another", "authenticate"]
COMMANDS = ["rekey", "examine", "purge"]
CALLS += ["get_token", "get_fresh_token", "get_expired_token", "get_portal"]
CALLS += ["get_contact"]
BEFORE = {
    "look": ["ask"],
    "mistype": ["ask"],
    "answer": ["ask"],
    "see_token": ["ask", "answer"],
    "open_portal": ["ask", "answer"],
    "log_out": ["ask", "answer"],
    "get_portal": ["send_another", "authenticate"],
    "get_contact": ["send_another", "authenticate"],
    "get_fresh_token": ["send_another", "authenticate"],
    "rekey": ["send_another", "authenticate"],
}


class MarkedSessions(Sessions[Any]):
    """Tokens that contain a mark. Each token is a different one."""

    def _issue(self, user_id, family, lifetime):
        plain = super()._issue(user_id, family, lifetime)
        marked = Tokens(f"{TOKEN}-{plain.access}", f"{REFRESH_TOKEN}-{plain.refresh}")
        with self._lock:
            self._issued[marked.access] = self._issued.pop(plain.access)
            self._issued[marked.refresh] = self._issued.pop(plain.refresh)
        return marked


class MarkedSandbox(Sandbox):
    """A sandbox whose codes, tokens, grants and points contain a mark."""

    def __init__(self, **options):
        super().__init__(**options)
        self.sessions = MarkedSessions()
        self.users._sessions = MarkedSessions()
        self.granted = ""

    def auth_token(self, uid):
        super().auth_token(uid)
        return TOKEN

    def portal_token(self, uid):
        super().portal_token(uid)
        return PORTAL_TOKEN

    def contact(self, uid):
        return replace(super().contact(uid), points=POINTS)

    def grant(self, client_id, client_secret):
        self.granted = super().grant(client_id, client_secret) or ""
        return GRANT if self.granted else None

    def accepts(self, bearer):
        return super().accepts(self.granted if bearer == GRANT else bearer)

    def new_mail(self, recipient, request=None):
        mail = super().new_mail(recipient, request)
        mail.code = CODE
        return mail


@contextmanager
def served_with_tls(context):
    """Serve a marked sandbox over TLS, so that the tests do not need ``DEBUG``."""
    server = SandboxServer(MarkedSandbox(client_secret=CLIENT_SECRET))
    plain = server._server.socket
    server._server.socket = context.wrap_socket(plain, server_side=True)
    # Some tests make the client give up.
    server._server.handle_error = lambda *_: None  # type: ignore[method-assign]
    with server:
        yield server
    session().close()
    session.cache_clear()


def with_tls(url):
    """Return the address at which the TLS server serves `url`."""
    return url.replace("http:", "https:")


@contextmanager
def switched(sandbox, trouble):
    """Switch on faults of the sandbox during the block. Send codes again after it."""
    sandbox.switches = Switches(**trouble, reuse_codes=True)
    with override_settings(PIGGY_VERIFY_TIMEOUT=0.03 if "delay" in trouble else 10):
        yield
    sandbox.switches = Switches(reuse_codes=True)
    Circuit(get_provider().name).forget()


class Visit:
    """
    A visitor with two browsers, and a project that calls the package.

    The visitor fills in the fields of the first page. The project has these consents.
    """

    before: Mapping[str, Sequence[str]] = BEFORE
    """The steps that must come before a step."""

    def __init__(self, evidence, sandbox, *, fields=None, consents=()):
        self.evidence = evidence
        self.sandbox = sandbox
        self.fields = fields or {"email": ADDRESS}
        self.consents = consents
        self.browser = Browser(evidence)
        self.late = Browser(evidence)
        self.member: Any = None
        for address in (ADDRESS, BOB, CAROL):
            sandbox.add_contact(address)

    def take(self, *steps, is_script=False):
        """Take these steps, in HTML or in JSON, and record their errors."""
        self.browser.is_script = self.late.is_script = is_script
        for step in steps:
            try:
                getattr(self, step)()
            except (Exception, SystemExit) as error:  # noqa: BLE001  any may be raised
                self.evidence.error(error)

    def prepare(self, step):
        """Take the steps that must come before `step`."""
        self.take(*self.before.get(step, []))

    def take_in(self, trouble, *steps):
        """Take these steps, in HTML and in JSON, while the sandbox misbehaves."""
        with switched(self.sandbox, trouble):
            for step in steps:
                self.take(step)
                if step in PAGES:
                    self.take(step, is_script=True)

    def ask(self):
        self.browser.post("/login/", self.fields)

    def resend(self):
        self.browser.post("/login/code/resend/")

    def look(self):
        self.browser.get("/login/code/")

    def mistype(self):
        type_code(self.browser, WRONG_CODE)

    def begin_elsewhere(self):
        self.late.post("/login/", self.fields)

    def answer(self):
        type_code(self.browser, CODE)

    def see_token(self):
        self.browser.get(TOKEN_PAGE)

    def see_no_token(self):
        with override_settings(PIGGY_VERIFY_EXPOSE_AUTH_TOKEN=False):
            self.see_token()

    def open_portal(self):
        self.browser.get(PORTAL_PAGE)

    def replay(self):
        type_code(self.late, CODE)

    def cancel(self):
        self.late.post("/login/cancel/")

    def log_in(self):
        """Do nothing: the code logs the visitor in."""

    def be_limited(self):
        with override_settings(PIGGY_VERIFY_RATE_LIMITS=UNLIMITED | {"send_ip": "1/h"}):
            self.ask()

    def log_out(self):
        self.browser.logout()

    def send(self):
        verification.send_code(BOB, consents=self.consents)

    def check(self):
        verification.check_code(BOB, Secret(CODE)).settle(None)

    def judge(self):
        provider, challenge = get_provider(), Challenge(recipient=BOB)
        challenge = challenges.with_state(provider, challenge)
        provider.check_code(challenge, Secret(CODE))

    def send_another(self):
        verification.send_code(CAROL, consents=self.consents)

    def authenticate(self):
        user = authenticate(None, recipient=CAROL, secret_code=Secret(CODE))
        self.member = user or self.member

    def get_token(self):
        get_auth_token(self.member)

    def get_fresh_token(self):
        get_auth_token(self.member, refresh=True)

    def get_expired_token(self):
        AuthToken.objects.update(expires_at=timezone.now() - timedelta(1))
        get_auth_token(self.member)

    def get_portal(self):
        get_portal_url(self.member)

    def get_contact(self):
        fetch_contact(self.member)

    def be_revoked(self):
        self.sandbox.sessions.clear()

    def purge(self):
        call_command("piggy_verify_purge")

    def rekey(self):
        call_command("piggy_verify_rekey")

    def examine(self):
        # The doctor calls no API where the URLs of the sandbox are installed.
        with override_settings(ROOT_URLCONF="tests.public_urls"):
            call_command("piggy_verify_doctor", send=ADDRESS)
