"""The plan for Punchh, with consents, refresh tokens and PKCE."""

from typing import Any

from django_piggy_verify import tokens
from django_piggy_verify.login import browsers, challenges, open_challenges
from django_piggy_verify.login.consents import given_now
from django_piggy_verify.models import AuthToken, OpenChallenge
from django_piggy_verify.providers import get_provider, hashes
from django_piggy_verify.providers.base import Challenge
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.sandbox.vendors.punchh import ERRORS
from tests.consenting import CONSENTS
from tests.http.hostile import CLIENT_SECRET, CODE, TOKEN
from tests.secrecy.crashes import WIRE
from tests.secrecy.evidence import COOKIE, REFRESH_TOKEN, VERIFIER
from tests.secrecy.plans import Plan
from tests.secrecy.walkthrough import COMMANDS, Visit
from tests.steps import ADDRESS, NUMBER

FIELDS = {"text": {"phone": NUMBER}, "mail": {"email": ADDRESS}}

TROUBLES: dict[str, dict[str, Any]] = {
    **{fault.name: {"fault": fault} for fault in Fault},
    **{f"error-{word}": {"error_code": word} for word in ERRORS},
    "no profile": {"failing_profiles": 99},
    "slow": {"delay": 0.1},
}

CRASHES = {
    "ask": """
        django_piggy_verify.encryption.encrypt
        django_piggy_verify.encryption._ciphers
        django_piggy_verify.http.client.call
        django_piggy_verify.login.browsers.begin
        django_piggy_verify.login.browsers.device_of
        django_piggy_verify.login.browsers.remember
        django_piggy_verify.login.browsers.salted_hmac
        django_piggy_verify.login.challenges.Challenge
        django_piggy_verify.login.challenges.Visitor
        django_piggy_verify.login.challenges.replace
        django_piggy_verify.login.open_challenges.Stored.__init__
        django_piggy_verify.login.open_challenges.Stored.complete
        django_piggy_verify.login.open_challenges._keys
        django_piggy_verify.login.open_challenges._seal
        django_piggy_verify.login.open_challenges.store
        django_piggy_verify.login.counted_sends._announce
        django_piggy_verify.login.counted_sends._send
        django_piggy_verify.phones.parts_of
        django_piggy_verify.providers.answers.data_of
        django_piggy_verify.providers.calls.call_as
        django_piggy_verify.providers.hashes.Secret
        django_piggy_verify.providers.hashes.challenge_of
        django_piggy_verify.providers.hashes.new_verifier
        django_piggy_verify.providers.hashes.sha256
        django_piggy_verify.providers.hashes.urlsafe_b64encode
        django_piggy_verify.providers.punchh.PunchhProvider._headers
        django_piggy_verify.providers.punchh.PunchhProvider._post
        django_piggy_verify.providers.punchh.PunchhProvider.new_state
        django_piggy_verify.providers.punchh.PunchhProvider.send_code
        django_piggy_verify.providers.punchh._person
        django.db.models.query.QuerySet.create
    """,
    "answer": """
        django_piggy_verify.admission.Admission.__init__
        django_piggy_verify.admission.consents.record
        django_piggy_verify.auth_tokens.cache.store
        django_piggy_verify.auth_tokens.cache._seal_refresh
        django_piggy_verify.auth_tokens.fetching.announce
        django_piggy_verify.auth_tokens.refreshing.IssuedToken
        django_piggy_verify.auth_tokens.refreshing.issued
        django_piggy_verify.encryption._open
        django_piggy_verify.encryption.decrypt
        django_piggy_verify.encryption.encrypt
        django_piggy_verify.login.counted_checks.CheckedCode
        django_piggy_verify.login.checking.challenges.of
        django_piggy_verify.login.open_challenges.GivenConsent
        django_piggy_verify.login.open_challenges.Opened
        django_piggy_verify.login.open_challenges.Secret
        django_piggy_verify.login.open_challenges._hidden
        django_piggy_verify.login.open_challenges.forget
        django_piggy_verify.login.open_challenges.open_newest
        django_piggy_verify.login.open_challenges.replace
        django_piggy_verify.providers.answers.TokenSet
        django_piggy_verify.providers.answers.data_of
        django_piggy_verify.providers.answers.tokens_of
        django_piggy_verify.providers.base.Identity.of
        django_piggy_verify.providers.base.Proof.of
        django_piggy_verify.providers.calls.call_as
        django_piggy_verify.providers.calls.find_token
        django_piggy_verify.providers.calls.repeated_once
        django_piggy_verify.providers.calls.Secret
        django_piggy_verify.providers.hashes.hmac.digest
        django_piggy_verify.providers.hashes.request_digest
        django_piggy_verify.providers.punchh.Proof
        django_piggy_verify.providers.punchh.PunchhProvider._fetch_uid
        django_piggy_verify.providers.punchh.PunchhProvider._headers
        django_piggy_verify.providers.punchh.PunchhProvider._post
        django_piggy_verify.providers.punchh.PunchhProvider.check_code
        django_piggy_verify.tokens.keep
    """,
    "mistype": """
        django_piggy_verify.providers.answers.errors_of
        django_piggy_verify.providers.answers.failure_of
        django_piggy_verify.providers.punchh._missing_consent
        django_piggy_verify.providers.punchh.Secret
    """,
    "get_fresh_token": """
        django_piggy_verify.auth_tokens.cache._is_stored
        django_piggy_verify.auth_tokens.cache._open_refresh
        django_piggy_verify.auth_tokens.cache._seal_refresh
        django_piggy_verify.auth_tokens.cache.refresh_token_of
        django_piggy_verify.auth_tokens.cache.store
        django_piggy_verify.auth_tokens.fetching._call_provider
        django_piggy_verify.auth_tokens.fetching.announce
        django_piggy_verify.auth_tokens.refreshing.issued
        django_piggy_verify.auth_tokens.refreshing.refresh
        django_piggy_verify.auth_tokens.refreshing.token_of
        django_piggy_verify.encryption.decrypt
        django_piggy_verify.encryption.encrypt
        django_piggy_verify.providers.answers.tokens_of
        django_piggy_verify.providers.calls.call_as
        django_piggy_verify.providers.punchh.PunchhProvider._post
        django_piggy_verify.providers.punchh.PunchhProvider.refresh_auth_token
    """,
    "rekey": """
        django_piggy_verify.encryption._open
        django_piggy_verify.encryption.is_current
    """,
}

