"""Use django-axes beside the package, with the one setting of the guide."""

import logging
from datetime import timedelta

import pytest
from axes.helpers import get_client_username
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from axes.utils import reset
from django.contrib.auth import authenticate, get_user_model, login
from django.core.checks import run_checks
from django.core.management import call_command
from django.http import JsonResponse
from django.test import Client

from django_piggy_verify.login import axes as lockouts
from django_piggy_verify.login.verification import send_code
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.testing import login_contact
from tests.documentation import pages
from tests.login import stateful
from tests.steps import (
    ADDRESS,
    JSON,
    SPELLINGS,
    ask_for_code,
    calls,
    is_logged_in,
    type_code,
)

GUIDE = pages.parsed(pages.DOCS / "howto" / "axes.rst")
NAME = "AXES_USERNAME_CALLABLE"
[OUR_LINE, RESETTING, LOCKING] = map(pages.run, pages.blocks_of(GUIDE, "python"))
BY_ADDRESS = ["username"]
BY_ADDRESS_AND_CLIENT = LOCKING["AXES_LOCKOUT_PARAMETERS"]


@pytest.fixture(autouse=True)
def axes(settings):
    """Install axes as its documentation says, with the setting of our guide."""
    settings.AXES_ENABLED = True
    settings.AXES_FAILURE_LIMIT = 2
    settings.AUTHENTICATION_BACKENDS = [
        "axes.backends.AxesStandaloneBackend",
        *settings.AUTHENTICATION_BACKENDS,
    ]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "axes.middleware.AxesMiddleware"]
    settings.AXES_USERNAME_CALLABLE = OUR_LINE[NAME]


@pytest.fixture
def locked(client, code):
    """The right code of a login in progress whose browser is locked out."""
    for _ in range(2):
        type_code(client, "wrong")
    return code


def counted():
    return dict(AccessAttempt.objects.values_list("username", "failures_since_start"))


def say_teapot(request, credentials):
    return JsonResponse({"teapot": credentials["username"]}, status=418)


def warnings():
    return [each for each in run_checks() if each.id == "piggy_verify.W004"]


# Counting -----------------------------------------------------------------------


def test_all_spellings_of_an_address_share_one_count(contact, unlimited):
    for spelling in (ADDRESS, SPELLINGS["name"]):
        browser = Client()
        ask_for_code(browser, spelling)
        type_code(browser, "wrong")

    assert counted() == {ADDRESS: 2}


@pytest.fixture
def texts(db, settings):
    """A vendor that sends texts to Dutch numbers."""
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
    settings.PIGGY_VERIFY_PHONE_REGION = "NL"
    return stateful.use(settings)


def test_all_spellings_of_a_number_share_one_count(rf, texts):
    for typed in ("+31612345678", "06 12 34 56 78"):
        authenticate(rf.post("/"), recipient=typed, secret_code="1")

    assert counted() == {"+31612345678": 2}


def test_a_number_is_counted_after_its_country_was_removed(client, texts, settings):
    client.post("/login/", {"phone": "+31612345678"})
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["BE"]

    type_code(client, "wrong")

    assert counted() == {"+31612345678": 1}


def test_a_text_that_is_no_address_has_no_name_for_axes(rf, db):
    authenticate(rf.post("/"), recipient="\0" * 300, secret_code="1")

    assert counted() == {None: 1}


@pytest.mark.parametrize("parameters", [BY_ADDRESS, BY_ADDRESS_AND_CLIENT])
def test_a_right_code_resets_the_count_if_axes_is_set_so(
    client, code, settings, parameters
):
    settings.AXES_RESET_ON_SUCCESS = RESETTING["AXES_RESET_ON_SUCCESS"]
    settings.AXES_LOCKOUT_PARAMETERS = parameters
    type_code(client, "wrong")

    type_code(client, code)

    assert is_logged_in(client)
    assert counted() == {}


def test_a_right_code_resets_nothing_by_default(client, code):
    type_code(client, "wrong")

    type_code(client, code)

    assert counted() == {ADDRESS: 1}


def test_a_right_code_without_the_pages_resets_the_count(client, code, rf, settings):
    settings.AXES_RESET_ON_SUCCESS = RESETTING["AXES_RESET_ON_SUCCESS"]
    settings.AXES_LOCKOUT_PARAMETERS = BY_ADDRESS
    type_code(client, "wrong")
    request = rf.post("/")
    request.session = client.session

    login(request, authenticate(request, recipient=SPELLINGS["name"], secret_code=code))

    assert counted() == {}


def test_a_right_code_from_a_text_resets_the_count(client, rf, settings, texts):
    settings.AXES_RESET_ON_SUCCESS = RESETTING["AXES_RESET_ON_SUCCESS"]
    settings.AXES_LOCKOUT_PARAMETERS = BY_ADDRESS
    request = rf.post("/")
    request.session = client.session
    send_code("+31612345678")
    authenticate(request, recipient="+31612345678", secret_code="wrong")
    [(_, code)] = texts.sent

    login(request, authenticate(request, recipient="06 12345678", secret_code=code))

    assert counted() == {}


