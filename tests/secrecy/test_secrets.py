"""Check that keys, codes and tokens appear only where they belong."""

import base64
import json
import logging
import sys
import traceback
import warnings
from pathlib import Path
from pprint import pformat
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import messages
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection
from django.http import HttpRequest
from django.test import override_settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from django_piggy_verify import signals, tokens
from django_piggy_verify.forms import CodeForm
from django_piggy_verify.http import client
from django_piggy_verify.http.connections import session
from django_piggy_verify.login import pending
from django_piggy_verify.models import AuthToken, Contact, Tally
from django_piggy_verify.providers import credentials
from django_piggy_verify.providers.base import Challenge, Identity, Proof
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.sandbox.errors import DOCUMENTED
from django_piggy_verify.secret import Secret
from tests.http.hostile import (
    CLIENT_SECRET,
    CODE,
    GRANT,
    KEY,
    TOKEN,
    reply,
    serving,
)
from tests.secrecy import evidence as sinks
from tests.secrecy.crashes import WIRE, crashing
from tests.secrecy.evidence import Browser, found_in
from tests.secrecy.walkthrough import (
    CALLS,
    CAROL,
    PAGES,
    Visit,
    in_each_style,
    with_tls,
)
from tests.steps import ADDRESS, UNLIMITED, ask_for_code, type_code

WHERE_IT_BELONGS = {("token page", "token"), ("portal page", "portal token")}


@pytest.fixture(autouse=True)
def piggy(sandbox, piggy_sandbox_server):
    with override_settings(
        PIGGY_VERIFY_API_KEY=KEY,
        PIGGY_VERIFY_TOKEN_URL=with_tls(piggy_sandbox_server.token_url),
    ):
        yield


@pytest.fixture
def visit(evidence, sandbox):
    return Visit(evidence, sandbox)


@pytest.fixture
def no_cached_token(settings):
    settings.PIGGY_VERIFY_AUTH_TOKEN_TTL = 0


@pytest.mark.parametrize("secret", sinks.SECRETS)
def test_the_search_finds_a_secret_in_every_encoding(secret):
    text = sinks.SECRETS[secret]
    shapes = [
        base64.b64encode(f"{before}{text} and more".encode()).decode()
        for before in ("", "a", "ab")
    ]
    shapes += [text, quote(text), json.dumps(text), f"{text.encode()!r}", text.upper()]
    shapes += [base64.urlsafe_b64encode(text.encode()).decode(), text.encode().hex()]

    assert [found_in(f"before {shape} after") for shape in shapes] == [{secret}] * 10


def plant_in_messages(visit):
    def receive(request, **kwargs):
        messages.info(request, KEY)

    with sinks.receiving(signals.code_sent, receive):
        visit.take("ask")


def plant_in_session(visit):
    kept = visit.browser.session
    kept["planted"] = KEY
    kept.save()
    visit.take("look")


def plant_in_frames(source):
    def plant(visit):
        names = {"SECRET": KEY, "logging": logging, "visit": visit}
        exec(compile(source, "/srv/planted.py", "exec"), names)

    return plant


PLANTS = {
    "database": lambda _: Tally.objects.create(
        key=KEY, count=1, ends_at=timezone.now()
    ),
    "errors": plant_in_frames(
        "try: 1 / 0\nexcept ArithmeticError as error: visit.evidence.error(error)"
    ),
    "headers": lambda visit: visit.browser.get(f"/login?next={KEY}"),
    "logs": lambda _: logging.getLogger("urllib3").debug("%s", KEY),
    "mails": lambda _: logging.getLogger("django.request").error(KEY),
    "messages": plant_in_messages,
    "pages": lambda visit: visit.browser.get("/login/", {"next": f"/{KEY}"}),
    "session": plant_in_session,
    "signals": lambda _: signals.code_sent.send(None, request=None, it=Secret(KEY)),
    "stacks": plant_in_frames("logging.getLogger('django_piggy_verify').debug('')"),
    "stdout": lambda _: sys.stdout.write(KEY),
    "warnings": lambda _: warnings.warn(KEY, stacklevel=1),
}


@pytest.mark.usefixtures("mailer")
@pytest.mark.parametrize("sink", PLANTS)
def test_the_search_finds_what_is_planted(visit, evidence, sink):
    PLANTS[sink](visit)

    assert (sink, "key") in evidence.leaks


