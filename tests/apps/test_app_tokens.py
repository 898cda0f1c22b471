"""Check apps whose token cannot be made, and apps that post a code twice."""

import math
from datetime import timedelta
from decimal import Decimal
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured, PermissionDenied

from django_piggy_verify import signals
from django_piggy_verify.models import Contact
from tests.apps.steps import App, error, making, token_of
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, calls
from tests.views.test_repeated_codes import meanwhile

__all__ = ["meanwhile"]


@pytest.fixture
def typed(app, piggy_sandbox):
    """Ask for a code, and return it."""
    app.ask()
    return piggy_sandbox.last_code(ADDRESS)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (None, "an object of the type NoneType, and no mapping"),
        ("text", "an object of the type str, and no mapping"),
        ([1], "an object of the type list, and no mapping"),
        ({"key": object()}, "what JSON cannot express: Object of type object"),
        ({("a",): 1}, "what JSON cannot express: keys must be"),
        ({"key": math.nan}, "what JSON cannot express: Out of range float values"),
    ],
)
def test_what_is_no_mapping_of_json_names_the_setting(
    app, typed, settings, made, words
):
    settings.PIGGY_VERIFY_APP_TOKEN = making(made)

    with pytest.raises(ImproperlyConfigured) as caught:
        app.type_code(typed)

    assert str(caught.value).startswith(f"PIGGY_VERIFY_APP_TOKEN returned {words}")


def test_a_circle_is_no_json(app, typed, settings):
    circle: dict[str, object] = {}
    circle["self"] = circle
    settings.PIGGY_VERIFY_APP_TOKEN = making(circle)

    with pytest.raises(ImproperlyConfigured):
        app.type_code(typed)


def test_what_is_too_deep_for_json_is_no_json(app, typed, settings):
    deep: list[object] = []
    for _level in range(100_000):
        deep = [deep]
    settings.PIGGY_VERIFY_APP_TOKEN = making({"deep": deep})

    with pytest.raises(ImproperlyConfigured, match="what JSON cannot express"):
        app.type_code(typed)


def test_what_the_project_raises_is_its_own(app, typed, settings):
    def fail(request, user):
        raise ZeroDivisionError

    settings.PIGGY_VERIFY_APP_TOKEN = fail
    app.client.raise_request_exception = False

    response = app.post("/app/login/code/", **app.kept, code=typed)
    assert response.status_code == 500


def test_a_project_may_refuse_in_its_own_way(app, typed, settings):
    def fail(request, user):
        raise PermissionDenied

    settings.PIGGY_VERIFY_APP_TOKEN = fail

    assert app.post("/app/login/code/", **app.kept, code=typed).status_code == 403


def test_the_code_is_not_lost_if_no_token_was_made(app, typed, settings, piggy_sandbox):
    settings.PIGGY_VERIFY_APP_TOKEN = making(None)
    with pytest.raises(ImproperlyConfigured):
        app.type_code(typed)
    settings.PIGGY_VERIFY_APP_TOKEN = token_of

    response = app.type_code(typed)

    assert response.json()["token"] == token_of(None, Contact.objects.get().user)
    assert calls(piggy_sandbox).count("verify") == 1


@pytest.mark.parametrize(
    "setting", ["no.such.module", "tests.apps.steps.nothing", 5, "text"]
)
def test_a_setting_that_cannot_be_used_does_not_use_up_the_code(
    app, typed, settings, piggy_sandbox, setting
):
    settings.PIGGY_VERIFY_APP_TOKEN = setting

    with pytest.raises(ImproperlyConfigured, match="APP_TOKEN cannot be used"):
        app.type_code(typed)

    assert calls(piggy_sandbox) == ["send"]


def test_decimals_and_durations_are_written_as_django_writes_them(app, typed, settings):
    made = {"price": Decimal("1.50"), "for": timedelta(minutes=1)}
    settings.PIGGY_VERIFY_APP_TOKEN = making(made)

    token = app.type_code(typed).json()["token"]

    assert token == {"price": "1.50", "for": "P0DT00H01M00S"}


def test_the_same_code_in_the_same_login_gets_a_token_again(app, typed, piggy_sandbox):
    first = app.type_code(typed)
    asked = len(calls(piggy_sandbox))

    verified = mock.Mock()
    with receiving(signals.contact_verified, verified):
        second = app.type_code(typed)

    assert second.status_code == 200
    assert second.json()["token"] == first.json()["token"]
    assert len(calls(piggy_sandbox)) == asked
    assert not verified.called


def test_while_the_first_request_is_under_way_an_app_gets_the_state(
    app, typed, meanwhile, piggy_sandbox
):
    results = meanwhile(lambda: app.type_code(typed))

    first = app.type_code(typed)

    assert first.status_code == 200
    assert results[0].status_code == 202
    assert results[0].json()["login"]
    assert calls(piggy_sandbox).count("verify") == 1


def test_the_same_code_in_another_login_is_wrong(app, typed, piggy_sandbox):
    other = App()
    other.ask()
    app.type_code(typed)

    assert error(other.type_code(typed)) == (400, "code_rejected")


def test_a_code_that_a_browser_has_used_is_wrong(app, typed, client, settings):
    client.post("/login/", {"email": ADDRESS})
    client.post("/login/code/", {"code": typed})

    assert error(app.type_code(typed)) == (400, "code_rejected")


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": True}])
def test_a_user_who_may_not_log_in_any_more_gets_no_second_token(
    app, typed, django_user_model, change
):
    app.type_code(typed)
    django_user_model.objects.update(**change)

    assert error(app.type_code(typed)) == (409, "login_expired")


def test_a_contact_that_is_gone_gets_no_second_token(app, typed):
    app.type_code(typed)
    Contact.objects.all().delete()

    assert error(app.type_code(typed)) == (409, "login_expired")


def test_the_user_has_a_backend_each_time(app, typed, settings):
    backends = []

    def look(_request, user):
        backends.append(user.backend)
        return {}

    settings.PIGGY_VERIFY_APP_TOKEN = look
    app.type_code(typed)
    app.type_code(typed)

    assert backends == [settings.AUTHENTICATION_BACKENDS[0]] * 2
