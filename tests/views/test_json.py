import json
import time

import pytest
from django.contrib.auth import get_user_model

from django_piggy_verify.sandbox import Fault
from tests.steps import ADDRESS, JSON, SPELLINGS, STRANGER, calls

LOGIN = "/login/"
CODE = "/login/code/"


def post(client, path, data=None, **extra):
    return client.post(
        path, data or {}, content_type="application/json", headers=JSON, **extra
    )


def error_of(response):
    return response.status_code, response.json()["error"]["code"]


@pytest.fixture
def in_progress(client, contact):
    post(client, LOGIN, {"email": ADDRESS, "next": "/members/?a=1"})


def test_asking_for_a_code_returns_the_state_of_the_login(client, contact):
    response = post(client, LOGIN, {"email": ADDRESS})

    assert response.status_code == 202
    assert response.json() == {
        "recipient": ADDRESS,
        "channel": "email",
        "expires_in": 600,
        "resend_in": 60,
        "sent": True,
    }


@pytest.mark.parametrize("path", [LOGIN, "/login/code/resend/"])
def test_a_code_that_the_cooldown_holds_back_is_not_sent(client, in_progress, path):
    held_back = post(client, path, {"email": ADDRESS})
    read = client.get(CODE, headers=JSON)

    assert (held_back.json()["sent"], read.json()["sent"]) == (False, False)


def test_a_code_that_was_sent_anew_is_sent(client, in_progress, time_machine):
    post(client, "/login/code/resend/")
    time_machine.move_to(time.time() + 60)

    again = post(client, "/login/code/resend/")

    assert again.json()["sent"] is True


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_script_may_send_any_spelling_of_the_address(client, contact, spelling):
    response = post(client, LOGIN, {"email": spelling})

    assert response.status_code == 202
    assert response.json()["recipient"].lower() == ADDRESS


def test_a_form_body_is_taken_as_well(client, contact):
    response = client.post(LOGIN, {"email": ADDRESS}, headers=JSON)

    assert response.status_code == 202


def test_the_code_page_returns_the_state_of_the_login(client, in_progress):
    response = client.get(CODE, headers=JSON)

    assert response.status_code == 200
    fields = {"recipient", "channel", "expires_in", "resend_in", "sent"}
    assert set(response.json()) == fields


def test_a_right_code_returns_redirect_to(client, in_progress, piggy_sandbox):
    code = piggy_sandbox.last_code(ADDRESS)

    response = post(client, CODE, {"code": code})

    assert response.status_code == 200
    assert response.json() == {"redirect_to": "/members/?a=1"}


def test_a_logged_in_script_gets_redirect_to(client, member):
    response = client.get(f"{LOGIN}?next=/members/%3Fb", headers=JSON)

    assert response.status_code == 200
    assert response.json() == {"redirect_to": "/members/?b"}


def test_an_error_names_code_message_and_fields(client, contact):
    response = post(client, LOGIN, {"email": "ann"})

    assert response.status_code == 400
    assert response.json() == {
        "error": {
            "code": "invalid",
            "message": "Enter an email address like name@example.com.",
            "fields": {"email": ["Enter an email address like name@example.com."]},
        }
    }


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[]",
        '"ann@example.com"',
        "[" * 100_000,
        '{"email": null}',
        '{"email": true}',
        '{"email": ["ann@example.com"]}',
        '{"email": "\\ud800@example.com"}',
        "\xff",
    ],
    ids=range(11),
)
def test_a_body_without_the_fields_is_invalid(client, contact, piggy_sandbox, body):
    response = client.generic(
        "POST", LOGIN, body, content_type="application/json", headers=JSON
    )

    assert error_of(response) == (400, "invalid")
    assert calls(piggy_sandbox) == []


def test_lone_surrogates_can_be_shown_in_html(client, contact):
    body = json.dumps({"email": "\ud800@example.com"})

    response = client.generic("POST", LOGIN, body, content_type="application/json")

    assert response.status_code == 200
    assert response.context["form"].errors


def test_a_code_may_be_a_number(client, in_progress, piggy_sandbox):
    post(client, CODE, {"code": 123456})

    assert calls(piggy_sandbox) == ["send", "verify"]


@pytest.mark.parametrize("value", [None, True, 1.5, ["1"], {"1": "1"}], ids=repr)
def test_a_code_must_be_a_text_or_an_integer(client, in_progress, piggy_sandbox, value):
    response = post(client, CODE, {"code": value})

    assert error_of(response) == (400, "invalid")
    assert calls(piggy_sandbox) == ["send"]