@in_each_style
@pytest.mark.django_db(transaction=True)
def test_a_visit_shows_no_secret(visit, evidence, is_script):
    visit.take(*PAGES, *CALLS, is_script=is_script)

    assert "piggy_verify_authtoken" in evidence.of("logs")
    assert "/contact-verification/verify HTTP" in evidence.of("logs")
    assert evidence.leaks == WHERE_IT_BELONGS


TROUBLES = {
    **{fault.name: {"fault": fault} for fault in Fault},
    **{
        f"error-{code}": {"error_code": code, "errors_as": "list"}
        for code in DOCUMENTED
    },
    "undocumented": {"error_code": 9999, "error_status": 500},
    "slow": {"delay": 0.1},
}
in_trouble = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)


@in_trouble
@pytest.mark.usefixtures("no_cached_token")
def test_no_page_of_a_failure_shows_a_secret(visit, evidence, trouble):
    visit.take_in(trouble, "ask", "look")
    visit.take("ask")
    visit.take_in(trouble, "mistype", "answer", "resend", "look", "answer")
    visit.take("ask", "answer")
    visit.take_in(trouble, "see_token", "open_portal")
    visit.take("see_token", "open_portal")

    assert evidence.leaks == WHERE_IT_BELONGS


@in_trouble
def test_no_failed_call_shows_a_secret(visit, evidence, trouble):
    visit.take_in(trouble, "send")
    visit.take("send", "send_another")
    visit.take_in(trouble, "check", "judge", "authenticate")
    visit.take("authenticate")
    visit.take_in(trouble, "get_token", "get_fresh_token", "get_expired_token")
    visit.take_in(trouble, "get_portal")

    assert visit.member
    assert evidence.leaks == set()


GRANTS = {
    "none": {},
    **{fault.name: {"fault": fault, "fault_on": {"token"}} for fault in Fault},
    "refused": {"fault": Fault.UNAUTHORIZED, "fault_on": {"send", "auth-token"}},
}


@pytest.mark.parametrize("trouble", GRANTS.values(), ids=GRANTS)
def test_no_grant_shows_a_secret(visit, evidence, settings, trouble):
    settings.PIGGY_VERIFY_API_KEY = None
    visit.take_in(trouble, "ask", "send")
    visit.take("ask", "answer", "send_another", "authenticate")

    visit.take_in(trouble, "get_fresh_token")
    visit.take("get_fresh_token")

    assert credentials.bearer_token(timeout=1) == GRANT
    assert evidence.leaks == set()


@pytest.mark.parametrize("status", [200, 400, 500])
def test_responses_that_repeat_secrets_are_not_quoted(
    visit, evidence, settings, status
):
    def repeat(peer):
        told = peer.server.requests[-1]
        said = [told.body.decode(), told.headers]
        reply({"code": 13010, "message": said, "data": said}, status)(peer)

    with serving(settings) as upstream:
        upstream.answers |= dict.fromkeys(upstream.answers, repeat)
        visit.take(*PAGES)

    assert "verify" in upstream.names
    assert evidence.leaks == set()


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
        django_piggy_verify.login.checking.CheckedCode
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
    "log_out": """
        django.db.models.query.QuerySet.delete
    """,
}


@crashing(CRASHES)
def test_no_crash_shows_a_secret(visit, evidence, broken, step, path):
    visit.prepare(step)

    broken(path)
    visit.take(step)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks <= WHERE_IT_BELONGS


@pytest.mark.parametrize("limit", ["code_use", "code_login"])
def test_no_crash_while_a_used_code_is_hashed_shows_the_code(
    visit, evidence, monkeypatch, limit
):
    def crash_at_a_code(salt, text, **kwargs):
        if text.startswith(limit):
            raise ArithmeticError("broken on purpose")
        return salted_hmac(salt, text, **kwargs)

    visit.prepare("answer")
    monkeypatch.setattr(
        "django_piggy_verify.limits.fixed_windows.salted_hmac", crash_at_a_code
    )
    visit.take("answer")

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks == set()


@crashing(
    {
        "get_fresh_token": """
            django_piggy_verify.encryption.encrypt
            django_piggy_verify.auth_tokens.leases.Lease.end
            django_piggy_verify.auth_tokens.leases.take
            django_piggy_verify.auth_tokens.fetching._call_provider
            django_piggy_verify.auth_tokens.cache.store
        """
    }
)
@pytest.mark.django_db(transaction=True)
def test_no_crash_under_a_lease_shows_a_secret(visit, evidence, broken, step, path):
    visit.prepare(step)

    broken(path)
    visit.take(step)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks == set()


