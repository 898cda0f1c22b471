"""Requests that no good app sends, and projects with other middleware."""

import base64
import json
from urllib.parse import quote

import pytest
from django.db import connection

from django_piggy_verify.exceptions import LoginRequired
from tests.apps.steps import CODE, LOGIN, RESEND, App, error, making
from tests.steps import ADDRESS, BOB, calls

ODD = [
    *("NaN", "1e400", "true", "null", "[1]", "{}", "9" * 5000, "[" * 50_000),
    *('"\\u0000"', '"\\ud800"', f'"{"a:" * 2000}"', '".a:b:c"', '""'),
]
IN_NO_REQUEST = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


@pytest.fixture
def login(app):
    """Ask for a code, and return the login in progress."""
    return app.ask().json()["login"]


def send(app, url, **values):
    """Post these texts as the values of a JSON object, as they are."""
    fields = ", ".join(f'"{name}": {value}' for name, value in values.items())
    return app.client.post(url, f"{{{fields}}}", "application/json")


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_an_odd_address_is_invalid(app, piggy_sandbox, value):
    assert error(send(app, LOGIN, email=value)) == (400, "invalid")
    assert not calls(piggy_sandbox)


@pytest.mark.parametrize("value", [each for each in ODD if ".a" not in each])
def test_an_odd_code_uses_no_attempt(app, login, piggy_sandbox, value):
    response = send(app, CODE, login=json.dumps(login), code=value)

    # Of a body that Python cannot read, no field is read.
    assert error(response) in {(400, "invalid"), (409, "login_expired")}


@pytest.mark.parametrize("url", [CODE, RESEND])
@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_an_odd_login_is_none(app, url, value):
    assert error(send(app, url, code="1", login=value)) == (409, "login_expired")


@pytest.mark.parametrize("value", [each for each in ODD if len(each) < 5000])
def test_odd_values_beside_the_address_change_nothing(app, value):
    odd = dict.fromkeys(["login", "device", "recipient", "next", "code"], value)

    assert send(app, LOGIN, email=f'"{ADDRESS}"', **odd).status_code == 202


def test_a_next_is_not_kept(app):
    login = app.ask(next="/members/").json()["login"]

    assert b"/members/" not in base64.urlsafe_b64decode(f"{login.split(':')[0]}===")


def test_without_login_pages_an_app_can_be_sent_to_log_in(app, piggy_sandbox, settings):
    def refuse(request, user):
        raise LoginRequired

    settings.ROOT_URLCONF = "tests.apps.urls_without_pages"
    settings.PIGGY_VERIFY_APP_TOKEN = refuse

    assert error(app.log_in(piggy_sandbox)) == (403, "login_required")


@pytest.mark.parametrize("url", [CODE, RESEND])
def test_the_login_of_another_address_is_none(app, login, url):
    response = app.post(url, login=login, recipient=BOB, code="1")

    assert error(response) == (409, "login_expired")


@pytest.mark.parametrize("url", [CODE, RESEND])
def test_a_login_outside_the_body_is_ignored(app, login, piggy_sandbox, url):
    code = piggy_sandbox.last_code(ADDRESS)

    response = app.client.post(
        f"{url}?login={quote(login)}&code={code}",
        {"code": code},
        "application/json",
        headers={"login": login, "authorization": f"Bearer {login}"},
    )

    assert error(response) == (409, "login_expired")


def test_another_secret_key_makes_no_login(app, login, settings):
    settings.SECRET_KEY = "another " * 8

    assert error(app.type_code("123456")) == (409, "login_expired")


@pytest.mark.parametrize("place", [0, 30, -1])
def test_a_changed_login_is_none(app, login, place):
    changed = list(login)
    changed[place] = "A" if changed[place] == "B" else "B"

    assert error(app.type_code("1", login="".join(changed))) == (409, "login_expired")
    assert error(app.type_code("1", login=login[:-1])) == (409, "login_expired")


def test_a_project_without_sessions_can_log_apps_in(app, piggy_sandbox, settings):
    settings.MIDDLEWARE = [
        each for each in settings.MIDDLEWARE if each not in IN_NO_REQUEST
    ]

    assert app.log_in(piggy_sandbox).status_code == 200
    assert app.resend().status_code == 202
    assert error(App().type_code("1")) == (409, "login_expired")


def test_a_project_that_demands_logins_lets_apps_in(app, piggy_sandbox, settings):
    name = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, name]

    assert app.log_in(piggy_sandbox).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_token_is_made(
    app, piggy_sandbox, settings, monkeypatch
):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    settings.PIGGY_VERIFY_APP_TOKEN = lambda *_: {"open": connection.in_atomic_block}

    assert app.log_in(piggy_sandbox).json()["token"] == {"open": False}


@pytest.mark.usefixtures("unlimited")
def test_wrong_codes_after_a_login_still_count(app, piggy_sandbox):
    app.log_in(piggy_sandbox)
    wrong = [app.type_code("wrong") for _ in range(4)]

    assert {error(each) for each in wrong} == {(400, "code_rejected")}


def test_a_token_is_written_as_the_project_made_it(app, piggy_sandbox, settings):
    made = {"\u2028": '"</script>\ud800', "1": [True, None, {"key": "\u00e9"}]}
    settings.PIGGY_VERIFY_APP_TOKEN = making(made)

    assert app.log_in(piggy_sandbox).json()["token"] == made


@pytest.mark.parametrize("url", [LOGIN, CODE, RESEND])
def test_a_body_that_is_not_json_is_not_parsed(app, url):
    """Django refuses a form with so many fields while it parses the form."""
    body = "&".join(["a=1"] * 2000)

    response = app.client.post(url, body, "application/x-www-form-urlencoded")

    assert error(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("url", [LOGIN, CODE, RESEND])
def test_errors_are_json_for_a_browser_too(app, url):
    app.client.defaults["HTTP_ACCEPT"] = "text/html"

    response = app.post(url, email="ann", code="")

    assert response.headers["Content-Type"] == "application/json"