def test_another_user_of_the_same_request_keeps_their_name(client, code):
    request = type_code(client, code).wsgi_request

    assert lockouts.username(request, {"username": "bob"}) == "bob"


@pytest.mark.parametrize("fault", [Fault.OUTAGE, Fault.MAINTENANCE])
def test_an_outage_is_not_counted(client, code, piggy_sandbox, fault):
    piggy_sandbox.switches.fault = fault

    assert type_code(client, code).status_code == 503
    assert counted() == {}


def test_our_own_limits_are_not_counted(client, code, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "1/1h"}
    type_code(client, "wrong")

    assert "Try again" in type_code(client, "wrong").text
    assert counted() == {ADDRESS: 1}


def test_the_last_wrong_code_of_a_login_is_counted(client, code, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}

    assert type_code(client, "wrong").status_code == 429
    assert counted() == {ADDRESS: 1}


# Other logins -------------------------------------------------------------------


def test_a_login_by_password_is_counted_under_the_name_that_was_typed(client, db):
    client.post("/admin/login/", {"username": "Bob", "password": "wrong"})

    assert counted() == {"Bob": 1}


def test_a_login_by_password_resets_what_was_counted(client, db, settings):
    settings.AXES_RESET_ON_SUCCESS = RESETTING["AXES_RESET_ON_SUCCESS"]
    settings.AXES_LOCKOUT_PARAMETERS = BY_ADDRESS
    get_user_model().objects.create_superuser("bob", password="right")

    for typed in ("wrong", "right"):
        client.post("/admin/login/", {"username": "bob", "password": typed})

    assert is_logged_in(client)
    assert counted() == {}


@pytest.mark.parametrize("field", ["username", "email"])
@pytest.mark.parametrize(
    "credentials",
    [
        None,
        {},
        {"username": "Bob", "password": "x"},
        {"email": "Bob@example.com", "password": "x"},
        {"username": "Bob", "recipient": "of another backend"},
        {"username": ["no", "name"]},
        {"password": "x"},
    ],
    ids=repr,
)
@pytest.mark.parametrize("data", [None, {"username": "from data"}])
def test_other_logins_keep_the_name_of_axes(rf, settings, field, credentials, data):
    settings.AXES_USERNAME_FORM_FIELD = field
    request = rf.post("/", {"username": "posted", "email": "posted@example.com"})
    if data:
        request.data = data

    ours = get_client_username(request, credentials)
    settings.AXES_USERNAME_CALLABLE = None

    assert ours == get_client_username(request, credentials)


def test_an_upload_is_not_read_to_name_a_login(rf):
    request = rf.post("/", {"file": "large"})

    lockouts.username(request, {"username": "bob"})

    assert request.read()


@pytest.mark.parametrize("model", ["EmailUser", "NumberUser"])
def test_the_name_of_any_user_model_leads_back_to_the_address(rf, settings, model):
    settings.AUTH_USER_MODEL = f"people.{model}"
    settings.AXES_USERNAME_FORM_FIELD = get_user_model().USERNAME_FIELD
    user = get_user_model()(**{get_user_model().USERNAME_FIELD: "7"})
    request = rf.post("/")

    lockouts.remember_success(request, user, "Ann@Example.COM")

    name = {settings.AXES_USERNAME_FORM_FIELD: user.get_username()}
    assert lockouts.username(request, name) == ADDRESS


@pytest.mark.parametrize("credentials", [None, {"password": "x"}])
def test_without_a_request_and_a_name_there_is_no_name(credentials):
    assert lockouts.username(None, credentials) is None


def test_a_code_can_be_right_without_a_request(code, settings):
    del settings.AUTHENTICATION_BACKENDS[0]  # axes insists on a request

    assert authenticate(recipient=ADDRESS, secret_code=code)


# Locking out --------------------------------------------------------------------


@pytest.mark.parametrize("is_prolonged", [True, False])
def test_a_locked_out_visitor_sees_the_lockout_and_no_code_is_checked(
    client, code, settings, piggy_sandbox, is_prolonged
):
    settings.AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = is_prolonged
    pages = [type_code(client, typed) for typed in ("wrong", "wrong", code, code)]

    assert [page.status_code for page in pages] == [200, 429, 429, 429]
    assert {page.text[:15] for page in pages[1:]} == {"Account locked:"}
    assert calls(piggy_sandbox) == ["send", "verify", "verify"]


@pytest.mark.parametrize("is_prolonged", [True, False])
def test_a_lockout_has_the_shape_of_every_limit_in_json(
    client, code, settings, piggy_sandbox, is_prolonged
):
    settings.AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = is_prolonged
    type_code(client, "wrong")
    fields = {"path": "/login/code/", "headers": JSON}

    at_the_limit = client.post(data={"code": "wrong"}, **fields)
    beyond = client.post(data={"code": code}, **fields)

    for answer in (at_the_limit, beyond):
        assert answer.status_code == 429
        error = answer.json()["error"]
        assert error.pop("message").startswith("There were too many attempts.")
        assert error.pop("retry_after") == int(answer["Retry-After"])
        assert error == {"code": "too_many_attempts", "fields": {}, "limit": "lockout"}
    assert calls(piggy_sandbox) == ["send", "verify", "verify"]


