"""Check that codes and tokens of apps appear only where they belong."""

import pytest
from django.core.cache import cache

from django_piggy_verify.sandbox import Fault
from tests.http.hostile import CODE
from tests.secrecy import evidence as sinks
from tests.secrecy.crashes import crashing
from tests.secrecy.evidence import APP_TOKEN, WRONG_CODE, found_in
from tests.secrecy.walkthrough import Visit
from tests.steps import ADDRESS

STEPS = ["ask", "mistype", "resend", "answer", "answer", "ask", "answer"]
BELONGS = {("app page", "app token")}
BEFORE = {"mistype": ["ask"], "answer": ["ask"], "answer_again": ["ask", "answer"]}
CRASHES = {
    "ask": """
        django_piggy_verify.login.cookies.bind
        django_piggy_verify.login.pending.begin
        django_piggy_verify.views.page_urls.form_data
        django_piggy_verify.views.app.state
    """,
    "mistype": """
        django_piggy_verify.limits.fixed_windows.settle
        django_piggy_verify.login.rate_limits.devices.known
        django_piggy_verify.views.form_page.form_errors
    """,
    "answer": """
        django.http.response.HttpResponse.__init__
        django.middleware.clickjacking.XFrameOptionsMiddleware.process_response
        django_piggy_verify.backends.PiggyBackend.can_log_in
        django_piggy_verify.forms.CodeForm.__init__
        django_piggy_verify.forms.CodeForm.clean_code
        django_piggy_verify.limits.fixed_windows.claim
        django_piggy_verify.limits.fixed_windows.exhaust
        django_piggy_verify.login.app_logins._claim
        django_piggy_verify.login.app_logins.get_provider
        django_piggy_verify.login.app_logins.remember
        django_piggy_verify.login.app_token._json_of
        django_piggy_verify.login.app_token.import_callable
        django_piggy_verify.login.app_token.make
        django_piggy_verify.login.devices.signed
        django_piggy_verify.login.transactions.kept_open
        django_piggy_verify.tokens.LoginFetch.begin
        django_piggy_verify.views.app.AppCodeView.logged_in
        tests.secrecy.test_app_secrets.token_of
    """,
    "answer_again": """
        django_piggy_verify.backends.PiggyBackend.can_log_in
        django_piggy_verify.limits.fixed_windows.usage
        django_piggy_verify.login.app_logins.user_of
        django_piggy_verify.login.devices.signed
        django_piggy_verify.login.codes.normalise
        django_piggy_verify.views.app.AppCodeView.logged_in
        tests.secrecy.test_app_secrets.token_of
    """,
}
REPORTS = {
    "answer": """
        django_piggy_verify.login.app_logins.remember
        django_piggy_verify.login.app_token._json_of
        django_piggy_verify.login.devices.signed
        tests.secrecy.test_app_secrets.token_of
    """
}


def token_of(request, user):
    return {"key": APP_TOKEN}


class AppVisit(Visit):
    """A member with an app, which keeps the last login."""

    before = BEFORE
    login = ""

    def post(self, url, **fields):
        browser = self.browser
        browser.is_script = True
        response = browser.post(f"/app/login/{url}", {"login": self.login, **fields})
        if response.status_code == 202:
            self.login = response.json()["login"]

    def ask(self):
        self.post("", email=ADDRESS)

    def resend(self):
        self.post("code/resend/")

    def mistype(self):
        self.post("code/", code=WRONG_CODE)

    def answer(self):
        self.post("code/", code=CODE)

    answer_again = answer


@pytest.fixture
def visit(evidence, sandbox, settings):
    settings.ROOT_URLCONF = "tests.apps.urls"
    settings.PIGGY_VERIFY_APP_TOKEN = f"{__name__}.token_of"
    return AppVisit(evidence, sandbox)


@pytest.mark.django_db(transaction=True)
def test_a_login_of_an_app_shows_no_secret(visit, evidence):
    visit.take(*STEPS)

    evidence.note("cache", vars(cache))
    assert evidence.leaks == BELONGS
    assert all(APP_TOKEN in each for each in evidence.sinks["app page"])


@pytest.mark.parametrize("fault", Fault)
def test_no_failure_shows_a_secret_of_an_app(visit, evidence, fault):
    visit.take_in({"fault": fault}, "ask", "answer")
    visit.take("ask")
    visit.take_in({"fault": fault}, "mistype", "answer", "resend", "answer")

    assert evidence.leaks <= BELONGS


@crashing(CRASHES)
def test_no_crash_shows_a_secret_of_an_app(visit, broken, step, path):
    visit.prepare(step)
    broken(path)
    visit.take(step)

    assert "broken on purpose" in visit.evidence.of("errors")
    assert visit.evidence.leaks <= BELONGS


@crashing(REPORTS)
@pytest.mark.usefixtures("mailer", "debug")
def test_no_report_shows_a_secret_of_an_app(visit, broken, step, path):
    visit.prepare(step)
    broken(path)
    visit.take(step)

    for sink in ("mails", "pages"):
        assert "broken on purpose" in visit.evidence.of(sink)
        assert found_in(visit.evidence.of(sink)) == set()


@pytest.mark.django_db(transaction=True)
def test_no_line_has_a_secret_of_an_app_in_plain_text(visit, evidence):
    """An error at any line would show the local variables of the line."""
    with sinks.watching_lines(evidence):
        visit.take(*STEPS)

    lines = evidence.sinks["lines"]
    assert any(each.startswith("/login/app_token.py make") for each in lines)
    assert [each for each in lines if found_in(each)] == []


@pytest.mark.parametrize("made", [APP_TOKEN, [APP_TOKEN], {"key": {APP_TOKEN}}])
def test_what_is_no_mapping_of_json_is_not_shown(visit, evidence, settings, made):
    settings.PIGGY_VERIFY_APP_TOKEN = lambda *_: made

    visit.take("ask", "answer", "answer_again")

    assert "PIGGY_VERIFY_APP_TOKEN returned" in evidence.of("errors")
    assert evidence.leaks == set()