@crashing({"judge": WIRE})
def test_no_failure_of_a_connection_shows_a_secret(visit, evidence, broken, step, path):
    broken(path)

    visit.take(step)

    assert "ArithmeticError" in evidence.of("errors")
    assert evidence.leaks == set()


@crashing({"answer": WIRE, "see_token": WIRE, "open_portal": WIRE})
@pytest.mark.usefixtures("no_cached_token")
def test_no_stop_of_a_worker_shows_a_secret(visit, evidence, broken, step, path):
    """A server may stop a slow worker at any line and report the error."""
    visit.prepare(step)

    broken(path, SystemExit)
    visit.take(step)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks == set()


check_code = PiggyProvider.check_code


def proved_with_a_hint(provider, challenge, code):
    """Check a code as Piggy does, and recommend a further check as another vendor."""
    identity = check_code(provider, challenge, code)
    return Proof(identity=identity, hint="face_liveness")


@pytest.mark.parametrize("signal", sinks.SIGNALS.values(), ids=sinks.SIGNALS)
def test_no_receiver_that_fails_shows_a_secret(visit, evidence, signal, monkeypatch):
    def fail(**kwargs):
        raise ArithmeticError("broken on purpose")

    monkeypatch.setattr(PiggyProvider, "check_code", proved_with_a_hint)
    with sinks.receiving(signal, fail):
        visit.take("ask", "mistype", "answer", "log_out")
        with override_settings(PIGGY_VERIFY_RATE_LIMITS=UNLIMITED | {"send_ip": "1/h"}):
            visit.take("ask")

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks <= WHERE_IT_BELONGS


reported = crashing(
    {
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
)


@reported
@in_each_style
@pytest.mark.usefixtures("debug")
def test_no_debug_page_shows_a_secret(visit, broken, step, path, is_script):
    """The page may show the code among the posted fields."""
    visit.prepare(step)

    broken(path)
    visit.take(step, is_script=is_script)

    pages = visit.evidence.of("pages")
    assert "broken on purpose" in pages
    assert "PIGGY_VERIFY_ENCRYPTION_KEYS" in pages
    assert found_in(pages) == set()


@reported
@in_each_style
@pytest.mark.usefixtures("mailer")
def test_no_mail_to_the_admins_shows_a_secret(visit, broken, step, path, is_script):
    visit.prepare(step)

    broken(path)
    visit.take(step, is_script=is_script)

    mails = visit.evidence.of("mails")
    assert "broken on purpose" in mails
    assert "PIGGY_VERIFY_ENCRYPTION_KEYS" in mails
    assert found_in(mails) == set()


@crashing(
    {
        "ask": "django_piggy_verify.http.client.call",
        "answer": "django_piggy_verify.auth_tokens.cache.store",
    }
)
@pytest.mark.usefixtures("mailer")
def test_no_mail_about_work_after_the_response_shows_a_secret(
    visit, broken, step, path
):
    visit.prepare(step)

    broken(path)
    visit.take(step)

    mails = visit.evidence.of("mails")
    assert "broken on purpose" in mails
    assert "Server Error" not in visit.evidence.of("pages")
    assert found_in(mails) == set()


@pytest.mark.usefixtures("mailer")
def test_no_mail_about_an_outage_shows_a_secret(visit, evidence, sandbox):
    visit.prepare("answer")

    sandbox.switches.fault = Fault.MAINTENANCE
    visit.take("answer")

    assert "Service Unavailable" in evidence.of("mails")
    assert evidence.leaks == set()


@pytest.mark.parametrize(
    "place",
    [
        "limits.fixed_windows.take",
        "login.codes._fold",
        "login.codes._plain",
        "login.codes._are_words",
        "login.codes._is_wrapping",
    ],
)
@pytest.mark.parametrize("typed", [CODE, f'"{CODE}".'])
def test_a_code_in_plain_text_is_hidden_at_once(db, broken, place, typed):
    """Only in frames of the package: the frames of the caller keep it."""
    broken(f"django_piggy_verify.{place}")

    with pytest.raises(ArithmeticError) as caught:
        authenticate(None, recipient=ADDRESS, secret_code=typed)

    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)]
    ours = [frame for frame in frames if sinks.PACKAGE in frame.f_code.co_filename]
    assert "authenticate" in [frame.f_code.co_name for frame in ours]
    assert found_in("".join(sinks.locals_of(ours))) == set()