@pytest.mark.parametrize(
    ("cool_off", "seconds"),
    [
        (None, 86400),
        (2, 7200),
        (0.5, 1800),
        (timedelta(seconds=1.2), 2),
        (lambda _request: timedelta(minutes=5), 300),
    ],
    ids=["for ever", "hours", "part of an hour", "timedelta", "callable"],
)
def test_a_lockout_says_when_to_try_again(client, locked, settings, cool_off, seconds):
    settings.AXES_COOLOFF_TIME = cool_off

    answer = client.post("/login/code/", {"code": locked}, headers=JSON)

    assert answer["Retry-After"] == str(seconds)


def test_a_lockout_shows_the_template_of_the_axes_settings(client, locked, settings):
    settings.AXES_LOCKOUT_TEMPLATE = "piggy_verify/refused.html"

    page = type_code(client, locked)

    assert page.status_code == 429
    assert page.context["username"] == ADDRESS


def test_a_lockout_leads_to_the_url_of_the_axes_settings(client, locked, settings):
    settings.AXES_LOCKOUT_URL = "/locked/"

    assert type_code(client, locked).url.startswith("/locked/")


@pytest.mark.parametrize("setting", ["TEMPLATE", "URL"])
def test_a_page_for_people_is_not_sent_to_scripts(client, locked, settings, setting):
    setattr(settings, f"AXES_LOCKOUT_{setting}", "piggy_verify/refused.html")

    answer = client.post("/login/code/", {"code": locked}, headers=JSON)

    assert answer.json()["error"]["code"] == "too_many_attempts"


@pytest.mark.parametrize("headers", [{}, JSON], ids=["html", "json"])
def test_a_callable_of_the_project_words_all_its_lockouts(
    client, locked, settings, headers
):
    settings.AXES_LOCKOUT_CALLABLE = "tests.login.test_axes.say_teapot"

    answer = client.post("/login/code/", {"code": locked}, headers=headers)

    assert (answer.status_code, answer.json()) == (418, {"teapot": ADDRESS})


def test_without_the_middleware_our_own_page_says_it(client, locked, settings):
    del settings.MIDDLEWARE[-1]
    settings.AXES_COOLOFF_TIME = 1
    client.handler.load_middleware()

    page = type_code(client, locked)

    assert (page.status_code, page["Retry-After"]) == (429, "3600")
    assert "Try again in 60 minutes." in page.text
    assert "not checked" not in page.text
    assert 'href="/login/code/"' not in page.text


@pytest.mark.parametrize("headers", [{}, JSON], ids=["html", "json"])
def test_a_lockout_leaves_the_login_in_progress(client, locked, headers):
    refused = client.post("/login/code/", {"code": locked}, headers=headers)
    reset(username=ADDRESS)

    type_code(client, locked)

    assert "piggy_verify_login" not in refused.cookies
    assert is_logged_in(client)


def test_a_lockout_by_address_and_client_spares_other_clients(client, locked, settings):
    settings.AXES_LOCKOUT_PARAMETERS = BY_ADDRESS_AND_CLIENT

    client.post("/login/code/", {"code": locked}, REMOTE_ADDR="192.0.2.1")

    assert is_logged_in(client)


# Secrets ------------------------------------------------------------------------


def test_axes_stores_and_logs_no_code(client, code, settings, caplog, capsys):
    settings.AXES_ENABLE_ACCESS_FAILURE_LOG = settings.AXES_VERBOSE = True
    caplog.set_level(logging.DEBUG)
    named = client.get("/login/code/").context["form"]["login"].value()
    for typed in ("guess-4711", code):
        type_code(client, typed, login=named)

    call_command("dumpdata", "axes")

    told = capsys.readouterr().out + caplog.text
    assert AccessFailureLog.objects.count() == AccessLog.objects.count() == 1
    assert "code=****" in AccessAttempt.objects.get().post_data
    assert [secret for secret in ("guess-4711", code, named) if secret in told] == []


def test_axes_stores_no_code_of_a_json_body(client, code):
    fields = {"code": "guess-4711"}

    client.post("/login/code/", fields, content_type="application/json", headers=JSON)

    assert counted() == {ADDRESS: 1}
    assert AccessAttempt.objects.get().post_data == ""


def test_a_contact_can_be_logged_in_without_the_pages(client, db, settings):
    settings.AXES_RESET_ON_SUCCESS = True

    login_contact(client)

    assert is_logged_in(client)


# The check ----------------------------------------------------------------------


def test_one_line_of_the_guide_is_enough():
    assert warnings() == []


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_line_a_warning_asks_for_it(settings, value):
    settings.AXES_USERNAME_CALLABLE = value

    [warning] = warnings()

    assert f"{NAME} = {OUR_LINE[NAME]!r}" in str(warning.hint)


def test_without_axes_there_is_no_warning(settings):
    settings.AXES_USERNAME_CALLABLE = None
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "axes"]

    assert warnings() == []


def test_a_callable_of_the_project_raises_no_warning(settings):
    settings.AXES_USERNAME_CALLABLE = say_teapot

    assert warnings() == []
