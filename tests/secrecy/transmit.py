"""The plan for Transmit: a user who is logged in connects a contact."""

from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.test import RequestFactory, override_settings

from django_piggy_verify.login import challenges, open_challenges
from django_piggy_verify.models import OpenChallenge
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import UserAccess
from django_piggy_verify.providers.transmit import TransmitProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.sandbox.links import follow
from django_piggy_verify.sandbox.vendors.transmit_shapes import ERRORS
from django_piggy_verify.secret import Secret
from tests.connecting.steps import CANCEL, CODE, CONNECT, DISCONNECT, LINK, RESEND
from tests.http.hostile import CLIENT_SECRET, CODE as RIGHT, KEY, TOKEN
from tests.secrecy.crashes import WIRE
from tests.secrecy.evidence import WRONG_CODE
from tests.secrecy.plans import Plan
from tests.secrecy.walkthrough import BOB, CAROL, Visit, with_tls
from tests.steps import ADDRESS, NUMBER

OPTIONS = {"message": "{otp} is your code for {app}.", "email_by": "link"}
FIELDS = {"text": {"phone": NUMBER}, "mail": {"email": ADDRESS}}

BEFORE = {
    "judge": ["send"],
    "mistype": ["ask"],
    "answer": ["ask"],
    "answer_after_expiry": ["ask"],
    "go_on": ["ask_for_link", "follow"],
}


def plain_access(_request: Any) -> UserAccess:
    """Return an access whose token the project has not wrapped."""
    return UserAccess(uid="somebody", token=cast("Any", TOKEN))


class TransmitVisit(Visit):
    """A user who connects a number or an address by code, and an address by link."""

    before = BEFORE

    def __init__(self, evidence, sandbox, way="text"):
        super().__init__(evidence, sandbox, fields=FIELDS[way])
        self.way = way
        self.member = get_user_model().objects.create_user("shopper", CAROL)
        self.log_in()

    def log_in(self):
        for browser in (self.browser, self.late):
            browser.force_login(
                self.member, "django.contrib.auth.backends.ModelBackend"
            )

    def options(self):
        by = "code" if self.way == "mail" else "link"
        return override_settings(
            PIGGY_VERIFY_PROVIDER_OPTIONS={**OPTIONS, "email_by": by}
        )

    def take(self, *steps, is_script=False):
        with self.options():
            super().take(*steps, is_script=is_script)

    def ask(self):
        self.browser.post(CONNECT, self.fields)

    def resend(self):
        self.browser.post(RESEND)

    def look(self):
        self.browser.get(CONNECT)
        self.browser.get(CODE)

    def mistype(self):
        self.browser.post(CODE, {"code": WRONG_CODE})

    def begin_elsewhere(self):
        self.late.post(CONNECT, self.fields)

    def answer(self):
        self.browser.post(CODE, {"code": RIGHT})

    def replay(self):
        self.late.post(CODE, {"code": RIGHT})

    def cancel(self):
        self.late.post(CANCEL)

    def disconnect(self):
        for contact in self.member.piggy_contacts.all():
            self.browser.post(DISCONNECT, {"contact": contact.pk})

    def ask_for_link(self):
        self.browser.post(CONNECT, {"email": ADDRESS})

    def look_at_link(self):
        self.browser.get(f"{LINK}?result=true")

    def go_on(self):
        self.browser.post(LINK)

    def go_on_with_grant(self):
        with override_settings(PIGGY_VERIFY_API_KEY=None):
            self.go_on()

    def follow(self):
        follow(self.sandbox, self.sandbox.mailbox.newest(ADDRESS).code)

    def ask_after_expiry(self):
        with self.short_tokens():
            self.ask()
            self.ask_for_link()
        self.answer()
        self.go_on()

    def answer_after_expiry(self):
        with self.short_tokens():
            self.answer()

    def answer_without_access(self):
        self.answer_as(lambda _: None)

    def answer_with_text(self):
        self.answer_as(lambda _: TOKEN)

    def answer_with_plain_token(self):
        self.answer_as(plain_access)

    def answer_with_error(self):
        self.answer_as(self.fail)

    def answer_as(self, callable_):
        with override_settings(PIGGY_VERIFY_USER_ACCESS=callable_):
            self.ask()
            self.answer()
            self.go_on()

    def fail(self, request):
        raise KeyError(TOKEN)

    @contextmanager
    def short_tokens(self):
        lifetime = self.sandbox.token_lifetime
        self.sandbox.token_lifetime = 0
        yield
        self.sandbox.token_lifetime = lifetime

    def challenge(self):
        request = RequestFactory().get(CONNECT)
        request.user = self.member
        provider = get_provider()
        found = challenges.of(provider, NUMBER, request)
        return challenges.with_state(provider, found)

    def send(self):
        get_provider().send_code(self.challenge())

    def judge(self):
        get_provider().check_code(self.challenge(), Secret(RIGHT))

    def send_link(self):
        TransmitProvider(**OPTIONS).send_link(replace(self.challenge(), recipient=BOB))

    def judge_link(self):
        TransmitProvider(**OPTIONS).check_link(replace(self.challenge(), recipient=BOB))