def test_the_password_of_a_proxy_is_never_shown(visit, evidence, settings):
    settings.PIGGY_VERIFY_PROXY = f"http://ann:{sinks.PROXY_PASSWORD}@127.0.0.1:9"

    visit.take("ask")

    assert "Connection refused" in evidence.of("logs")
    assert evidence.leaks == set()


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


@pytest.mark.parametrize("make", THINGS.values(), ids=THINGS)
def test_nothing_shows_a_secret_when_it_is_printed(visit, make):
    visit.take("ask", "send_another", "authenticate")

    thing = make(visit)

    assert found_in(f"{thing} {thing!r} {thing!a} {pformat(thing)}") == set()


ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_session_holds_a_secret(visit, evidence, settings, tmp_path, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = tmp_path

    visit.take("ask", "mistype", "answer", "see_token", "open_portal")

    assert "_auth_user_id" in evidence.of("session")
    evidence.note("cache", vars(cache))
    evidence.note("files", *(each.read_bytes() for each in tmp_path.iterdir()))
    assert evidence.leaks == WHERE_IT_BELONGS


def test_no_dump_of_the_database_holds_a_secret(visit, evidence, capsys):
    visit.take(*PAGES[:-1], *CALLS)

    call_command("dumpdata")

    assert "piggy_verify.authtoken" in capsys.readouterr().out
    assert evidence.leaks == WHERE_IT_BELONGS


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others keep many files")
@pytest.mark.django_db(transaction=True)
def test_no_file_of_the_database_holds_a_secret(visit, evidence):
    """The file may still hold rows that were deleted."""
    visit.take(*PAGES, *CALLS)

    written = Path(connection.settings_dict["NAME"]).read_bytes().decode("latin-1")

    assert CAROL in written
    assert found_in(written) == set()


def test_the_admin_shows_no_secret(visit, evidence, admin_user):
    visit.take("ask", "answer")
    browser, contacts = Browser(evidence), "/admin/piggy_verify/contact/"
    browser.force_login(admin_user)

    for page in ("", "{}/change/", "{}/history/", "{}/delete/"):
        browser.get(contacts + page.format(Contact.objects.get().pk))

    assert "fresh" in evidence.of("pages")
    assert evidence.leaks == set()


def test_the_admin_search_finds_no_token(visit, admin_client):
    visit.take("ask", "answer")

    for sought in (TOKEN, TOKEN[:4], AuthToken.objects.get().ciphertext.hex()):
        page = admin_client.get("/admin/piggy_verify/contact/", {"q": sought})
        assert "0 results" in page.text


def test_no_system_check_quotes_a_secret(settings):
    settings.PIGGY_VERIFY_BASE_URL = f"https://ann:{KEY}@example.com"
    settings.PIGGY_VERIFY_TOKEN_URL = f"https://example.com/?{CLIENT_SECRET}"
    settings.PIGGY_VERIFY_PROXY = f"ftp://ann:{sinks.PROXY_PASSWORD}@example.com"
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"key": KEY}
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [sinks.RING_KEY]

    found = run_checks(include_deployment_checks=True)

    ids = {each.id for each in found}
    assert ids >= {f"piggy_verify.E00{number}" for number in (3, 5, 7, 9)}
    assert found_in(pformat([vars(each) for each in found])) == set()


def test_no_line_of_the_log_can_be_forged(visit, evidence):
    for address in (f"{ADDRESS}\r\nERROR forged", f"ann\nERROR forged@{CAROL}"):
        ask_for_code(Browser(evidence), address)
        authenticate(None, recipient=address, secret_code="1\r\nERROR forged")
    visit.ask()
    type_code(visit.browser, "1\r\nERROR forged")

    assert "\nERROR" not in evidence.of("logs")


def test_callers_get_secrets_as_plain_strings():
    secret = Secret("value")

    assert secret == "value"
    assert f"{secret}" == "value"
    assert "value" not in repr([secret])
    assert "value" not in f"{secret!a}" + pformat({"key": secret})


@pytest.mark.django_db(transaction=True)
def test_no_line_of_the_package_has_a_secret_in_plain_text(visit, evidence):
    """An error at any line would show the local variables of the line."""
    with sinks.watching_lines(evidence):
        visit.take(*PAGES, *CALLS)

    lines = evidence.sinks["lines"]
    assert any(each.startswith("/providers/piggy.py check_code") for each in lines)
    assert [each for each in lines if found_in(each)] == []
