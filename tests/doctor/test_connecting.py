"""Check what the doctor says of a provider that cannot log in."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import clear_url_caches, include, path
from django.utils import timezone

from django_piggy_verify import urls_connect
from django_piggy_verify.exceptions import (
    CodeRejected,
    ContactUnknown,
    LoginRequired,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.models import Contact
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.views import ConnectView
from tests.attributes import LinkProver, Prover, access_of_ann
from tests.doctor.test_doctor import found, report, run
from tests.steps import ADDRESS, calls

CONNECT_PAGES = path("account/", include("django_piggy_verify.urls_connect"))
ALL_PAGES = path("account/", include("django_piggy_verify.urls"))
DJANGOS = "django.contrib.auth.backends.ModelBackend"
OURS = "django_piggy_verify.backends.PiggyBackend"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def connecting(settings):
    """The settings of a public server with a provider that cannot log in."""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.AUTHENTICATION_BACKENDS = [DJANGOS]
    settings.LOGIN_URL = "/password/"
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.Prover"
    settings.PIGGY_VERIFY_API_KEY = None
    settings.PIGGY_VERIFY_CONNECT = True
    settings.PIGGY_VERIFY_USER_ACCESS = access_of_ann
    settings.PIGGY_VERIFY_SEND_FLOOR = 1.0
    route(settings, CONNECT_PAGES)


@pytest.fixture
def links(settings):
    """A provider that mails links, and has its key."""
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.LinkProver"
    settings.PIGGY_VERIFY_API_KEY = "0123456789abcdef"


@pytest.fixture
def piggy(settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.checks.test_checks.Toy"
    settings.AUTHENTICATION_BACKENDS = [OURS, DJANGOS]
    settings.ROOT_URLCONF = "tests.public_urls"
    settings.LOGIN_URL = "piggy_verify:email"
    clear_url_caches()


def route(settings, *pages):
    password = path("password/", lambda _request: HttpResponse())
    settings.ROOT_URLCONF = (password, *pages)
    clear_url_caches()


def texts(*arguments):
    return [each["text"] for each in report(*arguments)["findings"]]


def test_a_sound_installation_has_no_problem():
    printed, status = run()

    assert status == 0
    assert found("problem") == []
    assert [each for each in found("warning") if "W005" not in each] == []
    assert printed.endswith(
        "Users can connect contacts here if the API agrees. Try --live.\n"
    )


def test_a_warning_that_is_silenced_is_not_repeated(settings):
    settings.SILENCED_SYSTEM_CHECKS = ["piggy_verify.W005"]

    assert found("warning") == []
    assert "The settings are complete and valid." in found("good")


def test_a_problem_keeps_users_from_connecting(settings):
    settings.PIGGY_VERIFY_TIMEOUT = "10"

    printed, status = run()

    assert status == 1
    assert printed.endswith("Users cannot connect contacts here: 1 problem.\n")


@pytest.mark.parametrize("backends", [[DJANGOS], [OURS, DJANGOS]], ids=len)
def test_the_backend_is_not_needed(settings, backends):
    settings.AUTHENTICATION_BACKENDS = backends
    settings.PIGGY_VERIFY_CREATE_USERS = False

    assert "The provider cannot log anybody in, so it needs no backend." in texts()
    assert found("problem") == []


def test_a_site_without_permissions_is_noted(settings):
    settings.AUTHENTICATION_BACKENDS = [OURS]

    assert "There is no ModelBackend, so nobody has permissions." in found("note")


@pytest.mark.parametrize("name", ["ALLOW_STAFF", "LINK_BY_EMAIL", "EXPOSE_AUTH_TOKEN"])
def test_what_concerns_logins_only_is_not_mentioned(settings, name):
    before = texts()

    setattr(settings, f"PIGGY_VERIFY_{name}", True)

    assert texts() == before
    assert not any("log in with it" in each for each in before)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"PIGGY_VERIFY_USER_ACCESS": None}, "it is missing. (piggy_verify.E016)"),
        ({"PIGGY_VERIFY_USER_ACCESS": "no.such"}, "(piggy_verify.E016)"),
        ({"PIGGY_VERIFY_CONNECT": False}, "CONNECT is off. (piggy_verify.W006)"),
        ({"ROOT_URLCONF": "django.contrib.auth.urls"}, "has no connect pages."),
        ({"SESSION_COOKIE_PATH": "/app/"}, "the pages are at /account/connect/."),
        ({"ALLOWED_HOSTS": []}, "The connect page returns status 400."),
        (
            {"PIGGY_VERIFY_PROVIDER": "tests.attributes.LinkProver"},
            "(piggy_verify.E001)",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_setting_that_keeps_users_from_connecting_is_a_problem(
    settings, changes, text
):
    for name, value in changes.items():
        setattr(settings, name, value)

    problems = found("problem")

    assert any(text in each for each in problems), problems


# The pages


def test_the_connect_page_is_the_first_page():
    assert "The first page is at /account/connect/." in found("good")


def test_login_pages_that_return_404_are_a_warning(settings):
    route(settings, ALL_PAGES)

    assert any("(piggy_verify.W006)" in each for each in found("warning"))
    assert found("problem") == []


def test_connect_pages_within_another_namespace_are_a_problem(settings):
    route(settings, path("club/", include(([CONNECT_PAGES], "club"))))

    [text] = [each for each in report()["findings"] if "namespace" in each["text"]]
    assert text["outcome"] == "problem"
    assert "django_piggy_verify.urls_connect" in text["hint"]


def test_connect_pages_behind_another_route_are_a_problem(settings):
    other = path("account/connect/code/", lambda _request: HttpResponse())
    route(settings, other, CONNECT_PAGES)

    assert found("problem") == [
        "The URLconf has another view at /account/connect/code/."
    ]


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/no/such/page/", "/no/such/page/"),
        ("no-such-name", "no URL"),
        ("piggy_verify:email", "/account/"),
    ],
)
def test_visitors_who_are_sent_to_no_page_are_a_warning(settings, target, shown):
    route(settings, ALL_PAGES)
    settings.LOGIN_URL = target

    text = f"The connect pages send visitors to LOGIN_URL ({shown}). There is no such"
    assert any(each.startswith(text) for each in found("warning"))


@pytest.mark.parametrize(
    "target", ["/password/", "/password/?from=here", "https://id.vendor.example/"]
)
def test_visitors_may_log_in_anywhere(settings, target):
    settings.LOGIN_URL = target

    assert [each for each in found("warning") if "W005" not in each] == []
    assert f"The connect page sends visitors to {target}." in found("good")


def test_what_is_shown_to_users_only_is_not_judged():
    assert "The other connect pages were not shown: they need a user." in found("note")


def test_pages_that_return_404_are_not_shown(settings):
    settings.PIGGY_VERIFY_CONNECT = False

    assert not any(each.startswith("The connect page ") for each in texts())


def test_the_page_for_the_link_is_shown(links):
    assert "The page for the link works." in found("good")


def test_without_links_their_page_is_not_shown():
    assert not any("page for the link" in each for each in texts())


def test_a_connect_page_that_fails_is_a_problem(monkeypatch):
    monkeypatch.setattr(ConnectView, "ask_to_log_in", lambda _view: 1 / 0)

    assert found("problem") == ["The connect page cannot be shown: ZeroDivisionError."]


def test_a_project_may_leave_out_a_connect_page(settings):
    pages = [each for each in urls_connect.urlpatterns if each.name != "connect-link"]
    route(settings, path("account/", include((pages, "piggy_verify"))))

    assert found("problem") == []


# With a provider that can log in


def test_connecting_is_noted_beside_a_login(settings, piggy):
    assert found("problem") == found("warning") == []
    assert "Users can connect a contact, and then log in with it." in found("note")


def test_without_connecting_there_is_no_such_note(settings, piggy):
    settings.PIGGY_VERIFY_CONNECT = False

    assert not any("connect" in each for each in texts())


@pytest.mark.parametrize(
    "target", ["/admin/login/", "https://id.vendor.example/", "/login/?from=here"]
)
def test_users_may_log_in_elsewhere_before_they_connect(settings, piggy, target):
    settings.LOGIN_URL = target

    assert found("warning") == []
    assert "Users who are not logged in are sent to another page: LOGIN_URL." in found(
        "note"
    )


@pytest.mark.parametrize("target", ["/no/such/page/", "/login/connect/"])
def test_users_who_are_sent_to_no_page_are_a_warning_beside_a_login(
    settings, piggy, target
):
    settings.LOGIN_URL = target

    [text] = found("warning")
    assert text.startswith(f"The connect pages send visitors to LOGIN_URL ({target}).")


@pytest.fixture
def connect_only(settings, piggy):
    """A provider that can log in, in a project with the connect pages only."""
    settings.LOGIN_URL = "/password/"
    route(settings, CONNECT_PAGES)


def test_the_connect_pages_may_be_used_alone(connect_only):
    printed, status = run()

    assert status == 0
    assert found("problem") == found("warning") == []
    assert "The first page is at /account/connect/." in found("good")
    assert "The connect page sends visitors to /password/." in found("good")
    assert printed.endswith(
        "Users can connect contacts here if the API agrees. Try --live.\n"
    )


def test_that_nobody_logs_in_by_code_is_noted(connect_only):
    notes = found("note")

    text = "The URLconf has connect pages only, so nobody logs in by code here."
    assert text in notes
    assert not any("and then log in with it" in each for each in notes)


def test_connect_pages_alone_that_are_switched_off_are_a_problem(
    settings, connect_only
):
    settings.PIGGY_VERIFY_CONNECT = False

    [text] = [each for each in report()["findings"] if each["outcome"] == "problem"]
    assert text["text"] == "The URLconf has no login pages."
    assert "set PIGGY_VERIFY_CONNECT = True" in text["hint"]


def test_connect_pages_behind_another_route_are_a_problem_beside_a_login(
    settings, piggy
):
    other = path("account/connect/", lambda _request: HttpResponse())
    route(settings, other, ALL_PAGES)

    assert "The URLconf has another view at /account/connect/." in found("problem")


# The API


@pytest.fixture
def called(monkeypatch):
    """The names of the methods that would call the vendor's API."""
    names = []
    for name in ("send_code", "check_code"):
        monkeypatch.setattr(Prover, name, lambda *_args, name=name: names.append(name))
    return names


