"""Check that code verifiers, refresh tokens and codes appear only where they belong."""

import logging
from pathlib import Path
from pprint import pformat
from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from django_piggy_verify import signals, tokens
from django_piggy_verify.login import browsers, challenges, open_challenges
from django_piggy_verify.login.consents import given_now
from django_piggy_verify.models import AuthToken, Contact, OpenChallenge, Tally
from django_piggy_verify.providers import get_provider, hashes
from django_piggy_verify.providers.base import Challenge
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.sandbox.vendors.punchh import ERRORS
from django_piggy_verify.secret import Secret
from tests.consenting import CONSENTS
from tests.http.hostile import CLIENT_SECRET, CODE, TOKEN
from tests.secrecy import evidence as sinks
from tests.secrecy.crashes import WIRE, crashing
from tests.secrecy.evidence import (
    COOKIE,
    REFRESH_TOKEN,
    VERIFIER,
    Browser,
    found_in,
)
from tests.secrecy.walkthrough import Visit, in_each_style
from tests.steps import ADDRESS, NUMBER, calls

FIELDS = {"mail": {"email": ADDRESS}, "text": {"phone": NUMBER}}
PAGES = ["ask_without_consents", "ask", "resend", "look", "mistype"]
PAGES += ["begin_elsewhere", "answer", "see_token", "replay", "cancel", "log_out"]
CALLS = ["send", "check", "judge", "send_another", "authenticate"]
CALLS += ["get_token", "get_fresh_token", "get_expired_token"]
COMMANDS = ["rekey", "examine", "purge"]
# The browser gets its cookie, and a script gets the token.
WHERE_IT_BELONGS = {("token page", "token"), ("headers", "cookie of the browser")}


@pytest.fixture
def vendor():
    return "punchh"


@pytest.fixture(autouse=True)
def marked(monkeypatch):
    monkeypatch.setattr(hashes, "token_urlsafe", lambda _: VERIFIER)
    monkeypatch.setattr(browsers, "token_urlsafe", lambda _: COOKIE)


class PunchhVisit(Visit):
    """A visitor who asks for a code by mail, or for one by text message."""

    def __init__(self, evidence, sandbox, way="text"):
        fields = FIELDS[way] | CONSENTS
        kinds = ("terms", "privacy")
        super().__init__(evidence, sandbox, fields=fields, consents=kinds)

    def ask_without_consents(self):
        self.browser.post("/login/", {**self.fields, **dict.fromkeys(CONSENTS, "")})


@pytest.fixture
def visit(evidence, sandbox):
    return PunchhVisit(evidence, sandbox)


def plant_in_form(visit):
    visit.browser.get("/login/", {"next": f"/{VERIFIER}"})


def plant_in_session(visit):
    kept = visit.browser.session
    kept["planted"] = VERIFIER
    kept.save()
    visit.take("look")


def plant_in_cookie(visit):
    with patch.object(browsers, "token_urlsafe", lambda _: VERIFIER):
        visit.take("ask")


def plant_in_column(_visit):
    now, sealed = timezone.now(), f"planted {VERIFIER}".encode()
    OpenChallenge.objects.create(key="planted", ciphertext=sealed, ends_at=now)


def plant_in_line(visit):
    source = "def run():\n  verifier = SECRET\n  return verifier\nrun()"
    planted = compile(source, f"{sinks.PACKAGE}/planted.py", "exec")
    with sinks.watching_lines(visit.evidence):
        exec(planted, {"SECRET": VERIFIER})


def plant_in_log(_visit):
    logging.getLogger("django_piggy_verify").debug("%s", VERIFIER)


def plant_in_signal(_visit):
    state = {"verifier": Secret(VERIFIER)}
    signals.code_sent.send(None, it=Challenge(recipient=ADDRESS, state=state))


PLANTS = {
    "database": plant_in_column,
    "headers": plant_in_cookie,
    "lines": plant_in_line,
    "logs": plant_in_log,
    "pages": plant_in_form,
    "session": plant_in_session,
    "signals": plant_in_signal,
}


@pytest.mark.parametrize("sink", PLANTS)
def test_the_search_finds_a_planted_verifier(visit, evidence, sink):
    PLANTS[sink](visit)

    assert (sink, "verifier") in evidence.leaks


@pytest.mark.parametrize("way", FIELDS)
@in_each_style
@pytest.mark.django_db(transaction=True)
def test_a_visit_shows_no_secret(evidence, sandbox, way, is_script):
    visit = PunchhVisit(evidence, sandbox, way)

    visit.take(*PAGES, *CALLS, *COMMANDS, is_script=is_script)
    visit.take("be_revoked", "get_fresh_token", is_script=is_script)

    assert evidence.leaks == WHERE_IT_BELONGS


