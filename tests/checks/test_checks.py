from typing import ClassVar

import pytest
from django.core.checks import run_checks
from django.middleware.security import SecurityMiddleware
from django.test import Client
from django.urls import clear_url_caches, include, path
from django.utils.translation import gettext_lazy as _

from django_piggy_verify import urls as login_urls
from django_piggy_verify.checks.look import check_logo
from django_piggy_verify.checks.project import (
    check_backend,
    check_form_of_address,
    check_referrer_policy,
)
from django_piggy_verify.checks.provider import check_credentials, check_openness
from django_piggy_verify.checks.settings import check_client_address
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.traits import Traits

LEAK = "not-to-be-shown-0123456789"
KEY = "A" * 43 + "="


def found():
    ids = (str(each.id) for each in run_checks(include_deployment_checks=True))
    return {each.removeprefix("piggy_verify.") for each in ids if "piggy" in each}


@pytest.fixture(autouse=True)
def sound(settings):
    """Correct settings."""
    settings.DEBUG = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True


def test_sound_settings_raise_nothing():
    assert found() == set()


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("API_KEY", None, "E001"),
        ("API_KEY", "", "E001"),
        ("API_KEY", " \n", "E001"),
        ("API_KEY", "key\n", "E001"),
        ("API_KEY", "\ufeffkey", "E001"),
        ("API_KEY", " key", "E001"),
        ("API_KEY", "Bearer key", "E001"),
        ("API_KEY", "one\r\ntwo", "E001"),
        ("API_KEY", "non\xa0breaking", "E001"),
        ("API_KEY", "k\u00e9y", "E001"),
        ("API_KEY", "key\x00", "E001"),
        ("API_KEY", "key\x7f", "E001"),
        ("API_KEY", "key\ud800", "E001"),
        ("API_KEY", b"key", "E001"),
        ("API_KEY", lambda: None, "E001"),
        ("API_KEY", lambda: "", "E001"),
        ("API_KEY", lambda: "key\n", "E001"),
        ("API_KEY", lambda: b"key", "E001"),
        ("BASE_URL", "", "E003"),
        ("ENCRYPTION_KEYS", 5, "E005"),
        ("RATE_LIMITS", None, "E006"),
        ("CA_BUNDLE", 5, "E008"),
        ("ALLOW_STAFF", "False", "E011"),
        ("CREATE_USERS", None, "E011"),
        ("BACKGROUND", "False", "E011"),
        ("BASE_URL", "ftp://api.example", "E003"),
        ("BASE_URL", "https://", "E003"),
        ("BASE_URL", "https://user@api.example", "E003"),
        ("BASE_URL", "https://api.example/?a=1", "E003"),
        ("BASE_URL", "https://[", "E003"),
        ("BASE_URL", 5, "E003"),
        ("TOKEN_URL", "api.example", "E003"),
        ("TIMEOUT", 0, "E004"),
        ("TIMEOUT", "10", "E004"),
        ("TIMEOUT", float("nan"), "E004"),
        ("SEND_FLOOR", -1, "E004"),
        ("LOGIN_TTL", 0, "E004"),
        ("LOGIN_TTL", True, "E004"),
        ("AUTH_TOKEN_TTL", None, "E004"),
        ("REFRESH_TOKEN_TTL", 0, "E004"),
        ("REFRESH_TOKEN_TTL", None, "E004"),
        ("TRUSTED_PROXY_COUNT", -1, "E004"),
        ("TRUSTED_PROXY_COUNT", "1", "E004"),
        ("ENCRYPTION_KEYS", ["short"], "E005"),
        ("ENCRYPTION_KEYS", [b"bytes"], "E005"),
        ("ENCRYPTION_KEYS", KEY, "E005"),
        ("RATE_LIMITS", {"send_ip": "3 per hour"}, "E006"),
        ("RATE_LIMITS", {"send_ip": 3}, "E006"),
        ("RATE_LIMITS", {"check_login": "5/1h"}, "E006"),
        ("RATE_LIMITS", {"check_login": 0}, "E006"),
        ("RATE_LIMITS", {"sned_ip": "3/1h"}, "E006"),
        ("RATE_LIMITS", {"send_ip": None}, "E006"),
        ("RATE_LIMITS", {"send_sms_day": None}, "E006"),
        ("RATE_LIMITS", {"check_login": None}, "E006"),
        ("RATE_LIMITS", {"send_day": 500}, "E006"),
        ("PROVIDER", "no.such.Provider", "E007"),
        ("PROVIDER_OPTIONS", {"no_such": "option"}, "E007"),
        ("CA_BUNDLE", "/no/such/file", "E008"),
        ("PROXY", "proxy.example:3128", "E009"),
        ("PROXY", "http://[", "E009"),
        ("CLIENT_ADDRESS", "no.such.callable", "E017"),
        ("CLIENT_ADDRESS", f"{__name__}.KEY", "E017"),
        ("CLIENT_ADDRESS", "", "E017"),
        ("CLIENT_ADDRESS", 5, "E017"),
        ("BRAND", None, "E019"),
        ("BRAND", "Bakery", "E019"),
        ("BRAND", {"title": "Bakery"}, "E019"),
        ("BRAND", {"name": 5}, "E019"),
        ("BRAND", {"logo": None}, "E019"),
        ("BRAND", {"url": "javascript:alert(1)"}, "E019"),
        ("BRAND", {"logo": "shop/missing.svg"}, "W010"),
        ("BRAND", {"logo": "../settings.py"}, "W010"),
        ("BRAND", {"logo": "https://cdn.example/logo.svg"}, "W010"),
        ("CODE_INPUTMODE", "digits", "E020"),
        ("CODE_INPUTMODE", "", "E020"),
        ("CODE_INPUTMODE", None, "E020"),
        ("CODE_INPUTMODE", ["numeric"], "E020"),
    ],
)
def test_a_fault_is_named(settings, name, value, check):
    setattr(settings, f"PIGGY_VERIFY_{name}", value)

    assert found() == {check}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE_URL", "http://127.0.0.1:8000/sandbox"),
        ("BACKGROUND", False),
        ("SEND_FLOOR", 0),
        ("TIMEOUT", 2.5),
        ("ENCRYPTION_KEYS", [KEY]),
        ("RATE_LIMITS", {"send_ip": "9/m", "check_login": 3}),
        ("RATE_LIMITS", {"send_day": None}),
        ("RATE_LIMITS", {"send_day": "500/1d"}),
        ("CA_BUNDLE", __file__),
        ("PROXY", "http://proxy.example:3128"),
        ("API_KEY", lambda: "key"),
        ("CLIENT_ADDRESS", found),
        ("CLIENT_ADDRESS", f"{__name__}.found"),
        ("BRAND", {}),
        ("BRAND", {"name": _("Bakery"), "logo": "", "url": ""}),
        ("BRAND", {"logo": "admin/img/icon-yes.svg", "url": "https://shop.example"}),
        ("CODE_INPUTMODE", "numeric"),
    ],
)
def test_a_correct_setting_raises_nothing(settings, name, value):
    setattr(settings, f"PIGGY_VERIFY_{name}", value)

    assert found() == set()


