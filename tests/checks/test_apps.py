"""The checks of the URLs for apps that hold no cookies."""

import pytest
from django.urls import include, path

from django_piggy_verify import checks
from tests import urls

TOKEN = "tests.apps.steps.token_of"


class OnlyApps:
    urlpatterns = [path("app/", include("django_piggy_verify.urls_app"))]


class Both:
    urlpatterns = [*urls.urlpatterns, *OnlyApps.urlpatterns]


class Nested:
    urlpatterns = [
        *urls.urlpatterns,
        path("api/", include((OnlyApps.urlpatterns, "api"), "v1")),
    ]


def found(*ids):
    messages = checks.run(checks.ALWAYS)
    return [
        each for each in messages if str(each.id).removeprefix("piggy_verify.") in ids
    ]


@pytest.mark.parametrize("urlconf", [Both, Nested])
def test_urls_for_apps_need_a_way_to_make_tokens(settings, urlconf):
    settings.ROOT_URLCONF = urlconf

    [message] = found("W009")

    assert message.msg == (
        "The URLs for apps return 404, because PIGGY_VERIFY_APP_TOKEN is not set."
    )


@pytest.mark.parametrize("urlconf", [Both, Nested])
def test_with_such_a_way_the_check_is_silent(settings, urlconf):
    settings.ROOT_URLCONF = urlconf
    settings.PIGGY_VERIFY_APP_TOKEN = TOKEN

    assert not found("W009", "E021")


def test_without_the_urls_nothing_is_needed():
    assert not found("W009", "E021")


def test_a_provider_that_logs_nobody_in_serves_no_apps(settings, sandbox_for):
    sandbox_for("transmit")
    settings.ROOT_URLCONF = Both
    settings.PIGGY_VERIFY_APP_TOKEN = TOKEN

    [message] = found("W009")

    assert "the provider cannot log anybody in" in message.msg


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("no.such.module", "there is no module 'no'"),
        ("tests.apps.steps.nothing", "the module 'tests.apps.steps' has no 'nothing'"),
        (5, "TypeError"),
    ],
)
def test_the_setting_must_be_a_callable(settings, setting, reason):
    settings.PIGGY_VERIFY_APP_TOKEN = setting

    [message] = found("E021")

    assert message.msg == f"PIGGY_VERIFY_APP_TOKEN cannot be used: {reason}."


def test_a_project_for_apps_only_needs_no_login_pages(settings):
    settings.ROOT_URLCONF = OnlyApps
    settings.PIGGY_VERIFY_APP_TOKEN = TOKEN

    assert not found("W001")


def test_apps_that_get_no_token_do_not_replace_the_login_pages(settings):
    settings.ROOT_URLCONF = OnlyApps

    assert len(found("W001")) == 1
