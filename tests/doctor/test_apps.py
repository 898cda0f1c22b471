"""Check what the doctor says of the URLs for apps."""

import pytest
from django.http import HttpResponse
from django.urls import include, path

from tests import public_urls
from tests.doctor.test_doctor import DJANGOS, found, production, report

__all__ = ["production"]

OF_APPS = [path("api/login/", include("django_piggy_verify.urls_app"))]
WORKS = "Apps can log in at /api/login/."

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def apps(production, settings):
    settings.PIGGY_VERIFY_APP_TOKEN = "tests.apps.steps.token_of"
    settings.ROOT_URLCONF = tuple(OF_APPS)


@pytest.fixture
def both(settings):
    settings.ROOT_URLCONF = (*public_urls.urlpatterns, *OF_APPS)


def redirect(get_response):
    return lambda _request: HttpResponse(status=302, headers={"Location": "/"})


def fail(get_response):
    empty: dict[str, HttpResponse] = {}
    return lambda _request: empty["response"]


def put(settings, middleware):
    settings.MIDDLEWARE = [f"{__name__}.{middleware.__name__}"]


def test_a_project_for_apps_needs_no_sessions_and_no_page_to_go_to(settings):
    settings.MIDDLEWARE = []
    settings.LOGIN_URL = settings.LOGIN_REDIRECT_URL = "/nowhere/"
    settings.SESSION_COOKIE_SECURE = False
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"

    findings = report()["findings"]

    told = [each for each in findings if each["area"] in {"Pages", "Sessions"}]
    assert [(each["outcome"], each["text"]) for each in told] == [
        ("note", "The URLconf has URLs for apps, and no login pages for browsers."),
        ("good", WORKS),
    ]
    assert not found("problem")


@pytest.mark.usefixtures("both")
def test_a_project_with_both_has_findings_about_both():
    good = found("good")

    assert {WORKS, "The first page works.", "Sessions work."} <= {*good}


@pytest.mark.usefixtures("both")
def test_without_the_setting_the_checks_say_so(settings):
    settings.PIGGY_VERIFY_APP_TOKEN = None

    assert "(piggy_verify.W009)" in "".join(found("warning"))
    assert WORKS not in found("good")
    assert found("problem") == []


@pytest.mark.usefixtures("both")
def test_a_middleware_that_responds_itself_is_a_problem(settings):
    put(settings, redirect)

    assert "A URL for apps returns status 302." in found("problem")


@pytest.mark.usefixtures("both")
def test_a_middleware_that_fails_is_a_problem(settings):
    put(settings, fail)

    assert "The URLs for apps fail: KeyError." in found("problem")


@pytest.mark.parametrize(
    "urlconf",
    [
        [path("v1/", include((OF_APPS, "v1"), "v1"))],
        [path("v1/", include((OF_APPS, "v1"), "outer")), *OF_APPS],
        [path("v1/", include([path("v2/", include((OF_APPS, "v2")))]))],
    ],
)
def test_the_urls_are_found_in_other_namespaces(settings, urlconf):
    settings.ROOT_URLCONF = tuple(urlconf)

    [told] = [each for each in found("good") if each.startswith("Apps can log in at")]
    assert "/v1/" in told


def test_urls_with_parameters_are_not_tried(settings):
    settings.ROOT_URLCONF = (path("<str:shop>/", include(OF_APPS)),)

    assert any("were not tried" in each for each in found("note"))


def test_the_backend_is_needed_all_the_same(settings):
    settings.AUTHENTICATION_BACKENDS = [DJANGOS]

    assert any("has no PiggyBackend" in each for each in found("problem"))