def test_without_djangos_static_files_no_logo_is_looked_for(settings):
    settings.PIGGY_VERIFY_BRAND = {"logo": "shop/missing.svg"}
    apps = settings.INSTALLED_APPS
    settings.INSTALLED_APPS = [each for each in apps if "staticfiles" not in each]

    assert list(check_logo()) == []


def test_client_credentials_stand_in_for_a_key(settings):
    settings.PIGGY_VERIFY_API_KEY = None
    settings.PIGGY_VERIFY_CLIENT_ID = settings.PIGGY_VERIFY_CLIENT_SECRET = "x"
    settings.PIGGY_VERIFY_TOKEN_URL = "https://api.piggy.eu/oauth/token"

    assert found() == set()


def test_a_blank_key_is_named_in_spite_of_client_credentials(settings):
    settings.PIGGY_VERIFY_API_KEY = " "
    settings.PIGGY_VERIFY_CLIENT_ID = settings.PIGGY_VERIFY_CLIENT_SECRET = "x"
    settings.PIGGY_VERIFY_TOKEN_URL = "https://api.piggy.eu/oauth/token"

    assert found() == {"E001"}


def test_a_callable_key_that_raises_is_named_by_type(settings):
    def fail():
        raise LookupError(LEAK)

    settings.PIGGY_VERIFY_API_KEY = fail

    [message] = check_credentials()
    assert "raised LookupError" in message.msg
    assert LEAK not in str(message)


@pytest.mark.parametrize("wrap", [str, lambda key: lambda: key], ids=["text", "call"])
@pytest.mark.parametrize("end", ["\n", " x", "\x00"], ids=["line", "space", "control"])
def test_a_key_that_is_named_is_not_shown(settings, wrap, end):
    settings.PIGGY_VERIFY_API_KEY = wrap(LEAK + end)

    [message] = check_credentials()
    assert message.id == "piggy_verify.E001"
    assert LEAK not in str(message)