TROUBLES = {
    **{fault.name: {"fault": fault} for fault in Fault},
    **{f"error-{word}": {"error_code": word} for word in ERRORS},
    "no profile": {"failing_profiles": 99},
    "slow": {"delay": 0.1},
}
in_trouble = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)


@in_trouble
def test_no_page_of_a_failure_shows_a_secret(visit, evidence, trouble):
    visit.take_in(trouble, "ask", "look")
    visit.take("ask")
    visit.take_in(trouble, "mistype", "answer", "resend", "look", "answer")
    visit.take("ask", "answer")
    visit.take_in(trouble, "see_token")

    assert evidence.leaks == WHERE_IT_BELONGS


@in_trouble
def test_no_failed_call_shows_a_secret(visit, evidence, trouble):
    visit.take_in(trouble, "send")
    visit.take("send", "send_another")
    visit.take_in(trouble, "check", "judge", "authenticate")
    visit.take("send_another", "authenticate")
    visit.take_in(trouble, "get_token", "get_fresh_token", "get_expired_token")

    assert visit.member
    assert evidence.leaks == set()


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
        django_piggy_verify.login.checking.CheckedCode
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


@crashing(CRASHES)
def test_no_crash_shows_a_secret(visit, evidence, broken, step, path):
    visit.prepare(step)

    broken(path)
    visit.take(step)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks <= WHERE_IT_BELONGS


