"""The plan for Piggy."""

import json
from typing import Any

import pytest
from django.http import HttpRequest

from django_piggy_verify import tokens
from django_piggy_verify.forms import CodeForm
from django_piggy_verify.http import client
from django_piggy_verify.http.connections import session
from django_piggy_verify.login import pending
from django_piggy_verify.models import AuthToken, Contact, Tally
from django_piggy_verify.providers.base import Challenge, Identity, Proof
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.sandbox.errors import DOCUMENTED
from django_piggy_verify.secret import Secret
from tests.http.hostile import CLIENT_SECRET, CODE, KEY, TOKEN
from tests.secrecy import evidence as sinks
from tests.secrecy.crashes import WIRE
from tests.secrecy.plans import Plan
from tests.secrecy.walkthrough import CALLS, COMMANDS, PAGES, Visit, with_tls
from tests.steps import ADDRESS

CONNECTING = {"contact_connected", "contact_disconnected"}

TROUBLES: dict[str, dict[str, Any]] = {
    **{fault.name: {"fault": fault} for fault in Fault},
    **{
        f"error-{code}": {"error_code": code, "errors_as": "list"}
        for code in DOCUMENTED
    },
    "undocumented": {"error_code": 9999, "error_status": 500},
    "slow": {"delay": 0.1},
}