class Shops(PiggyProvider):
    """Has one account for each key, as the guide to several programmes shows."""

    keys: ClassVar = {"north": "key", "south": None, "west": "key"}
    now = ""

    def __init__(self):
        super().__init__(name=Shops.now or "nobody's")

    @staticmethod
    def each_account():
        for Shops.now in Shops.keys:  # noqa: B020
            yield Shops.now
        Shops.now = ""


class Toy:
    """A provider that tells the checks nothing about itself."""

    name = "toy"


def test_the_key_of_every_account_is_checked(settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.checks.test_checks.Shops"
    settings.PIGGY_VERIFY_API_KEY = lambda: Shops.keys[Shops.now]

    [message] = check_credentials()
    assert message.obj == "south"
    assert "returned no key" in message.msg


def test_a_provider_that_cannot_name_its_accounts_is_named(settings, monkeypatch):
    monkeypatch.setattr(Shops, "keys", None)
    settings.PIGGY_VERIFY_PROVIDER = "tests.checks.test_checks.Shops"

    assert found() == {"E007"}


def test_only_a_provider_that_needs_a_key_asks_for_one(settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.checks.test_checks.Toy"
    settings.PIGGY_VERIFY_API_KEY = None

    assert found() == set()


@pytest.mark.parametrize(
    "backends", [["django.contrib.auth.backends.ModelBackend"], ["no.such.Backend"], []]
)
def test_a_missing_backend_is_named(settings, backends):
    settings.AUTHENTICATION_BACKENDS = backends

    # Without other checks: those of axes crash if a backend cannot be imported.
    assert [each.id for each in check_backend()] == ["piggy_verify.E002"]


def test_without_debug_plain_http_and_the_sandbox_are_errors(settings):
    settings.DEBUG = False
    settings.PIGGY_VERIFY_BASE_URL = "http://127.0.0.1:8000/sandbox"

    assert found() == {"E003", "E010"}


def test_missing_urls_are_named(settings):
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    clear_url_caches()

    assert found() == {"W001"}


def test_pages_within_another_namespace_are_not_found(settings):
    inner = ([path("login/", include(login_urls))], "shop")
    settings.ROOT_URLCONF = (path("shop/", include(inner)),)
    clear_url_caches()

    assert found() == {"W001"}


class Router:
    """Sends the rows of one model to another database."""

    def __init__(self, name):
        self.name = name

    def db_for_write(self, model, **hints):
        return "elsewhere" if model._meta.model_name == self.name else None


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("user", {"E012"}),
        ("contact", {"E012"}),
        ("authtoken", {"E012"}),
        ("tally", set()),
        ("session", set()),
    ],
)
def test_a_relation_to_another_database_is_named(settings, name, ids):
    settings.DATABASE_ROUTERS = [Router(name)]

    assert found() == ids


