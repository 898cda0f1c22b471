"""Check the findings of `piggy_verify_doctor` in correct and faulty installations."""

import json
import logging
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import override_script_prefix
from django.urls import include, path
from django.utils import timezone

from django_piggy_verify import migrations, urls, urls_connect
from django_piggy_verify.auth_tokens import cache
from django_piggy_verify.auth_tokens.cache import IssuedToken
from django_piggy_verify.doctor import routes
from django_piggy_verify.exceptions import ProviderRefused
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.login import rate_limits, verification
from django_piggy_verify.models import AuthToken, Contact, Tally
from django_piggy_verify.providers.base import Identity
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.secret import Secret
from django_piggy_verify.testing import login_contact
from tests.checks.test_checks import Shops
from tests.secrecy.evidence import SECRET_KEY, SECRETS, found_in
from tests.steps import ADDRESS, STRANGER, ask_for_code, calls, type_code

OURS = "django_piggy_verify.backends.PiggyBackend"
DJANGOS = "django.contrib.auth.backends.ModelBackend"
LOCAL_MEMORY = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
NO_CACHE = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

pytestmark = pytest.mark.django_db


class Gullible(PiggyProvider):
    """A provider that sends a code to every address."""

    def send_code(self, challenge):
        return challenge

    def check_code(self, challenge, code):
        return Identity(provider="piggy", uid="1", email=challenge.recipient)


class WithoutPortal(PiggyProvider):
    """A provider that finds a missing portal only when the address is a member's."""

    def send_code(self, challenge):
        if challenge.recipient == ADDRESS:
            cause = "the account has no Contacts Portal"
            raise ProviderRefused(cause, status=400, api_code=55032)
        return super().send_code(challenge)


class Plain:
    """A provider with tokens, but without the functions of Piggy alone."""

    name = "piggy"

    def __init__(self):
        piggy = PiggyProvider()
        self.send_code, self.check_code = piggy.send_code, piggy.check_code
        self.fetch_auth_token = piggy.fetch_auth_token


def key_of_shop():
    return Shops.keys[Shops.now]


@pytest.fixture(autouse=True)
def production(settings):
    """The settings of a public server."""
    settings.DEBUG = False
    settings.PIGGY_VERIFY_API_KEY = "0123456789abcdef"
    settings.PIGGY_VERIFY_SEND_FLOOR = 1.0
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.ROOT_URLCONF = "tests.public_urls"


def run(*arguments):
    """Return the output of the command and its exit status."""
    printed, status = StringIO(), 0
    try:
        call_command("piggy_verify_doctor", *arguments, "--no-color", stdout=printed)
    except SystemExit as stop:
        status = int(stop.code or 0)
    return printed.getvalue(), status


def report(*arguments):
    printed, status = run("--json", *arguments)
    answer = json.loads(printed)
    assert answer["can_log_in"] == (status == 0)
    return answer


def found(outcome, *arguments):
    """Return the sentences of the findings with this outcome."""
    findings = report(*arguments)["findings"]
    return [each["text"] for each in findings if each["outcome"] == outcome]