def test_a_code_for_another_address_than_the_current_one_is_refused(
    client, in_progress, piggy_sandbox
):
    code = piggy_sandbox.last_code(ADDRESS)
    post(client, LOGIN, {"email": STRANGER})

    response = post(client, CODE, {"code": code, "recipient": ADDRESS})

    assert error_of(response) == (409, "login_expired")
    assert "verify" not in calls(piggy_sandbox)


def test_a_code_for_the_current_address_is_checked(client, in_progress, piggy_sandbox):
    code = piggy_sandbox.last_code(ADDRESS)

    response = post(client, CODE, {"code": code, "recipient": ADDRESS})

    assert response.status_code == 200


def test_a_wrong_code_is_rejected(client, in_progress):
    response = post(client, CODE, {"code": "wrong"})

    assert error_of(response) == (400, "code_rejected")
    assert "code" in response.json()["error"]["fields"]


def test_a_blank_code_is_invalid(client, in_progress):
    assert error_of(post(client, CODE, {"code": ""})) == (400, "invalid")


def test_an_unknown_address_is_reported_where_the_project_wants_this(
    client, contact, settings
):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False

    response = post(client, LOGIN, {"email": STRANGER})

    assert error_of(response) == (400, "unknown_contact")


@pytest.mark.parametrize("path", [CODE, "/login/code/resend/"])
def test_without_a_login_in_progress_it_has_expired(client, db, path):
    assert error_of(post(client, path, {"code": "1"})) == (409, "login_expired")


def test_reading_the_state_of_no_login_says_that_it_has_expired(client, db):
    assert error_of(client.get(CODE, headers=JSON)) == (409, "login_expired")


def test_a_resend_returns_the_state_of_the_login(client, in_progress):
    response = post(client, "/login/code/resend/")

    assert response.status_code == 202
    assert response.json()["recipient"] == ADDRESS


def test_the_seconds_that_are_left_are_counted_down_and_begin_anew(
    client, contact, time_machine
):
    time_machine.move_to(0, tick=False)
    post(client, LOGIN, {"email": ADDRESS})
    time_machine.shift(70)

    left = client.get(CODE, headers=JSON).json()
    anew = post(client, "/login/code/resend/").json()

    assert (left["expires_in"], left["resend_in"]) == (530, 0)
    assert (anew["expires_in"], anew["resend_in"]) == (600, 60)


def test_cancelling_returns_204(client, in_progress):
    response = post(client, "/login/cancel/")

    assert (response.status_code, response.content) == (204, b"")
    assert client.get(CODE, headers=JSON).status_code == 409


def test_the_last_wrong_code_of_a_login_is_answered_as_a_limit(
    client, in_progress, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 2}
    post(client, CODE, {"code": "wrong"})

    response = post(client, CODE, {"code": "wrong"})

    assert error_of(response) == (429, "too_many_attempts")
    assert 0 < int(response["Retry-After"]) <= 60
    assert client.get(CODE, headers=JSON).status_code == 409


def test_a_limit_is_reported_with_the_wait(client, in_progress, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "1/1h"}
    post(client, CODE, {"code": "wrong"})

    response = post(client, CODE, {"code": "wrong"})

    assert error_of(response) == (429, "too_many_attempts")
    error = response.json()["error"]
    assert int(response["Retry-After"]) == error["retry_after"] > 3590
    assert error["limit"] == "check_ip"


def test_an_outage_is_reported(client, in_progress, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    response = post(client, CODE, {"code": "123456"})

    assert error_of(response) == (503, "provider_unavailable")
    error = response.json()["error"]
    assert int(response["Retry-After"]) == error["retry_after"] > 0
    assert "limit" not in error


def test_a_refused_login_is_reported(client, in_progress, piggy_sandbox, settings):
    settings.PIGGY_VERIFY_CREATE_USERS = False

    response = post(client, CODE, {"code": piggy_sandbox.last_code(ADDRESS)})

    assert error_of(response) == (403, "login_refused")
    assert not get_user_model().objects.exists()


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("application/json, text/html;q=0.5", True),
        ("text/html, application/json;q=0.5", False),
        ("*/*", False),
        ("image/png", False),
        ("", False),
    ],
)
def test_the_accept_header_decides(client, contact, accept, is_json):
    response = client.post(LOGIN, {"email": "ann"}, headers={"accept": accept})

    assert (response["Content-Type"] == "application/json") is is_json
    assert "Accept" in response["Vary"]
