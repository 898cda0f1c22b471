"""Check that the secrets of each vendor appear only where they belong."""

from pathlib import Path
from pprint import pformat

import pytest
from django.core.cache import cache
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection

from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.sandbox import Fault
from tests.secrecy import evidence as sinks
from tests.secrecy.conftest import PLANS
from tests.secrecy.evidence import Browser, found_in
from tests.secrecy.walkthrough import CAROL, in_each_style

of_each_vendor = pytest.mark.parametrize("vendor", PLANS)


def each(name):
    """Parametrize a test by a vendor, and by the values of this part of its plan."""
    found = [(v, value) for v, plan in PLANS.items() for value in getattr(plan, name)]
    return by_vendor(name.removesuffix("s"), found)


def crashing(name):
    """Parametrize a test by a vendor, and by a step with a function of the step."""
    found = [
        (vendor, (step, path))
        for vendor, plan in PLANS.items()
        for step, paths in getattr(plan, name).items()
        for path in paths.split()
    ]
    return by_vendor("crash", found)


def by_vendor(name, found):
    ids = ["-".join(flat(vendor, value)) for vendor, value in found]
    return pytest.mark.parametrize(("vendor", name), found, ids=ids)


def flat(vendor, value):
    return [vendor, *value] if isinstance(value, tuple) else [vendor, value]


def take_and_crash(visit, broken, crash, error=ArithmeticError, **options):
    """Take a step while a function of it fails."""
    step, path = crash
    visit.prepare(step)
    broken(path, error)
    visit.take(step, **options)


@pytest.fixture
def no_cached_token(settings):
    settings.PIGGY_VERIFY_AUTH_TOKEN_TTL = 0


@each("ways")
@in_each_style
@pytest.mark.django_db(transaction=True)
def test_a_visit_shows_no_secret(visit, evidence, plan, is_script):
    visit.take(*plan.pages, *plan.calls, *plan.commands, is_script=is_script)

    assert "piggy_verify_contact" in evidence.of("logs")
    assert evidence.leaks == plan.belongs


@each("troubles")
@pytest.mark.usefixtures("no_cached_token")
def test_no_page_of_a_failure_shows_a_secret(visit, evidence, plan, trouble):
    trouble = plan.troubles[trouble]

    visit.take_in(trouble, "ask", "look")
    visit.take("ask")
    visit.take_in(trouble, "mistype", "answer", "resend", "look", "answer")
    visit.take("ask", "answer")
    visit.take_in(trouble, *plan.later)
    visit.take(*plan.later)

    assert Contact.objects.exists() != ("disconnect" in plan.later)
    assert evidence.leaks == plan.belongs


@each("troubles")
def test_no_failed_call_shows_a_secret(visit, evidence, plan, trouble):
    trouble = plan.troubles[trouble]

    visit.take_in(trouble, "send")
    visit.take("send", "send_another")
    visit.take_in(trouble, "check", "judge", "authenticate")
    visit.take("send_another", "authenticate")
    visit.take_in(trouble, *plan.fetches)

    assert visit.member
    assert evidence.leaks == set()


@crashing("crashes")
def test_no_crash_shows_a_secret(visit, plan, broken, crash):
    take_and_crash(visit, broken, crash)

    assert "broken on purpose" in visit.evidence.of("errors")
    assert visit.evidence.leaks <= plan.belongs


@crashing("lease_crashes")
@pytest.mark.django_db(transaction=True)
def test_no_crash_under_a_lease_shows_a_secret(visit, broken, crash):
    take_and_crash(visit, broken, crash)

    assert "broken on purpose" in visit.evidence.of("errors")
    assert visit.evidence.leaks == set()


@crashing("stops")
@pytest.mark.usefixtures("no_cached_token")
def test_no_stop_of_a_worker_shows_a_secret(visit, broken, crash):
    """A server may stop a slow worker at any line and report the error."""
    take_and_crash(visit, broken, crash, SystemExit)

    assert "broken on purpose" in visit.evidence.of("errors")
    assert visit.evidence.leaks == set()


@each("signals")
def test_no_receiver_that_fails_shows_a_secret(visit, evidence, plan, signal):
    def fail(**kwargs):
        raise ArithmeticError("broken on purpose")

    with sinks.receiving(sinks.SIGNALS[signal], fail):
        visit.take(*plan.noisy)

    assert "broken on purpose" in evidence.of("errors")
    assert evidence.leaks <= plan.belongs


@crashing("reports")
@in_each_style
@pytest.mark.usefixtures("debug")
def test_no_debug_page_shows_a_secret(visit, plan, broken, crash, is_script):
    """The page may show the code and the cookies that the browser has sent."""
    take_and_crash(visit, broken, crash, is_script=is_script)

    pages = visit.evidence.of("pages")
    assert "broken on purpose" in pages
    assert "PIGGY_VERIFY_ENCRYPTION_KEYS" in pages
    assert found_in(pages) <= plan.reported