@pytest.mark.parametrize("arguments", [["--live"], ["--send", ADDRESS]], ids=len)
def test_nothing_is_sent_without_a_user(called, arguments):
    printed, status = run(*arguments)

    assert status == 0
    assert called == []
    assert "No code was sent or checked, because that needs a user who is" in printed
    assert "The provider has no auth tokens." in printed
    assert "To find out, connect a contact as a user who is logged in at" in printed
    assert printed.endswith("Users can connect contacts here if codes arrive.\n")


@pytest.fixture
def answering(links, monkeypatch):
    """Let the vendor answer with an error or a value. Return the challenges."""
    seen = []

    def answer_with(answer):
        def check_link(_self, challenge):
            seen.append(challenge)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(LinkProver, "check_link", check_link)
        return seen

    return answer_with


@pytest.mark.parametrize("answer", [CodeRejected(), ContactUnknown()], ids=repr)
def test_a_link_of_nobody_shows_that_the_key_works(answering, answer):
    answering(answer)

    good = found("good", "--live")

    assert any(each.startswith("The API accepts the calls.") for each in good)
    assert "The API knows no link of a user who cannot exist." in good


def test_the_vendor_is_asked_about_nobody(answering):
    seen = answering(CodeRejected())

    run("--live")

    [challenge] = seen
    assert challenge.recipient.endswith("@example.com")
    assert challenge.access.uid == challenge.state["uid"]
    assert challenge.access.uid.startswith("piggy-verify-doctor-")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (ProviderRefused("the key is refused", status=401), "refuses the call"),
        (ProviderUnavailable("no connection"), "cannot be used: no connection"),
        (object(), "The API accepts a link that it never mailed."),
    ],
    ids=["refused", "unavailable", "accepted"],
)
def test_an_api_that_does_not_work_is_a_problem(answering, answer, text):
    answering(answer)

    [problem] = found("problem", "--live")

    assert text in problem