CRASHES = {
    "ask": """
        django_piggy_verify.encryption.encrypt
        django_piggy_verify.http.client.call
        django_piggy_verify.login.after_response.run
        django_piggy_verify.login.challenges.Challenge
        django_piggy_verify.login.challenges.replace
        django_piggy_verify.login.counted_sends._announce
        django_piggy_verify.login.counted_sends._send
        django_piggy_verify.login.open_challenges.Stored.__init__
        django_piggy_verify.login.open_challenges.Stored.complete
        django_piggy_verify.login.open_challenges._seal
        django_piggy_verify.login.open_challenges.store
        django_piggy_verify.login.pending.begin
        django_piggy_verify.login.pending.remember
        django_piggy_verify.login.user_access._ask
        django_piggy_verify.login.user_access._fault_of
        django_piggy_verify.login.user_access.find
        django_piggy_verify.login.user_access.is_token
        django_piggy_verify.login.user_access.is_uid
        django_piggy_verify.providers.calls.call_as
        django_piggy_verify.providers.calls.is_success
        django_piggy_verify.providers.options.Options.require
        django_piggy_verify.providers.transmit.TransmitProvider._post
        django_piggy_verify.providers.transmit.TransmitProvider._send
        django_piggy_verify.providers.transmit.TransmitProvider.new_state
        django_piggy_verify.providers.transmit.TransmitProvider.send_code
        django_piggy_verify.providers.user_calls.Secret
        django_piggy_verify.providers.user_calls._require
        django_piggy_verify.providers.user_calls.is_token
        django_piggy_verify.providers.user_calls.post
        django_piggy_verify.providers.user_calls.state_of
        django_piggy_verify.signals.code_sent.send_robust
        django_piggy_verify.views.page_urls.form_data
    """,
    "ask_for_link": """
        django_piggy_verify.login.challenges._return_url
        django_piggy_verify.login.challenges.reverse
        django_piggy_verify.login.challenges.way_to
        django_piggy_verify.providers.transmit.TransmitProvider.send_link
        django_piggy_verify.providers.user_calls.post
    """,
    "mistype": """
        django_piggy_verify.limits.fixed_windows.settle
        django_piggy_verify.login.checking._report_rejection
    """,
    "answer": """
        django_piggy_verify.connecting._Connected
        django_piggy_verify.connecting._Connection.store
        django_piggy_verify.connecting._locked
        django_piggy_verify.connecting.connect
        django_piggy_verify.connecting.tokens.keep
        django_piggy_verify.encryption._open
        django_piggy_verify.encryption.decrypt
        django_piggy_verify.forms.CodeForm.__init__
        django_piggy_verify.forms.CodeForm.clean_code
        django_piggy_verify.forms.ConnectCodeForm._is_right
        django_piggy_verify.http.client.call
        django_piggy_verify.limits.fixed_windows.settle
        django_piggy_verify.limits.fixed_windows.take
        django_piggy_verify.login.challenges.Challenge
        django_piggy_verify.login.counted_checks.CheckedCode
        django_piggy_verify.login.checking.challenges.of
        django_piggy_verify.login.codes.normalise
        django_piggy_verify.login.contacts.add
        django_piggy_verify.login.open_challenges._hidden
        django_piggy_verify.login.open_challenges.forget
        django_piggy_verify.login.open_challenges.open_newest
        django_piggy_verify.login.open_challenges.replace
        django_piggy_verify.login.transactions.run
        django_piggy_verify.login.user_access.find
        django_piggy_verify.providers.base.Identity.of
        django_piggy_verify.providers.base.Proof.of
        django_piggy_verify.providers.calls.call_as
        django_piggy_verify.providers.transmit.TransmitProvider._post
        django_piggy_verify.providers.transmit.TransmitProvider.check_code
        django_piggy_verify.providers.user_calls.post
        django_piggy_verify.providers.user_calls.uid_of
        django_piggy_verify.views.connect_page.ConnectPage.connected
    """,
    "go_on": """
        django_piggy_verify.connecting.connect
        django_piggy_verify.login.verification.check_link
        django_piggy_verify.login.open_challenges.open_newest
        django_piggy_verify.providers.base.Identity.of
        django_piggy_verify.providers.calls.call
        django_piggy_verify.providers.credentials.bearer_token
        django_piggy_verify.providers.transmit.TransmitProvider.check_link
        django_piggy_verify.providers.transmit._has_proved
        django_piggy_verify.providers.transmit.quote
        django_piggy_verify.providers.user_calls.uid_of
    """,
    "answer_without_access": "django_piggy_verify.login.user_access.LoginRequired",
    "answer_with_text": """
        django_piggy_verify.login.user_access.LoginRequired
    """,
    "answer_with_error": "django_piggy_verify.login.user_access.LoginRequired",
    "answer_with_plain_token": """
        django_piggy_verify.login.user_access._fault_of
    """,
    "ask_after_expiry": "django_piggy_verify.providers.user_calls.LoginRequired",
    "answer_after_expiry": "django_piggy_verify.providers.user_calls.LoginRequired",
}