def test_a_sound_installation_has_nothing_but_good_findings():
    printed, status = run()

    assert status == 0
    assert {line.split()[0] for line in printed.splitlines() if line[:2] == "  "} == {
        "good",
        "note",
    }
    assert printed.endswith("Members can log in here if the API agrees. Try --live.\n")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"PIGGY_VERIFY_API_KEY": None}, "(piggy_verify.E001)"),
        ({"PIGGY_VERIFY_API_KEY": lambda: None}, "callable returned no key"),
        ({"PIGGY_VERIFY_API_KEY": {}.popitem}, "callable raised KeyError"),
        (
            {
                "PIGGY_VERIFY_PROVIDER": "tests.checks.test_checks.Shops",
                "PIGGY_VERIFY_API_KEY": key_of_shop,
            },
            "south: PIGGY_VERIFY_API_KEY cannot be used",
        ),
        ({"SECURE_REFERRER_POLICY": "no-referrer"}, "(piggy_verify.W008)"),
        ({"PIGGY_VERIFY_TIMEOUT": "10"}, "(piggy_verify.E004)"),
        ({"AUTHENTICATION_BACKENDS": [DJANGOS]}, "has no PiggyBackend"),
        ({"AUTHENTICATION_BACKENDS": ["no.such.Backend"]}, "No module named 'no'"),
        ({"PIGGY_VERIFY_API_KEY": "0123\n"}, "a space or a line break"),
        ({"PIGGY_VERIFY_API_KEY": "any key will do"}, "a space or a line break"),
        ({"PIGGY_VERIFY_CREATE_USERS": False}, "Nobody can log in"),
        ({"SESSION_COOKIE_PATH": "/app/"}, "cookies to /app/ only"),
        ({"CSRF_COOKIE_PATH": "/app/"}, "cookies to /app/ only"),
        (
            {"SESSION_COOKIE_DOMAIN": ".club.example", "ALLOWED_HOSTS": ["a.example"]},
            "cookies to .club.example only",
        ),
        (
            {
                "CSRF_COOKIE_DOMAIN": "b.example",
                "ALLOWED_HOSTS": ["ab.example"],
            },
            "cookies to b.example only",
        ),
        ({"INSTALLED_APPS": ["django_piggy_verify"]}, "lacks django.contrib.sessions"),
        ({"LOGIN_REDIRECT_URL": "no-such-route"}, "each login ends with an error"),
        ({"ROOT_URLCONF": "django.contrib.auth.urls"}, "has no login pages"),
        ({"MIDDLEWARE": []}, "MIDDLEWARE has no SessionMiddleware"),
        (
            {"TEMPLATES": []},
            "The first page needs a template that is missing: piggy_verify/email.html",
        ),
        ({"ALLOWED_HOSTS": []}, "returns status 400"),
        (
            {
                "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
                "CACHES": NO_CACHE,
            },
            "does not keep its data",
        ),
        (
            {"DATABASE_ROUTERS": ["tests.db.routers.SplitsUsersOff"]},
            "(piggy_verify.E012)",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_setting_that_keeps_members_out_is_a_problem(settings, changes, text):
    for name, value in changes.items():
        setattr(settings, name, value)

    problems = found("problem")

    assert any(text in each for each in problems), problems


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"PIGGY_VERIFY_API_KEY": "change-me"}, "looks like a placeholder"),
        ({"AUTHENTICATION_BACKENDS": [OURS, OURS]}, "has 2 PiggyBackends"),
        ({"PIGGY_VERIFY_ALLOW_STAFF": True}, "Staff and superusers may log in"),
        ({"PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS": False}, "tell strangers"),
        (
            {"PIGGY_VERIFY_BACKGROUND": False, "PIGGY_VERIFY_SEND_FLOOR": 0},
            "PIGGY_VERIFY_SEND_FLOOR is 0",
        ),
        ({"SECRET_KEY": "django-insecure-" + "x" * 50}, "the key that startproject"),
        ({"SESSION_COOKIE_SECURE": False}, "COOKIE_SECURE is off"),
        ({"CSRF_COOKIE_SECURE": False}, "COOKIE_SECURE is off"),
        ({"SESSION_COOKIE_HTTPONLY": False}, "scripts can read the session"),
        ({"SESSION_COOKIE_SAMESITE": "None"}, "lets other sites send"),
        ({"LOGIN_URL": "/admin/login/"}, "LOGIN_URL is another page"),
        ({"LOGIN_URL": "no-such-route"}, "LOGIN_URL is another page"),
        ({"LOGIN_REDIRECT_URL": "/accounts/profile/"}, "There is no such page"),
        ({"USE_TZ": False}, "USE_TZ is off"),
        (
            {
                "PIGGY_VERIFY_RATE_LIMITS": {
                    "check_recipient": "50/1h",
                    "check_recipient_day": "101/1d",
                }
            },
            "allow 101 wrong codes a day",
        ),
        (
            {
                "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
                "CACHES": LOCAL_MEMORY,
            },
            "in the memory of one process",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_an_unsafe_setting_is_a_warning(settings, changes, text):
    for name, value in changes.items():
        setattr(settings, name, value)

    answer = report()

    warnings = [e["text"] for e in answer["findings"] if e["outcome"] == "warning"]
    assert any(text in each for each in warnings), warnings
    assert answer["can_log_in"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"DEBUG": True}, "DEBUG is on"),
        ({"DEBUG": True, "CSRF_COOKIE_SECURE": False}, "cookies over http too"),
        ({"PIGGY_VERIFY_LINK_BY_EMAIL": True}, "gets the user"),
        ({"PIGGY_VERIFY_EXPOSE_AUTH_TOKEN": True}, "Scripts in the browser can read"),
        ({"AUTHENTICATION_BACKENDS": [OURS]}, "There is no ModelBackend"),
        (
            {"AUTHENTICATION_BACKENDS": [DJANGOS, OURS]},
            "asks ModelBackend before PiggyBackend",
        ),
        ({"SESSION_COOKIE_AGE": 90 * 86400}, "more than 30 days"),
        (
            {
                "PIGGY_VERIFY_API_KEY": None,
                "PIGGY_VERIFY_CLIENT_ID": "id",
                "PIGGY_VERIFY_CLIENT_SECRET": "secret",
                "PIGGY_VERIFY_TOKEN_URL": "https://api.example/oauth/token",
            },
            "Client credentials are in use",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_an_unusual_setting_is_a_note(settings, changes, text):
    for name, value in changes.items():
        setattr(settings, name, value)

    notes = found("note")

    assert any(text in each for each in notes), notes


@pytest.mark.parametrize(
    ("an_hour", "in_all"),
    [("999/1h", "100/1d"), ("4/1h", "999/1d"), ("9/1h", "100/7d")],
)
def test_one_limit_on_guesses_is_enough(settings, an_hour, in_all):
    settings.PIGGY_VERIFY_RATE_LIMITS = {
        "check_recipient": an_hour,
        "check_recipient_day": in_all,
    }

    assert found("warning") == []


def test_a_window_of_a_week_may_be_used_up_in_a_day(settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {
        "check_recipient": "999/1h",
        "check_recipient_day": "101/7d",
    }

    assert "The limits allow 101 wrong codes a day for one address." in found("warning")


def test_an_error_that_follows_from_a_problem_is_not_reported(settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_recipient": "lots"}

    answer = report()

    outcomes = [each["outcome"] for each in answer["findings"]]
    assert outcomes.count("problem") == 1
    assert outcomes.count("unknown") == 1


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("PIGGY_VERIFY_API_KEY", None, "E001"),
        ("SECURE_REFERRER_POLICY", "no-referrer", "W008"),
    ],
)
def test_a_problem_that_is_silenced_still_keeps_members_out(
    settings, name, value, number
):
    setattr(settings, name, value)
    settings.SILENCED_SYSTEM_CHECKS = [f"piggy_verify.{number}"]

    [text] = found("problem")
    assert number in text


def test_pages_within_another_namespace_are_a_problem(settings):
    pages = include("django_piggy_verify.urls")
    settings.ROOT_URLCONF = (path("club/", include(([path("", pages)], "club"))),)

    assert any("inside the namespace 'club'" in each for each in found("problem"))


def test_pages_behind_another_route_are_a_problem(settings):
    other = path("login/", lambda _request: HttpResponse("elsewhere"))
    settings.ROOT_URLCONF = (other, path("", include(settings.ROOT_URLCONF)))

    [text] = found("problem")

    assert text == "The URLconf has another view at /login/."


@pytest.mark.parametrize(
    ("name", "words"), [("email", "The first page"), ("code", "The page for the code")]
)
def test_a_template_that_cannot_be_rendered_is_a_problem(settings, name, words):
    replace_template(settings, name, "{% url 'nope' %}")

    assert f"{words} cannot be shown: NoReverseMatch." in found("problem")


@pytest.mark.parametrize(
    ("name", "words"), [("email", "The first page"), ("code", "The page for the code")]
)
def test_a_form_without_a_token_is_a_warning(settings, name, words):
    replace_template(settings, name, "<form method='post'>{{ form }}</form>")

    assert found("warning") == [
        f"{words} has no CSRF token, so Django refuses its form."
    ]


def replace_template(settings, name, text):
    loaders = [
        ("django.template.loaders.locmem.Loader", {f"piggy_verify/{name}.html": text}),
        "django.template.loaders.app_directories.Loader",
    ]
    [engine] = settings.TEMPLATES
    options = {**engine["OPTIONS"], "loaders": loaders}
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": options}]


def test_a_page_that_fails_prints_no_traceback(settings, caplog):
    settings.TEMPLATES = []

    run()

    assert caplog.records == []
    assert logging.root.manager.disable == logging.NOTSET


def test_a_site_for_members_who_are_there_already_is_noted(user, settings):
    settings.PIGGY_VERIFY_CREATE_USERS = False

    assert any("no users are created" in each for each in found("note"))


def test_the_key_of_a_sandbox_may_be_anything(piggy_sandbox, settings):
    settings.PIGGY_VERIFY_API_KEY = "any-key-as-in-the-example"

    assert found("warning") == []
    assert found("problem") == []


def test_the_api_is_not_asked_with_settings_that_are_wrong(piggy_sandbox, settings):
    settings.PIGGY_VERIFY_API_KEY = None

    assert found("unknown", "--live") == [
        "The API was not called: the settings have a problem."
    ]
    assert calls(piggy_sandbox) == []


def test_nobody_is_mailed_through_an_api_that_does_not_work(user, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.UNAUTHORIZED

    problems = found("problem", "--send", ADDRESS)

    assert len(problems) == 1
    assert calls(piggy_sandbox).count("send") == 2


def test_a_key_that_contains_a_word_by_chance_is_no_placeholder(settings):
    settings.PIGGY_VERIFY_API_KEY = "eyJ0eXAiOiJKV1Qi" + "xXx" + "0123456789abcdef" * 9

    assert found("warning") == []


def test_no_more_than_a_sample_of_the_tokens_is_opened(client, settings, monkeypatch):
    monkeypatch.setattr("django_piggy_verify.doctor.storage.SAMPLE", 1)
    login_contact(client, ADDRESS, auth_token="of ann")
    login_contact(client, STRANGER, auth_token="of nobody")

    settings.SECRET_KEY = "another one, of which nothing was told: 0123456789"

    assert any("1 of the 1 newest auth tokens" in each for each in found("warning"))


@pytest.mark.parametrize("key", [lambda: None, lambda: "two words"])
def test_a_callable_is_not_called_good_if_its_key_is_not(settings, key):
    settings.PIGGY_VERIFY_API_KEY = key

    assert "The key comes from a callable." not in found("good")


@pytest.mark.parametrize(
    ("hosts", "domain"),
    [
        (["*"], ".club.example"),
        ([".club.example"], "shop.club.example"),
        (["shop.Club.example"], ".club.Example"),
        (["club.example"], "club.example"),
    ],
    ids=["all hosts", "subdomain", "parent", "itself"],
)
def test_a_cookie_for_a_domain_of_the_site_is_sound(settings, hosts, domain):
    settings.ALLOWED_HOSTS = hosts
    settings.SESSION_COOKIE_DOMAIN = settings.CSRF_COOKIE_DOMAIN = domain

    texts = [each["text"] for each in report()["findings"]]
    assert not any("ALLOWED_HOSTS lacks" in each for each in texts)


def test_with_debug_alone_the_site_is_at_localhost(settings):
    settings.DEBUG, settings.ALLOWED_HOSTS = True, []
    settings.SESSION_COOKIE_DOMAIN = "shop.localhost"

    texts = [each["text"] for each in report()["findings"]]
    assert not any("ALLOWED_HOSTS lacks" in each for each in texts)


def test_a_csrf_secret_in_the_session_needs_no_cookie(settings):
    settings.CSRF_USE_SESSIONS = True
    settings.CSRF_COOKIE_DOMAIN = "elsewhere.example"

    assert found("problem") == []


def test_a_key_from_a_callable_is_not_called_a_placeholder(settings):
    settings.PIGGY_VERIFY_API_KEY = lambda: "change-me"

    assert "The key comes from a callable." in found("good")


@pytest.mark.parametrize("hosts", [["*"], [".example.com"], ["shop.example"]])
def test_the_first_page_is_asked_for_under_a_name_of_the_site(settings, hosts):
    settings.ALLOWED_HOSTS = hosts

    assert "The first page works." in found("good")


def test_the_first_page_is_asked_for_over_https(settings):
    settings.SECURE_SSL_REDIRECT = True

    assert "The first page works." in found("good")


def test_a_target_below_the_prefix_of_the_scripts_is_found(settings):
    settings.LOGIN_REDIRECT_URL = "/shop/members/"

    with override_script_prefix("/shop/"):
        assert found("warning") == []


def test_a_target_on_another_site_is_not_looked_for(settings):
    settings.LOGIN_REDIRECT_URL = "https://elsewhere.example/"

    assert found("warning") == []


def test_function_based_middleware_is_passed_over(settings):
    settings.MIDDLEWARE = [
        "tests.doctor.test_doctor.plain_middleware",
        *settings.MIDDLEWARE,
    ]

    assert found("problem") == []


def plain_middleware(get_response):
    return get_response


def test_missing_tables_are_named_by_the_app_that_lacks_them(monkeypatch):
    monkeypatch.setattr(
        "django.db.migrations.recorder.MigrationRecorder.applied_migrations",
        lambda _recorder: {},
    )

    [text] = found("problem")

    ours = Path(migrations.__file__).parent.glob("0*.py")
    assert f"{len(list(ours))} of piggy_verify" in text
    assert "1 of sessions" in text
    assert "admin" not in text


def test_a_database_that_does_not_respond_is_reported(monkeypatch):
    def fail(*args):
        raise DatabaseError

    monkeypatch.setattr(connection, "ensure_connection", fail)

    assert "The database cannot be reached: DatabaseError." in found("problem")


def test_a_count_that_is_not_kept_is_a_problem(monkeypatch):
    monkeypatch.setattr(
        "django_piggy_verify.limits.fixed_windows.take", lambda _claims: {}
    )

    assert "An attempt was counted, but the counter is empty." in found("problem")


def test_autocommit_that_is_off_is_a_warning(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "AUTOCOMMIT", False)

    assert any("AUTOCOMMIT is off" in each for each in found("warning"))


def test_encryption_that_does_not_open_is_a_problem(monkeypatch):
    monkeypatch.setattr(
        "django_piggy_verify.encryption.decrypt",
        lambda *_args, **_kwargs: None,
    )

    assert "An encrypted text cannot be decrypted." in found("problem")


def test_tokens_that_have_expired_are_not_opened(user, settings):
    AuthToken.objects.update(expires_at=timezone.now())
    settings.SECRET_KEY = "another one, of which nothing was told: 0123456789"

    assert "Auth tokens can be encrypted and decrypted." in found("good")


def test_tokens_that_no_key_opens_are_counted(user, settings):
    settings.SECRET_KEY = "another one, of which nothing was told: 0123456789"

    warnings = found("warning")

    assert any("1 of the 1 newest auth tokens" in each for each in warnings)


def test_a_refresh_token_that_no_key_opens_is_counted(user):
    AuthToken.objects.update(
        expires_at=timezone.now(), refresh_ciphertext=b"of a lost key"
    )

    warnings = found("warning")

    assert any("1 of the 1 newest auth tokens" in each for each in warnings)


def test_a_refresh_token_is_opened_after_the_expiry_of_its_auth_token(user):
    contact, now = user.piggy_contacts.get(), timezone.now()
    issued = IssuedToken(
        token=Secret("access"), expires_at=now, refresh=Secret("refresh")
    )
    cache.store(contact, issued, fetched_at=now)

    assert "Auth tokens can be encrypted and decrypted." in found("good")


def test_a_clock_that_is_wrong_is_a_warning():
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        warnings = found("warning")

    assert any("differ by 1:00:00" in each for each in warnings), warnings


def test_a_database_without_a_readable_time_is_reported(monkeypatch):
    monkeypatch.setattr(connection, "vendor", "oracle")

    assert "The doctor cannot read the clock of oracle." in found("unknown")


def test_the_doctor_leaves_no_rows():
    run()

    assert not Session.objects.exists()
    assert not Tally.objects.exists()


def test_the_doctor_visits_every_page():
    pages = {*routes._LOGIN_PAGES, *routes._CONNECT_PAGES}
    assert {each.name for each in urls.urlpatterns} == pages
    assert {each.name for each in urls_connect.urlpatterns} == {*routes._CONNECT_PAGES}


def test_the_doctor_leaves_no_session(settings):
    settings.CSRF_USE_SESSIONS = True

    run()

    assert not Session.objects.exists()


def test_the_api_is_not_called_by_default(piggy_sandbox):
    run("--stats")

    assert calls(piggy_sandbox) == []


def test_a_working_api_is_reported(piggy_sandbox):
    printed, status = run("--live")

    assert status == 0
    assert "The API accepts the calls." in printed
    assert "The API rejects a wrong code." in printed
    assert printed.endswith(
        "Members can log in here if there is a Contacts Portal. Try --send.\n"
    )
    assert piggy_sandbox.mails == ()


@pytest.mark.parametrize(
    ("switches", "text"),
    [
        (
            {"fault": Fault.UNAUTHORIZED},
            "refuses the call: the key is refused (status 401",
        ),
        ({"fault": Fault.MAINTENANCE}, "cannot be used: the answer is an error"),
        ({"fault": Fault.MALFORMED}, "cannot be used: the answer cannot be read"),
        ({"error_code": 55032}, "refuses the call: the account has no Contacts Portal"),
        ({"error_code": 7002}, "refuses the call: the account is inactive"),
        (
            {"fault": Fault.MAINTENANCE, "fault_on": frozenset({"verify"})},
            "cannot be used: the answer is an error",
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if type(value) is dict else "",
)
def test_an_api_that_does_not_work_is_a_problem(piggy_sandbox, switches, text):
    for name, value in switches.items():
        setattr(piggy_sandbox.switches, name, value)

    problems = found("problem", "--live")

    assert len(problems) == 1
    assert text in problems[0]


def test_an_api_that_accepts_every_address_is_a_problem(piggy_sandbox, settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.doctor.test_doctor.Gullible"

    answer = report("--live")

    texts = [each["text"] for each in answer["findings"]]
    assert (
        "The API says that it mailed a code to an address that cannot exist." in texts
    )
    assert "The API accepts a code that it never mailed." in texts
    assert not answer["can_log_in"]


def test_before_the_first_login_there_is_no_token_to_ask_for(piggy_sandbox):
    [text] = found("unknown", "--live")

    assert "nobody has logged in yet" in text


@pytest.mark.parametrize(
    ("is_bare", "shape"), [(False, "nested"), (True, "bare")], ids=["docs", "SDK"]
)
def test_the_token_of_the_last_member_is_asked_for(user, piggy_sandbox, is_bare, shape):
    AuthToken.objects.all().delete()
    piggy_sandbox.switches.bare_token = is_bare

    text = f"The auth token of the last member can be read. Its shape is {shape}."
    assert text in found("good", "--live")
    assert not AuthToken.objects.exists()


def test_the_last_member_is_one_of_the_account_that_is_asked(user, piggy_sandbox):
    Contact.objects.create(
        user=user,
        provider="another-shop",
        uid="not-known-here",
        email=ADDRESS,
        verified_at=timezone.now() + timedelta(minutes=1),
    )

    assert any(
        "auth token of the last member" in each for each in found("good", "--live")
    )


def test_the_member_of_a_minute_ago_is_asked_about(client, piggy_sandbox):
    long_ago = timezone.now() - timedelta(days=1)
    login_contact(client, ADDRESS, uid=piggy_sandbox.add_contact(ADDRESS).uid)
    login_contact(client, "gone@example.com")
    Contact.objects.filter(email="gone@example.com").update(verified_at=long_ago)

    assert any(
        "auth token of the last member" in each for each in found("good", "--live")
    )


def test_rows_that_the_replica_lacks_are_examined(user, piggy_sandbox, settings):
    settings.DATABASE_ROUTERS = ["tests.db.routers.ReadsFromReplica"]

    answer = report("--live", "--stats")

    texts = [each["text"] for each in answer["findings"]]
    assert any("auth token of the last member can be read" in each for each in texts), (
        texts
    )
    assert "Auth tokens can be encrypted and decrypted." in texts
    assert answer["statistics"]["members_logged_in"] == 1


def test_a_token_of_a_provider_with_one_shape_is_asked_for(
    user, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_PROVIDER = "tests.doctor.test_doctor.Plain"

    assert "The auth token of the last member can be read." in found("good", "--live")


def test_a_member_of_another_account_is_a_warning(user, piggy_sandbox):
    piggy_sandbox.remove_contact(ADDRESS)

    warnings = found("warning", "--live")

    assert any("does not know the member" in each for each in warnings)


def test_a_token_that_cannot_be_fetched_keeps_logins_possible(user, piggy_sandbox):
    piggy_sandbox.switches.error_code = 3000
    piggy_sandbox.switches.fault_on = frozenset({"auth-token"})

    answer = report("--live")

    texts = [each["text"] for each in answer["findings"]]
    assert any("cannot be fetched: the token is expired" in each for each in texts)
    assert answer["can_log_in"]


def test_a_provider_without_tokens_is_asked_for_none(
    piggy_sandbox, settings, monkeypatch
):
    monkeypatch.delattr(PiggyProvider, "fetch_auth_token")

    assert "The provider has no auth tokens." in found("note", "--live")


def test_a_member_can_be_mailed(piggy_sandbox):
    piggy_sandbox.add_contact(ADDRESS)

    printed, status = run("--send", " Ann@EXAMPLE.com ")

    assert status == 0
    assert "The API says that it sent a code" in printed
    assert printed.endswith("Members can log in here.\n")
    assert [mail.recipient for mail in piggy_sandbox.mails] == [ADDRESS]


def test_only_members_can_be_mailed(piggy_sandbox):
    assert "No contact has this address, so no code was mailed." in found(
        "warning", "--send", STRANGER
    )


def test_a_mail_to_nobody_does_not_show_that_members_can_log_in(piggy_sandbox):
    printed, _status = run("--send", STRANGER)

    assert "Members can log in here.\n" not in printed


def test_the_api_is_asked_for_every_account(piggy_sandbox, settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.checks.test_checks.Shops"
    settings.PIGGY_VERIFY_API_KEY = lambda: f"key-of-{Shops.now}"

    printed, status = run("--live")

    assert status == 0
    assert "south: The API rejects a wrong code." in printed
    sent = {each.headers["authorization"] for each in piggy_sandbox.calls}
    assert sent == {f"Bearer key-of-{name}" for name in Shops.keys}


def test_an_account_that_mails_no_members_is_a_problem(piggy_sandbox, settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.doctor.test_doctor.WithoutPortal"

    [text] = found("problem", "--send", ADDRESS)

    assert "refuses the call: the account has no Contacts Portal (status 400" in text


def test_a_text_that_is_no_address_is_not_sent():
    with pytest.raises(CommandError, match="not an email address"):
        run("--send", "ann")


def test_no_secret_is_printed(piggy_sandbox, settings, user):
    settings.PIGGY_VERIFY_API_KEY = SECRETS["key"]
    settings.PIGGY_VERIFY_CLIENT_SECRET = SECRETS["client secret"]
    settings.PIGGY_VERIFY_PROXY = f"http://me:{SECRETS['proxy password']}@127.0.0.1:9"
    settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [SECRETS["ring key"]]
    settings.SECRET_KEY = SECRET_KEY

    for arguments in ((), ("--json",)):
        printed, _status = run(*arguments, "--send", ADDRESS, "--stats")
        assert found_in(printed) == set()


def test_the_figures_tell_what_happened(client, user, piggy_sandbox):
    stranger = Client()
    ask_for_code(stranger, STRANGER)
    type_code(stranger, "000000000")
    type_code(stranger, "000000001")

    assert report("--stats")["statistics"] == {
        "members_logged_in": 1,
        "members_new": 1,
        "sends": 2,
        "texts": 0,
        "wrong_codes": 2,
        "auth_tokens": 1,
        "at_limit": 2,
        "api_seconds": None,
    }


def test_the_figures_tell_how_near_the_cost_cap_is(settings, piggy_sandbox):
    settings.PIGGY_VERIFY_PROVIDER = "tests.texting.Texter"
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_sms_day": "2/1d"}
    for number in ("+31612345678", "+31687654321"):
        verification.send_code(number)

    printed, _status = run("--stats")

    assert "       2 text messages were requested" in printed
    assert "1 send_sms_day" in printed


def test_the_figures_are_of_the_last_day(user):
    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1)):
        figures = report("--stats")["statistics"]

    assert set(figures.values()) == {0, None}


def test_the_figures_say_who_waits_for_which_limit(client, code):
    printed, _status = run("--stats")

    assert "       1 counts are at their limit now: 1 send_cooldown\n" in printed
    assert "       - the duration of calls to the API" in printed


def test_without_tables_there_are_no_figures(monkeypatch):
    def fail(*args):
        raise DatabaseError

    monkeypatch.setattr(CursorWrapper, "execute", fail)

    answer = report("--stats")

    assert answer["statistics"] == {}
    assert not answer["can_log_in"]


@pytest.mark.parametrize("limits", [{"send_ip": "twenty"}, "3/15m"], ids=["one", "all"])
def test_with_limits_that_are_none_there_are_no_figures(settings, limits):
    settings.PIGGY_VERIFY_RATE_LIMITS = limits

    answer = report("--stats")

    assert answer["statistics"] == {}
    assert not answer["can_log_in"]


@pytest.mark.parametrize(
    ("recipient", "counts"),
    [(ADDRESS, "send_ip 1/7"), ("+31612345678", "send_ip 1/7, send_sms_ip 1/5")],
    ids=["address", "number"],
)
def test_visitors_whose_address_cannot_be_read_are_a_warning(
    settings, recipient, counts
):
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = 1
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "7/1h"}
    fixed_windows.take(rate_limits.of_send(recipient, HttpRequest()))

    [text] = [each for each in found("warning") if "visitors" in each]

    assert text.endswith(f"they share one limit ({counts}).")


def test_an_open_circuit_is_a_problem(db, client, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    client.post("/login/", {"email": "ann@example.com"})

    [text] = found("problem")

    assert text.startswith("The last code could not be sent.")


@pytest.fixture
def verifik(sandbox_for):
    """The sandbox of a vendor that mails codes to anybody."""
    return sandbox_for("verifik")


def test_the_doctor_mails_nobody_unasked(verifik):
    printed, status = run("--live")

    assert status == 0
    assert [each.name for each in verifik.calls] == ["verify"]
    assert verifik.mails == ()
    assert "No code was sent to an address that cannot exist, because the" in printed
    assert "The API accepts the calls." in printed
    assert "The API rejects a wrong code." in printed
    assert "To find out, use --send with an address of yours." in printed
    assert printed.endswith(
        "Members can log in here if the flow mails codes. Try --send.\n"
    )


def test_the_doctor_says_that_tokens_come_with_a_login(verifik):
    printed, _ = run("--live")

    assert "No auth token was fetched, because tokens come with a login." in printed
    assert "The provider has no auth tokens." not in printed


def test_the_doctor_mails_whom_it_is_told_to(verifik):
    printed, status = run("--send", ADDRESS)

    assert status == 0
    assert [each.recipient for each in verifik.mails] == [ADDRESS]
    assert "The API says that it sent a code. Look into the mailbox." in printed


def test_the_hint_about_a_refused_key_is_that_of_the_vendor(verifik):
    verifik.switches.fault = Fault.UNAUTHORIZED

    printed, status = run("--live")

    assert status == 1
    assert "refuses the call: the key is refused (status 401)" in printed
    assert "the project and its flow at Verifik" in printed


def test_the_doctor_warns_of_a_vendor_that_mails_anybody(verifik):
    [text] = [each for each in found("warning") if "W005" in each]

    assert text.startswith("The provider sends codes to anybody")


def test_options_that_cannot_be_used_are_a_problem(verifik, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"project": "p"}

    assert any("'flow' is missing. (piggy_verify.E013)" in t for t in found("problem"))


def test_the_doctor_names_the_host_of_the_api_if_there_is_one(settings):
    assert "Calls to the API go to api.piggy.eu." in found("note")

    settings.PIGGY_VERIFY_PROVIDER = "tests.doctor.test_doctor.Plain"
    assert not any("Calls to the API" in each for each in found("note"))


@pytest.fixture
def punchh(sandbox_for):
    """The sandbox of a vendor with a state, and with text messages."""
    return sandbox_for("punchh")


def test_a_vendor_with_a_state_is_asked_about_a_wrong_code(punchh):
    printed, status = run("--live")

    assert status == 0
    assert [each.name for each in punchh.calls] == ["verify"]
    assert "The API rejects a wrong code." in printed
    assert "in place of a key" not in printed


@pytest.mark.parametrize(
    ("recipient", "inbox"),
    [(ADDRESS, "the mailbox"), ("06 12345678", "the text messages")],
    ids=["mail", "text"],
)
def test_a_vendor_with_a_state_sends_to_whom_it_is_told(punchh, recipient, inbox):
    printed, status = run("--send", recipient)

    assert status == 0
    assert len(punchh.mails) == 1
    assert f"The API says that it sent a code. Look into {inbox}." in printed


def test_a_recipient_that_the_vendor_refuses_is_a_problem(punchh):
    punchh.switches.error_code = "invalid_email_format"
    punchh.switches.fault_on = frozenset({"send"})

    printed, status = run("--send", ADDRESS)

    assert status == 1
    assert "The API sends no code there: RecipientRefused." in printed