def test_a_proxy_that_is_not_counted_is_named_at_deployment(settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    assert found() == {"W003"}


def test_a_proxy_needs_no_count_where_a_callable_finds_the_address(settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.PIGGY_VERIFY_CLIENT_ADDRESS = found

    assert found() == set()


def test_a_callable_that_is_not_there_is_named(settings):
    settings.PIGGY_VERIFY_CLIENT_ADDRESS = "tests.urls.no_such"

    [message] = check_client_address()

    assert "the module 'tests.urls' has no 'no_such'" in message.msg


def test_a_count_beside_a_callable_is_named(settings):
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = 1
    settings.PIGGY_VERIFY_CLIENT_ADDRESS = found

    assert found() == {"E018"}


@pytest.mark.parametrize("name", ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"])
def test_cookies_without_secure_are_named_by_django_alone(settings, name):
    setattr(settings, name, False)

    assert found() == set()
    ids = {each.id for each in run_checks(include_deployment_checks=True)}
    assert ids & {"security.W012", "security.W016"}


@pytest.mark.parametrize(
    "policy",
    [
        "no-referrer",
        "same-origin, no-referrer",
        "no-referrer, of-the-future",
        "No-Referrer",
        ["origin", "no-referrer"],
        ("same-origin,no-referrer",),
    ],
    ids=str,
)
def test_a_referrer_policy_that_hides_the_origin_is_named(settings, policy):
    settings.SECURE_REFERRER_POLICY = policy

    assert found() == {"W008"}


@pytest.mark.parametrize(
    "policy",
    [
        None,
        "",
        [],
        "same-origin",
        "no-referrer, origin",
        ["no-referrer", "origin"],
    ],
    ids=str,
)
def test_a_referrer_policy_that_tells_the_origin_is_sound(settings, policy):
    settings.SECURE_REFERRER_POLICY = policy

    assert found() == set()


class OwnSecurity(SecurityMiddleware):
    """A project's own version of Django's middleware."""


@pytest.mark.parametrize(
    ("middleware", "ids"),
    [
        ([], set()),
        (["tests.checks.test_checks.OwnSecurity"], {"W008"}),
        (["no.such.Middleware", "tests.checks.test_checks.OwnSecurity"], {"W008"}),
        (["django.views.decorators.gzip.gzip_page"], set()),
    ],
    ids=["none", "own", "broken", "function"],
)
def test_the_referrer_policy_needs_its_middleware(settings, middleware, ids):
    settings.SECURE_REFERRER_POLICY = "no-referrer"
    settings.MIDDLEWARE = middleware

    assert {each.id for each in check_referrer_policy()} == {
        f"piggy_verify.{each}" for each in ids
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("origin", "status"), [("null", 403), ("https://testserver", 302)]
)
def test_django_refuses_the_origin_that_such_a_policy_sends(
    piggy_sandbox, origin, status
):
    browser = Client(enforce_csrf_checks=True)
    page = browser.get("/login/", secure=True)
    token = page.cookies["csrftoken"].value
    fields = {"email": "ann@example.com", "csrfmiddlewaretoken": token}

    response = browser.post("/login/", fields, secure=True, headers={"origin": origin})

    assert response.status_code == status


@pytest.mark.parametrize(
    "target",
    [
        "/login/",
        "/login",
        "/login/code/",
        "piggy_verify:code",
        "./",
        "/login/?next=/login/",
    ],
)
def test_a_page_after_the_login_that_leads_back_is_named(settings, target):
    settings.LOGIN_REDIRECT_URL = target

    assert found() == {"W007"}


@pytest.mark.parametrize(
    "target",
    [
        *("/members/", "members", "/login/token/", "/login/?next=/members/"),
        *("https://members.example/login/", "no-such-name", "/no/such/page/"),
        *("/admin/login/", "/portal/"),
    ],
)
def test_a_page_after_the_login_that_leads_nowhere_back_is_sound(settings, target):
    settings.LOGIN_REDIRECT_URL = target

    assert found() == set()


LOCALE = "django.middleware.locale.LocaleMiddleware"
DUTCH = [("nl", "Nederlands")]
INFORMAL_DUTCH = [("nl-x-informal", "Nederlands")]


@pytest.mark.parametrize(
    ("code", "languages", "middleware", "ids"),
    [
        ("nl-x-informal", DUTCH, [LOCALE], {"W011"}),
        ("nl-x-informal", INFORMAL_DUTCH, [LOCALE], set()),
        ("nl-x-informal", DUTCH, [], set()),
        ("nl-be", DUTCH, [LOCALE], set()),
    ],
)
def test_an_informal_language_that_nobody_sees_is_named(
    settings, code, languages, middleware, ids
):
    settings.LANGUAGE_CODE, settings.LANGUAGES = code, languages
    settings.MIDDLEWARE = middleware

    messages = check_form_of_address()

    assert {str(each.id).removeprefix("piggy_verify.") for each in messages} == ids


class MailsAnybody(Toy):
    traits = Traits(knows_members=False)


class KnowsAddressesOnly(Toy):
    traits = Traits(knows_members=False, knows_people=False)


@pytest.mark.parametrize(
    ("provider", "end"),
    [
        (MailsAnybody, "to anybody."),
        (KnowsAddressesOnly, "to anybody, and knows people by their address only."),
    ],
)
def test_a_provider_that_mails_anybody_is_named(settings, provider, end):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.{provider.__name__}"

    [message] = check_openness()
    assert message.id == "piggy_verify.W005"
    assert message.msg == f"The provider sends codes {end}"
    assert "PIGGY_VERIFY_CREATE_USERS = False" in str(message.hint)


def test_a_provider_that_mails_members_only_is_not_named():
    assert list(check_openness()) == []


def test_an_error_of_a_provider_in_its_own_check_is_not_hidden(settings):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.Clumsy"

    with pytest.raises(ArithmeticError):
        list(check_credentials())


class Clumsy(PiggyProvider):
    def problems(self):
        raise ArithmeticError