@crashing(
    {
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
)
@pytest.mark.django_db(transaction=True)
def test_no_crash_under_a_lease_shows_a_secret(visit, evidence, broken, step, path):
    visit.prepare(step)

    broken(path)
    visit.take(step)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks == set()


@crashing(
    {
        "get_fresh_token": """
            django_piggy_verify.auth_tokens.cache.drop_spent
            django_piggy_verify.auth_tokens.refreshing.after_refusal
            django_piggy_verify.exceptions.LoginRequired.__init__
            django.db.models.query.QuerySet._raw_delete
        """
    }
)
@pytest.mark.django_db(transaction=True)
def test_no_crash_after_a_refused_refresh_shows_a_secret(
    visit, evidence, broken, step, path
):
    visit.prepare(step)
    visit.take("be_revoked")

    broken(path)
    visit.take(step)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks == set()


@crashing({"send": WIRE, "judge": WIRE, "get_fresh_token": WIRE})
def test_no_stop_of_a_worker_shows_a_secret(visit, evidence, broken, step, path):
    """A server may stop a slow worker at any line and report the error."""
    visit.prepare(step)

    broken(path, SystemExit)
    visit.take(step)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks == set()


SENT = ["code_sent", "code_rejected", "contact_verified", "auth_token_fetched"]
SENT += ["user_logged_in", "user_logged_out", "user_login_failed"]


@pytest.mark.parametrize("name", SENT)
def test_no_receiver_that_fails_shows_a_secret(visit, evidence, name):
    def fail(**kwargs):
        raise ArithmeticError("broken on purpose")

    with sinks.receiving(sinks.SIGNALS[name], fail):
        visit.take("ask", "mistype", "answer", "log_out")

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks <= WHERE_IT_BELONGS


reported = crashing(
    {
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
)


@reported
@in_each_style
@pytest.mark.usefixtures("debug")
def test_no_debug_page_shows_a_secret(visit, broken, step, path, is_script):
    """The page may show the code and the cookies that the browser has sent."""
    visit.prepare(step)

    broken(path)
    visit.take(step, is_script=is_script)

    pages = visit.evidence.of("pages")
    assert "broken on purpose" in pages
    assert "PIGGY_VERIFY_ENCRYPTION_KEYS" in pages
    assert found_in(pages) <= {"cookie of the browser"}


@reported
@in_each_style
@pytest.mark.usefixtures("mailer")
def test_no_mail_to_the_admins_shows_a_secret(visit, broken, step, path, is_script):
    visit.prepare(step)

    broken(path)
    visit.take(step, is_script=is_script)

    mails = visit.evidence.of("mails")
    assert "broken on purpose" in mails
    assert found_in(mails) <= {"cookie of the browser"}


@crashing(
    {
        "ask": """
            django_piggy_verify.encryption.encrypt
            django_piggy_verify.http.client.call
            django_piggy_verify.login.open_challenges._seal
            django_piggy_verify.providers.hashes.challenge_of
        """,
        "answer": "django_piggy_verify.auth_tokens.cache.store",
    }
)
@pytest.mark.usefixtures("mailer")
def test_no_mail_about_work_beside_the_response_shows_a_secret(
    visit, broken, step, path
):
    visit.prepare(step)

    broken(path)
    visit.take(step)

    mails = visit.evidence.of("mails")
    assert "broken on purpose" in mails
    assert found_in(mails) <= {"cookie of the browser"}


def sent_to(sandbox):
    """Return all that the vendor has got."""
    return [f"{c.path} {c.headers} {c.content!r}" for c in sandbox.calls]


def test_the_vendor_gets_the_id_of_the_browser_and_never_the_cookie(visit, sandbox):
    visit.take(*PAGES, *CALLS)

    found = found_in("".join(sent_to(sandbox)))
    assert found >= {"id of the browser", "verifier", "challenge", "digest"}
    assert "cookie of the browser" not in found
    assert "client secret" not in found


ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_session_holds_a_secret(visit, evidence, settings, tmp_path, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = tmp_path

    visit.take("ask", "mistype", "answer", "see_token")

    assert "_auth_user_id" in evidence.of("session")
    evidence.note("cache", vars(cache))
    evidence.note("files", *(each.read_bytes() for each in tmp_path.iterdir()))
    assert evidence.leaks == WHERE_IT_BELONGS


def test_no_dump_of_the_database_holds_a_secret(visit, evidence, capsys):
    visit.take("ask", "answer", "ask", "send", "send_another", "authenticate")

    call_command("dumpdata")

    dump = capsys.readouterr().out
    assert "refresh_ciphertext" in dump
    assert "piggy_verify.openchallenge" in dump
    assert found_in(dump) == set()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others keep many files")
@pytest.mark.django_db(transaction=True)
def test_no_file_of_the_database_holds_a_secret(visit):
    """The file may still hold rows that were deleted."""
    visit.take(*PAGES, *CALLS)

    written = Path(connection.settings_dict["NAME"]).read_bytes().decode("latin-1")

    assert NUMBER in written
    assert found_in(written) == set()


def test_the_admin_shows_no_secret(visit, evidence, admin_user):
    visit.take("ask", "answer", "send")
    browser, admin = Browser(evidence), "/admin/piggy_verify/"
    browser.force_login(admin_user)

    for page in ("", "{}/change/", "{}/history/", "{}/delete/"):
        browser.get(f"{admin}contact/{page}".format(Contact.objects.get().pk))
    browser.get(f"{admin}tally/")
    browser.get(f"{admin}tally/{Tally.objects.latest('pk').pk}/change/")

    assert "fresh" in evidence.of("pages")
    assert "send_sms_range" in evidence.of("pages")
    assert evidence.leaks <= WHERE_IT_BELONGS


def test_the_admin_search_finds_neither_tokens_nor_verifiers(visit, admin_client):
    visit.take("ask", "answer")

    for sought in (TOKEN, REFRESH_TOKEN, VERIFIER, CODE):
        page = admin_client.get("/admin/piggy_verify/contact/", {"q": sought})
        assert "0 results" in page.text


def test_no_system_check_quotes_a_secret(settings):
    settings.PIGGY_VERIFY_BASE_URL = f"https://ann:{CLIENT_SECRET}@example.com"
    settings.PIGGY_VERIFY_CLIENT_SECRET = CLIENT_SECRET.encode()
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {
        "client_type": f"{CLIENT_SECRET}\n",
        "user_agent": [CLIENT_SECRET],
        "secret": CLIENT_SECRET,
    }
    settings.PIGGY_VERIFY_CONSENTS = {"terms": CLIENT_SECRET, "more": [CLIENT_SECRET]}

    found = run_checks(include_deployment_checks=True)

    ids = {each.id for each in found}
    assert ids >= {f"piggy_verify.E0{number}" for number in ("03", "13", "14")}
    assert found_in(pformat([vars(each) for each in found])) == set()


@pytest.mark.parametrize("trouble", [{}, *({"fault": fault} for fault in Fault)])
def test_the_doctor_shows_no_secret(visit, evidence, sandbox, trouble):
    visit.take_in(trouble, "examine")

    assert "verify" in calls(sandbox)
    assert evidence.leaks == set()


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


@pytest.mark.parametrize("make", THINGS.values(), ids=THINGS)
def test_nothing_shows_a_secret_when_it_is_printed(visit, make):
    visit.take("send_another", "authenticate", "ask")

    thing = make(visit)

    assert found_in(f"{thing} {thing!r} {thing!a} {pformat(thing)}") == set()


@pytest.mark.django_db(transaction=True)
def test_no_line_of_the_package_has_a_secret_in_plain_text(visit, evidence):
    """An error at any line would show the local variables of the line."""
    with sinks.watching_lines(evidence):
        visit.take(*PAGES, *CALLS, *COMMANDS, "be_revoked", "get_fresh_token")

    lines = evidence.sinks["lines"]
    assert any(each.startswith("/providers/punchh.py check_code") for each in lines)
    assert [each for each in lines if found_in(each)] == []