REPORTS = {
    "ask": """
        django_piggy_verify.login.after_response.run
        django_piggy_verify.login.user_access._fault_of
        django_piggy_verify.login.challenges.Challenge
    """,
    "answer": """
        django_piggy_verify.encryption.decrypt
        django_piggy_verify.login.contacts.add
        django_piggy_verify.login.open_challenges.open_newest
        django_piggy_verify.providers.transmit.TransmitProvider.check_code
        django_piggy_verify.providers.user_calls.post
    """,
    "go_on": """
        django_piggy_verify.providers.calls.call
        django_piggy_verify.providers.transmit._has_proved
        django_piggy_verify.providers.transmit.TransmitProvider.check_link
    """,
}


def settings(server):
    return {
        "PIGGY_VERIFY_API_KEY": lambda: KEY,
        "PIGGY_VERIFY_TOKEN_URL": with_tls(f"{server.url_of('transmit')}/oidc/token"),
    }


def opened(visit):
    visit.take("ask")
    return open_challenges.open_newest(get_provider(), visit.challenge())


PLAN = Plan(
    visit=TransmitVisit,
    ways=("text", "mail"),
    pages=(
        *("ask", "resend", "look", "mistype", "begin_elsewhere", "answer", "replay"),
        *("disconnect", "ask_for_link", "look_at_link", "go_on", "follow", "go_on"),
        *("disconnect", "ask_for_link", "follow", "go_on_with_grant", "disconnect"),
        *("answer_without_access", "answer_with_text"),
        *("answer_with_plain_token", "answer_with_error", "ask_after_expiry"),
        *("ask", "answer_after_expiry", "be_limited", "cancel", "log_out"),
    ),
    calls=("send", "judge", "send_link", "judge_link"),
    commands=("examine", "purge"),
    later=("ask_for_link", "follow", "go_on", "disconnect"),
    troubles={
        **{fault.name: {"fault": fault} for fault in Fault},
        **{f"error-{word}": {"error_code": word} for word in ERRORS},
        "slow": {"delay": 0.1},
    },
    crashes=CRASHES,
    stops={"send": WIRE, "judge": WIRE, "judge_link": WIRE},
    reports=REPORTS,
    background={
        "ask": """
            django_piggy_verify.encryption.encrypt
            django_piggy_verify.http.client.call
            django_piggy_verify.login.open_challenges._seal
            django_piggy_verify.providers.user_calls.post
        """,
    },
    signals=(
        *("code_sent", "code_rejected", "contact_connected", "contact_disconnected"),
        *("limit_reached", "user_logged_out"),
    ),
    noisy=("ask", "mistype", "answer", "disconnect", "be_limited", "log_out"),
    dumped=("piggy_verify.openchallenge", "piggy_verify.contact"),
    sought=(TOKEN, RIGHT),
    faulty={
        "PIGGY_VERIFY_BASE_URL": f"https://ann:{CLIENT_SECRET}@example.com",
        "PIGGY_VERIFY_TOKEN_URL": f"https://example.com/?{CLIENT_SECRET}",
        "PIGGY_VERIFY_USER_ACCESS": CLIENT_SECRET.encode(),
        "PIGGY_VERIFY_PROVIDER_OPTIONS": {
            "message": f"{CLIENT_SECRET} {{otp}}",
            "sender_id": CLIENT_SECRET,
            "redirect_uri": f"http://ann:{CLIENT_SECRET}@example.com",
            "secret": CLIENT_SECRET,
        },
    },
    complaints=frozenset({"03", "13", "16"}),
    things={
        "access": lambda visit: visit.challenge().access,
        "challenge": lambda visit: visit.challenge(),
        "opened": opened,
        "rows": lambda _: [*OpenChallenge.objects.all()],
        "provider": lambda _: get_provider(),
        "plain access": plain_access,
    },
    checker="/providers/transmit.py check_link",
    settings=settings,
)