@crashing("reports")
@in_each_style
@pytest.mark.usefixtures("mailer")
def test_no_mail_to_the_admins_shows_a_secret(visit, plan, broken, crash, is_script):
    take_and_crash(visit, broken, crash, is_script=is_script)

    mails = visit.evidence.of("mails")
    assert "broken on purpose" in mails
    assert "PIGGY_VERIFY_ENCRYPTION_KEYS" in mails
    assert found_in(mails) <= plan.reported


@crashing("background")
@pytest.mark.usefixtures("mailer")
def test_no_mail_about_work_beside_the_response_shows_a_secret(
    visit, plan, broken, crash
):
    take_and_crash(visit, broken, crash)

    mails = visit.evidence.of("mails")
    assert "broken on purpose" in mails
    assert "Server Error" not in visit.evidence.of("pages")
    assert found_in(mails) <= plan.reported


@of_each_vendor
@pytest.mark.parametrize(
    "engine", ["db", "cache", "cached_db", "file", "signed_cookies"]
)
def test_no_session_holds_a_secret(visit, plan, settings, tmp_path, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = tmp_path

    visit.take("log_in", "ask", "mistype", "answer", *plan.later)

    assert "_auth_user_id" in visit.evidence.of("session")
    visit.evidence.note("cache", vars(cache))
    visit.evidence.note("files", *(each.read_bytes() for each in tmp_path.iterdir()))
    assert visit.evidence.leaks == plan.belongs


@of_each_vendor
def test_no_dump_of_the_database_holds_a_secret(visit, plan, capsys):
    visit.take("ask", "answer", "ask", "send", "send_another", "authenticate")

    call_command("dumpdata")

    dump = capsys.readouterr().out
    assert all(name in dump for name in plan.dumped)
    assert found_in(dump) == set()


@of_each_vendor
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others keep many files")
@pytest.mark.django_db(transaction=True)
def test_no_file_of_the_database_holds_a_secret(visit, plan):
    """The file may still hold rows that were deleted."""
    visit.take(*plan.pages, *plan.calls)

    written = Path(connection.settings_dict["NAME"]).read_bytes().decode("latin-1")

    assert CAROL in written
    assert found_in(written) == set()


@of_each_vendor
def test_the_admin_shows_no_secret(visit, evidence, plan, admin_user):
    visit.take("ask", "answer", "send")
    browser, admin = Browser(evidence), "/admin/piggy_verify/"
    browser.force_login(admin_user)

    for page in ("", "{}/change/", "{}/history/", "{}/delete/"):
        browser.get(f"{admin}contact/{page}".format(Contact.objects.get().pk))
    browser.get(f"{admin}tally/")
    browser.get(f"{admin}tally/{Tally.objects.latest('pk').pk}/change/")

    assert "send_recipient_day" in evidence.of("pages")
    assert evidence.leaks <= plan.belongs


@of_each_vendor
def test_the_admin_search_finds_no_secret(visit, plan, admin_client):
    visit.take("ask", "answer")

    for sought in plan.sought:
        page = admin_client.get("/admin/piggy_verify/contact/", {"q": sought})
        assert "0 results" in page.text


@of_each_vendor
def test_no_system_check_quotes_a_secret(plan, settings):
    for name, value in plan.faulty.items():
        setattr(settings, name, value)

    found = run_checks(include_deployment_checks=True)

    ids = {each.id for each in found}
    assert ids >= {f"piggy_verify.E0{number}" for number in plan.complaints}
    assert found_in(pformat([vars(each) for each in found])) == set()


@of_each_vendor
@pytest.mark.parametrize("fault", [None, *Fault])
def test_the_doctor_shows_no_secret(visit, evidence, sandbox, fault):
    visit.take_in({"fault": fault}, "examine")

    assert sandbox.calls
    assert evidence.leaks == set()


@each("things")
def test_nothing_shows_a_secret_when_it_is_printed(visit, plan, thing):
    visit.take("ask", "send_another", "authenticate", "ask")

    thing = plan.things[thing](visit)

    assert found_in(f"{thing} {thing!r} {thing!a} {pformat(thing)}") == set()


@of_each_vendor
@pytest.mark.django_db(transaction=True)
def test_no_line_of_the_package_has_a_secret_in_plain_text(visit, evidence, plan):
    """An error at any line would show the local variables of the line."""
    with sinks.watching_lines(evidence):
        visit.take(*plan.pages, *plan.calls, *plan.commands)

    lines = evidence.sinks["lines"]
    assert any(each.startswith(plan.checker) for each in lines)
    assert [each for each in lines if found_in(each)] == []