def test_a_vendor_that_asks_for_the_user_says_nothing_about_the_key(answering):
    answering(LoginRequired())

    assert "Only a user can show whether the API accepts the calls." in found(
        "unknown", "--live"
    )


@pytest.fixture
def transmit(sandbox_for, settings):
    """Return a function that lets the sandbox of Transmit mail codes or links."""

    def mailing(email_by):
        sandbox = sandbox_for("transmit")
        settings.PIGGY_VERIFY_PROVIDER_OPTIONS["email_by"] = email_by
        return sandbox

    return mailing


@pytest.mark.parametrize("arguments", [["--live"], ["--send", ADDRESS]], ids=len)
@pytest.mark.parametrize(
    ("email_by", "expected"), [("code", []), ("link", ["user"])], ids=["code", "link"]
)
def test_transmit_sends_nothing_without_a_user(transmit, email_by, expected, arguments):
    sandbox = transmit(email_by)

    printed, status = run(*arguments)

    assert status == 0
    assert calls(sandbox) == expected
    assert sandbox.mails == ()
    assert printed.endswith(
        "Users can connect contacts here if the application sends codes.\n"
    )


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.MAINTENANCE])
def test_a_fault_of_transmit_is_found_with_a_link_of_nobody(transmit, fault):
    transmit("link").switches.fault = fault

    [problem] = found("problem", "--live")

    assert problem.startswith("The API ")


# The figures


def test_the_figures_tell_who_has_connected_a_contact():
    user = User.objects.create(username="ann")
    now = timezone.now()
    for uid, at in (("1", now), ("2", now - timedelta(days=9))):
        Contact.objects.create(
            user=user, provider=f"p{uid}", uid=uid, verified_at=now, created_at=at
        )

    printed, _status = run("--stats")

    assert "       2 members have connected a contact\n" in printed
    assert "       1 of these members have connected a contact for the first" in printed
