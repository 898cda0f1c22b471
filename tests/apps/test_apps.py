"""An app logs in without cookies, and gets a token of the project."""

from unittest import mock

import pytest
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_piggy_verify import signals, tokens
from django_piggy_verify.exceptions import LoginRefused, ProviderUnavailable
from django_piggy_verify.models import Contact
from django_piggy_verify.sandbox import Fault, Switches
from tests.apps.steps import CODE, LOGIN, RESEND, App, error, making, token_of
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, BOB, STRANGER, calls


def test_an_app_is_told_that_a_code_was_sent(app):
    response = app.ask()

    body = response.json()
    assert response.status_code == 202
    assert body.pop("login")
    assert body == {
        "recipient": ADDRESS,
        "channel": "email",
        "expires_in": 600,
        "resend_in": 60,
        "sent": True,
    }


def test_the_right_code_is_exchanged_for_a_token(app, piggy_sandbox, contact):
    response = app.log_in(piggy_sandbox)

    user = Contact.objects.get(uid=contact.uid).user
    assert response.status_code == 200
    assert response.json().keys() == {"token", "device"}
    assert response.json()["token"] == token_of(None, user)


def test_the_setting_may_be_a_dotted_path(app, piggy_sandbox, settings):
    settings.PIGGY_VERIFY_APP_TOKEN = "tests.apps.steps.token_of"

    assert app.log_in(piggy_sandbox).status_code == 200


def test_a_member_logs_in_as_the_same_user_again(app, piggy_sandbox, unlimited):
    first = app.log_in(piggy_sandbox).json()
    second = App().log_in(piggy_sandbox).json()

    assert first["token"] == second["token"]


def test_a_login_of_an_app_begins_no_session(app, piggy_sandbox, django_user_model):
    logged_in = mock.Mock()
    with receiving(user_logged_in, logged_in):
        app.log_in(piggy_sandbox)

    assert not Session.objects.exists()
    assert not logged_in.called
    assert django_user_model.objects.get().last_login is None


def test_the_contact_is_announced(app, piggy_sandbox):
    verified = mock.Mock()
    with receiving(signals.contact_verified, verified):
        app.log_in(piggy_sandbox)

    assert verified.call_args.kwargs["is_new"] is True


def test_the_auth_token_is_fetched_after_the_response(app, piggy_sandbox):
    app.log_in(piggy_sandbox)

    assert calls(piggy_sandbox) == ["send", "verify", "auth-token"]


def test_the_callable_can_ask_for_the_auth_token(app, piggy_sandbox, settings):
    def with_auth_token(request, user):
        return {"upstream": tokens.get_auth_token(user)}

    settings.PIGGY_VERIFY_APP_TOKEN = with_auth_token

    response = app.log_in(piggy_sandbox)

    assert response.json()["token"]["upstream"]
    assert calls(piggy_sandbox).count("auth-token") == 1


def test_dates_are_written_as_django_writes_them(app, piggy_sandbox, settings):
    now = timezone.now()
    settings.PIGGY_VERIFY_APP_TOKEN = making({"expires": now})

    token = app.log_in(piggy_sandbox).json()["token"]

    assert token["expires"].startswith(f"{now:%Y-%m-%dT%H:%M}")


def test_the_user_is_stored_before_the_token_is_made(
    app, piggy_sandbox, settings, django_user_model
):
    stored = []

    def look(request, user):
        stored.append(django_user_model.objects.filter(pk=user.pk).exists())
        return {}

    settings.PIGGY_VERIFY_APP_TOKEN = look
    app.log_in(piggy_sandbox)

    assert stored == [True]


def test_a_wrong_code_is_rejected(app):
    app.ask()

    assert error(app.type_code("wrong")) == (400, "code_rejected")


def test_a_blank_code_uses_no_attempt(app, piggy_sandbox):
    app.ask()

    assert error(app.type_code("")) == (400, "invalid")
    assert calls(piggy_sandbox) == ["send"]