# Functions that may fail during a step: of the package, a library or a project.
CRASHES = {
    "ask": """
        django_piggy_verify.login.client_address.of
        django_piggy_verify.login.cookies.keep
        django_piggy_verify.views.page_urls.form_data
        django_piggy_verify.limits.fixed_windows.salted_hmac
        django_piggy_verify.limits.fixed_windows.take
        django_piggy_verify.login.after_response.run
        django_piggy_verify.login.circuit.Circuit.take
        django_piggy_verify.login.pending.begin
        django_piggy_verify.login.pending.remember
        django_piggy_verify.providers.credentials._presentable
        django_piggy_verify.providers.credentials.bearer_token
        django_piggy_verify.providers.piggy.PiggyProvider.__init__
        django_piggy_verify.providers.piggy.PiggyProvider.send_code
        django_piggy_verify.providers.piggy._data
        django_piggy_verify.recipients.normalise
        django_piggy_verify.http.client.call
        django_piggy_verify.login.verification.send_code
        django_piggy_verify.login.counted_sends.CountedSend.make
    """,
    "look": """
        django.template.backends.django.Template.render
        django_piggy_verify.forms.CodeForm.__init__
        django_piggy_verify.login.pending.find
        django_piggy_verify.login.verification.require_sent
    """,
    "mistype": """
        django.forms.widgets.Widget.render
        django.template.backends.django.Template.render
        django_piggy_verify.limits.fixed_windows.settle
        django_piggy_verify.providers.piggy._error_for_code
        django_piggy_verify.login.rate_limits.devices.known
    """,
    "answer": """
        django.contrib.sessions.backends.db.SessionStore.save
        django.middleware.clickjacking.XFrameOptionsMiddleware.process_response
        django_piggy_verify.backends.PiggyBackend.authenticate
        django_piggy_verify.backends.PiggyBackend.can_log_in
        django_piggy_verify.backends.PiggyBackend.create_user
        django_piggy_verify.backends.PiggyBackend.find_user
        django_piggy_verify.backends.PiggyBackend.update_user
        django_piggy_verify.login.contacts.add
        django_piggy_verify.login.codes._fold
        django_piggy_verify.login.codes._plain
        django_piggy_verify.login.codes.normalise
        django_piggy_verify.login.devices.remember
        django_piggy_verify.encryption._keys
        django_piggy_verify.encryption.encrypt
        django_piggy_verify.views.base.FlowView.send_on
        django_piggy_verify.forms.CodeField.clean
        django_piggy_verify.forms.CodeForm.__init__
        django_piggy_verify.forms.CodeForm.clean_code
        django_piggy_verify.forms.authenticate
        django_piggy_verify.limits.counters.find
        django_piggy_verify.limits.fixed_windows.claim
        django_piggy_verify.limits.fixed_windows.settle
        django_piggy_verify.limits.fixed_windows.take
        django_piggy_verify.login.pending.find
        django_piggy_verify.providers.piggy.Identity
        django_piggy_verify.providers.piggy.PiggyProvider.check_code
        django_piggy_verify.providers.piggy.PiggyProvider.fetch_auth_token
        django_piggy_verify.providers.piggy._data
        django_piggy_verify.auth_tokens.fetching.IssuedToken
        django_piggy_verify.auth_tokens.cache.store
        django_piggy_verify.auth_tokens.fetching.fetch
        django_piggy_verify.tokens.LoginFetch.__init__
        django_piggy_verify.tokens.LoginFetch.begin
        django_piggy_verify.tokens.LoginFetch.columns
        django_piggy_verify.login.after_response.run
        django_piggy_verify.login.transactions.run
        django_piggy_verify.http.client.call
        django_piggy_verify.login.rate_limits.of_code
        django_piggy_verify.login.counted_checks.CheckedCode
        django_piggy_verify.login.verification.check_code
        django_piggy_verify.views.login.log_in
    """,
    "see_token": """
        django.http.response.JsonResponse.__init__
        django_piggy_verify.encryption._keys
        django_piggy_verify.encryption.decrypt
        django_piggy_verify.auth_tokens.cache.CachedToken
        django_piggy_verify.auth_tokens.cache.find
        django_piggy_verify.tokens.get_with_expiry
    """,
    "open_portal": """
        django.http.response.HttpResponse.__init__
        django.http.response.ResponseHeaders.__setitem__
        django.middleware.clickjacking.XFrameOptionsMiddleware.process_response
        django_piggy_verify.portal.fetch
        django_piggy_verify.providers.piggy.PiggyProvider.fetch_portal_url
        django_piggy_verify.providers.piggy._data
        django_piggy_verify.providers.piggy._is_safe_target
        django_piggy_verify.http.client.call
        django_piggy_verify.views.contacts.PortalView.send_to
        django_piggy_verify.views.contacts._HiddenRedirect
    """,
    "get_contact": """
        django_piggy_verify.loyalty.call_about
        django_piggy_verify.http.client.call
        django_piggy_verify.loyalty._plain
        django_piggy_verify.providers.piggy.PiggyProvider.fetch_contact
        django_piggy_verify.providers.piggy._data
    """,
    "log_out": """
        django.db.models.query.QuerySet.delete
    """,
}

LEASE_CRASHES = {
    "get_fresh_token": """
        django_piggy_verify.encryption.encrypt
        django_piggy_verify.auth_tokens.leases.Lease.end
        django_piggy_verify.auth_tokens.leases.take
        django_piggy_verify.auth_tokens.fetching._call_provider
        django_piggy_verify.auth_tokens.cache.store
    """
}

REPORTS = {
    "ask": "django_piggy_verify.login.after_response.run",
    "mistype": "django_piggy_verify.limits.fixed_windows.settle",
    "answer": """
        django_piggy_verify.login.devices.remember
        django_piggy_verify.forms.CodeForm.clean_code
        django_piggy_verify.login.pending.find
    """,
    "see_token": "django_piggy_verify.encryption.decrypt",
    "open_portal": """
        django.middleware.clickjacking.XFrameOptionsMiddleware.process_response
        django_piggy_verify.providers.piggy._is_safe_target
        django_piggy_verify.views.contacts.PortalView.send_to
    """,
}

BACKGROUND = {
    "ask": "django_piggy_verify.http.client.call",
    "answer": "django_piggy_verify.auth_tokens.cache.store",
}


def login_of(visit) -> Any:
    request = visit.browser.get("/login/code/").wsgi_request
    return pending.find(request)