LEASE_CRASHES = {
    "get_fresh_token": """
        django_piggy_verify.auth_tokens.cache._is_stored
        django_piggy_verify.auth_tokens.cache._seal_refresh
        django_piggy_verify.auth_tokens.cache.store
        django_piggy_verify.auth_tokens.fetching._call_provider
        django_piggy_verify.auth_tokens.fetching._store
        django_piggy_verify.auth_tokens.fetching.announce
        django_piggy_verify.auth_tokens.leases.Lease.end
        django_piggy_verify.auth_tokens.leases.take
        django_piggy_verify.encryption.encrypt
    """
}

REPORTS = {
    "ask": """
        django_piggy_verify.login.after_response.run
        django_piggy_verify.login.browsers.device_of
    """,
    "answer": """
        django_piggy_verify.encryption.decrypt
        django_piggy_verify.login.consents.record
        django_piggy_verify.login.open_challenges.open_newest
        django_piggy_verify.providers.hashes.request_digest
        django_piggy_verify.providers.punchh.PunchhProvider.check_code
        django_piggy_verify.providers.punchh.Proof
    """,
    "see_token": "django_piggy_verify.encryption.decrypt",
}

BACKGROUND = {
    "ask": """
        django_piggy_verify.encryption.encrypt
        django_piggy_verify.http.client.call
        django_piggy_verify.login.open_challenges._seal
        django_piggy_verify.providers.hashes.challenge_of
    """,
    "answer": "django_piggy_verify.auth_tokens.cache.store",
}


class PunchhVisit(Visit):
    """A visitor who asks for a code by mail, or for one by text message."""

    def __init__(self, evidence, sandbox, way="text"):
        fields = FIELDS[way] | CONSENTS
        kinds = ("terms", "privacy")
        super().__init__(evidence, sandbox, fields=fields, consents=kinds)

    def ask_without_consents(self):
        self.browser.post("/login/", {**self.fields, **dict.fromkeys(CONSENTS, "")})


def opened(recipient=NUMBER):
    provider = get_provider()
    challenge = challenges.of(provider, recipient, None)
    return open_challenges.open_newest(provider, challenge)


THINGS = {
    "challenge": lambda _: opened().challenge,
    "opened": lambda _: opened(),
    "rows": lambda _: [*OpenChallenge.objects.all(), *AuthToken.objects.all()],
    "served token": lambda visit: tokens.get_with_expiry(visit.member),
    "stored": lambda visit: open_challenges.store(
        get_provider(), Challenge(recipient=ADDRESS), given_now(visit.consents)
    ),
}


def mark(monkeypatch):
    monkeypatch.setattr(hashes, "token_urlsafe", lambda _: VERIFIER)
    monkeypatch.setattr(browsers, "token_urlsafe", lambda _: COOKIE)


SETTINGS = {
    "PIGGY_VERIFY_BASE_URL": f"https://ann:{CLIENT_SECRET}@example.com",
    "PIGGY_VERIFY_CLIENT_SECRET": CLIENT_SECRET.encode(),
    "PIGGY_VERIFY_PROVIDER_OPTIONS": {
        "client_type": f"{CLIENT_SECRET}\n",
        "user_agent": [CLIENT_SECRET],
        "secret": CLIENT_SECRET,
    },
    "PIGGY_VERIFY_CONSENTS": {"terms": CLIENT_SECRET, "more": [CLIENT_SECRET]},
}

PLAN = Plan(
    visit=PunchhVisit,
    ways=tuple(FIELDS),
    pages=(
        *("ask_without_consents", "ask", "resend", "look", "mistype"),
        *("begin_elsewhere", "answer", "see_token", "replay", "cancel", "log_out"),
    ),
    calls=(
        *("send", "check", "judge", "send_another", "authenticate"),
        *("get_token", "get_fresh_token", "get_expired_token"),
    ),
    commands=(*COMMANDS, "be_revoked", "get_fresh_token"),
    later=("see_token",),
    fetches=("get_token", "get_fresh_token", "get_expired_token"),
    # The browser gets its cookie, and a script gets the token.
    belongs=frozenset({("token page", "token"), ("headers", "cookie of the browser")}),
    troubles=TROUBLES,
    crashes=CRASHES,
    lease_crashes=LEASE_CRASHES,
    stops={"send": WIRE, "judge": WIRE, "get_fresh_token": WIRE},
    reports=REPORTS,
    background=BACKGROUND,
    signals=(
        *("code_sent", "code_rejected", "contact_verified", "auth_token_fetched"),
        *("user_logged_in", "user_logged_out", "user_login_failed"),
    ),
    noisy=("ask", "mistype", "answer", "log_out"),
    reported=frozenset({"cookie of the browser"}),
    dumped=("refresh_ciphertext", "piggy_verify.openchallenge"),
    sought=(TOKEN, REFRESH_TOKEN, VERIFIER, CODE),
    faulty=SETTINGS,
    complaints=frozenset({"03", "13", "14"}),
    things=THINGS,
    checker="/providers/punchh.py check_code",
    marks=mark,
)