def test_the_fifth_wrong_code_closes_the_login(app, piggy_sandbox):
    app.ask()
    for _attempt in range(4):
        app.type_code("wrong")

    assert error(app.type_code("wrong")) == (429, "too_many_attempts")
    right = app.type_code(piggy_sandbox.last_code(ADDRESS))
    assert error(right) == (409, "login_expired")
    assert error(app.resend()) == (409, "login_expired")


def test_an_app_is_told_which_limit_is_reached_and_for_how_long(app, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    app.ask()

    response = App().ask(BOB)

    body = response.json()["error"]
    assert response.status_code == 429
    assert body["limit"] == "send_ip"
    assert body["retry_after"] == int(response["Retry-After"]) > 3500


def test_wrong_codes_count_for_browsers_and_apps_together(app, client, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_recipient": "2/1h"}
    app.ask()
    app.type_code("wrong")
    client.post("/login/", {"email": ADDRESS})
    client.post("/login/code/", {"code": "wrong"})

    response = app.type_code("wrong")

    assert response.json()["error"]["limit"] == "check_recipient"


def test_a_second_request_within_the_cooldown_sends_nothing(app, piggy_sandbox):
    app.ask()

    response = app.ask()

    assert (response.status_code, response.json()["sent"]) == (202, False)
    assert calls(piggy_sandbox) == ["send"]


def test_a_resend_gives_the_login_a_new_deadline(app, piggy_sandbox, time_machine):
    time_machine.move_to(timezone.now())
    app.ask()
    first = dict(app.kept)
    time_machine.shift(500)

    response = app.resend()

    assert response.status_code == 202
    assert response.json()["expires_in"] == 600
    assert app.kept["login"] != first["login"]
    assert calls(piggy_sandbox) == ["send", "send"]
    assert app.type_code(piggy_sandbox.last_code(ADDRESS)).status_code == 200


def test_the_login_before_a_resend_can_be_used_until_it_expires(
    app, piggy_sandbox, time_machine
):
    time_machine.move_to(timezone.now())
    app.ask()
    first = dict(app.kept)
    time_machine.shift(500)
    app.resend()

    app.kept = first

    assert app.type_code(piggy_sandbox.last_code(ADDRESS)).status_code == 200


def test_an_expired_login_is_refused(app, piggy_sandbox, time_machine):
    time_machine.move_to(timezone.now())
    app.ask()
    time_machine.shift(601)

    response = app.type_code(piggy_sandbox.last_code(ADDRESS))

    assert error(response) == (409, "login_expired")


@pytest.mark.parametrize("url", [CODE, RESEND])
@pytest.mark.parametrize(
    "fields", [{}, {"login": ""}, {"login": "forged"}, {"login": 5}, {"login": []}]
)
def test_without_a_login_there_is_nothing_to_go_on_with(app, url, fields):
    response = app.post(url, code="123456", **fields)

    assert error(response) == (409, "login_expired")


def test_the_login_of_a_browser_is_none_of_an_app(app, client, code, settings):
    client.post("/login/", {"email": ADDRESS})

    response = app.type_code(code, login=client.cookies["piggy_verify_login"].value)

    assert error(response) == (409, "login_expired")


@pytest.mark.parametrize("as_field", [True, False])
def test_the_login_of_an_app_is_none_of_a_browser(
    app, client, piggy_sandbox, settings, as_field
):
    app.ask()
    client.cookies["piggy_verify_login"] = app.kept["login"]
    fields = {"login": app.kept["login"]} if as_field else {}

    response = client.post(
        "/login/code/", {"code": piggy_sandbox.last_code(ADDRESS), **fields}
    )

    assert response.url.startswith("/login/?expired=")


def test_a_login_that_is_sent_as_a_cookie_is_ignored(app, piggy_sandbox):
    app.ask()
    for name in ("login", "piggy_verify_login"):
        app.client.cookies[name] = app.kept["login"]

    response = app.post(CODE, code=piggy_sandbox.last_code(ADDRESS))

    assert error(response) == (409, "login_expired")


def test_cookies_of_a_browser_change_nothing(app, client, user, piggy_sandbox):
    app.client.cookies.update(client.cookies)

    response = app.ask(BOB)

    assert response.status_code == 202
    assert response.json()["recipient"] == BOB


@pytest.mark.parametrize("url", [LOGIN, CODE, RESEND])
@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
    ],
)
def test_only_json_is_read(app, url, content_type):
    response = app.client.post(
        url, b"email=ann@example.com&code=1", content_type=content_type
    )

    assert error(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"text"', b"\xff"])
def test_a_body_without_fields_is_invalid(app, body):
    response = app.client.post(LOGIN, body, "application/json")

    assert error(response) == (400, "invalid")
    assert response.json()["error"]["fields"].keys() == {"email"}


def test_a_body_that_is_too_large_is_invalid(app, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    assert error(app.ask(padding="x" * 100)) == (400, "invalid")


@pytest.mark.parametrize("url", [LOGIN, CODE, RESEND])
@pytest.mark.parametrize("method", ["get", "head", "put", "delete"])
def test_other_methods_are_refused(app, piggy_sandbox, url, method):
    response = getattr(app.client, method)(url)

    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"
    assert not calls(piggy_sandbox)


@pytest.mark.parametrize("url", [LOGIN, CODE, RESEND])
def test_without_a_way_to_make_tokens_there_are_no_pages(app, settings, url):
    settings.PIGGY_VERIFY_APP_TOKEN = None

    assert error(app.post(url, email=ADDRESS)) == (404, "not_found")


def test_a_provider_that_logs_nobody_in_has_no_pages(settings, sandbox_for, db):
    sandbox_for("transmit")

    assert error(App().ask()) == (404, "not_found")


def test_html_is_never_returned(app):
    app.client.defaults["HTTP_ACCEPT"] = "text/html"

    assert app.ask().headers["Content-Type"] == "application/json"


def test_responses_are_not_cached(app):
    assert "no-store" in app.ask()["Cache-Control"]


def test_a_stranger_looks_like_a_member(app, piggy_sandbox):
    responses = [app.ask(), App().ask(STRANGER)]

    first, second = (each.json() | {"login": "", "recipient": ""} for each in responses)
    assert first == second
    assert [each.status_code for each in responses] == [202, 202]


def test_an_outage_during_the_check_costs_no_attempt(app, piggy_sandbox):
    app.ask()
    code = piggy_sandbox.last_code(ADDRESS)
    piggy_sandbox.switches = Switches(fault=Fault.MAINTENANCE)

    assert error(app.type_code(code)) == (503, "provider_unavailable")

    piggy_sandbox.switches = Switches()
    assert app.type_code(code).status_code == 200


def test_a_send_that_failed_is_told_with_the_code(app, piggy_sandbox):
    piggy_sandbox.switches = Switches(fault=Fault.MAINTENANCE)
    app.ask()

    response = app.type_code("123456")

    assert error(response) == (503, "provider_unavailable")
    assert "Retry-After" in response


def test_a_refused_user_gets_no_token(app, user, client, piggy_sandbox, unlimited):
    user.is_active = False
    user.save()

    response = app.log_in(piggy_sandbox)

    assert error(response) == (403, "login_refused")


def test_the_pages_of_browsers_need_not_be_routed(app, piggy_sandbox, settings):
    settings.ROOT_URLCONF = "tests.apps.urls_without_pages"
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "1/1h"}
    app.ask()
    app.type_code("wrong")

    assert error(app.type_code("wrong")) == (429, "too_many_attempts")


def test_the_request_can_veto_the_token(app, piggy_sandbox, settings):
    def refuse(request, user):
        raise LoginRefused("this app is too old")

    settings.PIGGY_VERIFY_APP_TOKEN = refuse

    assert error(app.log_in(piggy_sandbox)) == (403, "login_refused")


def test_an_outage_while_the_token_is_made_is_told(app, piggy_sandbox, settings):
    def fail(request, user):
        raise ProviderUnavailable("no connection")

    settings.PIGGY_VERIFY_APP_TOKEN = fail

    assert error(app.log_in(piggy_sandbox)) == (503, "provider_unavailable")


def test_no_session_is_read(app, client, user, unlimited):
    app.ask()
    app.client.cookies["sessionid"] = client.session.session_key
    with CaptureQueriesContext(connection) as captured:
        app.ask()

    assert not [each for each in captured if "django_session" in each["sql"]]