def form_of(visit, code):
    form = CodeForm({"code": code}, request=HttpRequest(), login=login_of(visit))
    form.full_clean()
    return form


def answer_of(body):
    return client.Answer(status=200, body=client._parse(json.dumps(body).encode()))


THINGS = {
    "answer": lambda _: answer_of({"data": {"auth_token": TOKEN}}),
    "answer in a list": lambda _: answer_of([{"errors": {"code": [CODE]}}, TOKEN]),
    "bound field": lambda visit: form_of(visit, CODE)["code"],
    "challenge": lambda _: Challenge(recipient=ADDRESS),
    "cleaned data": lambda visit: form_of(visit, CODE).cleaned_data,
    "error of the form": lambda visit: form_of(visit, sinks.WRONG_CODE).errors,
    "form": lambda visit: form_of(visit, CODE),
    "identity": lambda _: Identity(provider="piggy", uid="1", email=ADDRESS),
    "login": login_of,
    "provider": lambda _: PiggyProvider(),
    "rows": lambda _: [*AuthToken.objects.all(), *Contact.objects.all()],
    "tallies": lambda _: [*Tally.objects.all()],
    "secret": lambda _: [Secret(KEY)],
    "served token": lambda visit: tokens.get_with_expiry(visit.member),
    "session": lambda _: [session(), vars(session())],
}


check_code = PiggyProvider.check_code


def proved_with_a_hint(provider, challenge, code):
    """Check a code as Piggy does, and recommend a further check as another vendor."""
    identity = check_code(provider, challenge, code)
    return Proof(identity=identity, hint="face_liveness")


SETTINGS = {
    "PIGGY_VERIFY_BASE_URL": f"https://ann:{KEY}@example.com",
    "PIGGY_VERIFY_TOKEN_URL": f"https://example.com/?{CLIENT_SECRET}",
    "PIGGY_VERIFY_PROXY": f"ftp://ann:{sinks.PROXY_PASSWORD}@example.com",
    "PIGGY_VERIFY_PROVIDER_OPTIONS": {"key": KEY},
    "PIGGY_VERIFY_ENCRYPTION_KEYS": [sinks.RING_KEY],
}


class PiggyVisit(Visit):
    """A visitor who logs in with a code that was mailed."""

    def __init__(self, evidence, sandbox, way="mail"):
        super().__init__(evidence, sandbox)

    def answer_with_a_hint(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PiggyProvider, "check_code", proved_with_a_hint)
            self.answer()


def settings(server):
    return {
        "PIGGY_VERIFY_API_KEY": KEY,
        "PIGGY_VERIFY_TOKEN_URL": with_tls(server.token_url),
    }


PLAN = Plan(
    visit=PiggyVisit,
    ways=("mail",),
    pages=PAGES,
    calls=CALLS,
    commands=COMMANDS,
    later=("see_token", "open_portal"),
    fetches=(
        "get_token",
        "get_fresh_token",
        "get_expired_token",
        "get_portal",
        "get_contact",
    ),
    belongs=frozenset({("token page", "token"), ("portal page", "portal token")}),
    troubles=TROUBLES,
    crashes=CRASHES,
    lease_crashes=LEASE_CRASHES,
    stops={"answer": WIRE, "see_token": WIRE, "open_portal": WIRE, "get_contact": WIRE},
    reports=REPORTS,
    background=BACKGROUND,
    signals=tuple(each for each in sinks.SIGNALS if each not in CONNECTING),
    noisy=("ask", "mistype", "answer_with_a_hint", "log_out", "be_limited"),
    dumped=("piggy_verify.authtoken",),
    sought=(TOKEN, TOKEN[:4]),
    faulty=SETTINGS,
    complaints=frozenset({"03", "05", "07", "09"}),
    things=THINGS,
    checker="/providers/piggy.py check_code",
    settings=settings,
)
