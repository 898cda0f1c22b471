"""No key, code or token shows up anywhere but where it is meant to go."""

import logging

import pytest
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils.http import urlencode

from django_piggy_verify.models import AuthToken, Contact, Tally
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.secret import Secret
from django_piggy_verify.tokens import get_auth_token
from tests.steps import ADDRESS, ask_for_code, is_logged_in, log_in, type_code

KEY = "marked-api-key-4711"

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture(autouse=True)
def marked_key(piggy_sandbox, settings):
    settings.PIGGY_VERIFY_API_KEY = KEY


def test_no_log_line_holds_a_secret(client, contact, piggy_sandbox, caplog):
    caplog.set_level(logging.DEBUG)
    response = log_in(client, piggy_sandbox)
    type_code(client, "wrong")

    token = get_auth_token(response.wsgi_request.user)

    assert "POST /api/v3/oauth/clients/contact-verification/verify" in caplog.text
    for secret in (KEY, piggy_sandbox.last_code(ADDRESS), token):
        assert secret not in caplog.text


@pytest.mark.parametrize("fault", list(Fault))
def test_no_failure_logs_or_shows_a_secret(client, code, piggy_sandbox, caplog, fault):
    caplog.set_level(logging.DEBUG)
    piggy_sandbox.switches.fault = fault

    page = type_code(client, code)

    assert page.status_code == 503
    for secret in (KEY, code):
        assert secret not in caplog.text
        assert secret not in page.text


def test_a_dump_of_the_database_holds_no_secret(user, piggy_sandbox, capsys):
    call_command("dumpdata")

    dump = capsys.readouterr().out
    assert "piggy_verify.authtoken" in dump
    for secret in (KEY, piggy_sandbox.last_code(ADDRESS), get_auth_token(user)):
        assert secret not in dump


def test_the_session_holds_no_secret(client, user, piggy_sandbox):
    session = str(dict(client.session))

    for secret in (KEY, piggy_sandbox.last_code(ADDRESS), get_auth_token(user)):
        assert secret not in session


def test_no_row_shows_a_token(user):
    token = get_auth_token(user)

    for row in (AuthToken.objects.get(), Contact.objects.get(), *Tally.objects.all()):
        assert token not in f"{row!r} {row}"


def test_a_crash_below_the_transport_shows_no_frame_that_holds_a_secret(
    client, code, monkeypatch, caplog
):
    def crash(*_args):
        raise TypeError

    monkeypatch.setattr("django_piggy_verify.wire._connect_to", crash)
    monkeypatch.setattr("django_piggy_verify.wire.MAX_IDLE", -1)

    page = type_code(client, code)

    assert page.status_code == 503
    assert "TypeError" in caplog.text
    assert code not in page.text + caplog.text


def test_the_debug_page_of_a_crash_above_it_shows_neither_key_nor_code(
    client, code, monkeypatch
):
    """Any frame may crash, and the page shows the local variables of all."""
    monkeypatch.setattr(
        "django_piggy_verify.providers.piggy.transport.call", crash_while_holding
    )
    client.raise_request_exception = False

    page = type_code(client, code)

    assert page.status_code == 500
    assert "crash_while_holding" in page.text
    assert KEY not in page.text
    assert code not in page.text


def crash_while_holding(*_args, **_kwargs):
    raise TypeError


@pytest.fixture
def overheard():
    """What listeners of Django's login signals see in ``request.POST``."""
    posted = []

    def listen(request, **kwargs):
        posted.append(request.POST.dict())

    for signal in (user_logged_in, user_login_failed):
        signal.connect(listen)
    yield posted
    for signal in (user_logged_in, user_login_failed):
        signal.disconnect(listen)


CROSSED_OUT = {"code": "*" * 20, "login": "*" * 20}


def fields_of(page, code):
    return {"code": code, "login": page.context["form"]["login"].value()}


@pytest.mark.parametrize("is_right", [True, False])
def test_listeners_to_a_login_see_neither_code_nor_login(
    client, code, overheard, is_right
):
    fields = fields_of(client.get("/login/code/"), code if is_right else "wrong")

    client.post("/login/code/", {**fields, "remember": "me"})

    assert is_logged_in(client) is is_right
    assert overheard == [{**CROSSED_OUT, "remember": "me"}]


def test_a_field_that_was_sent_twice_is_crossed_out_twice(client, code):
    page = client.post("/login/code/", {"code": ["wrong", code]})

    assert page.wsgi_request.POST.getlist("code") == ["*" * 20]


def test_after_an_outage_the_request_holds_no_code(client, code, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.OUTAGE
    fields = fields_of(client.get("/login/code/"), code)

    page = client.post("/login/code/", fields)

    assert page.status_code == 503
    assert page.wsgi_request.POST.dict() == CROSSED_OUT


def test_a_urlencoded_form_is_crossed_out_as_well(client, code, overheard):
    fields = urlencode(fields_of(client.get("/login/code/"), code))
    form = "application/x-www-form-urlencoded"

    response = client.post("/login/code/", fields, content_type=form)

    assert response.url == "/members/"
    assert overheard == [CROSSED_OUT]


def test_crossing_out_leaves_uploads_alone(client, code):
    upload = SimpleUploadedFile("photo.txt", b"smile")

    page = client.post("/login/code/", {"code": "wrong", "photo": upload})

    assert page.wsgi_request.FILES["photo"].name == "photo.txt"


def test_crossing_out_leaves_the_csrf_token_and_the_form_alone(contact, piggy_sandbox):
    strict = Client(enforce_csrf_checks=True)
    token = {"csrfmiddlewaretoken": strict.get("/login/").cookies["csrftoken"].value}
    ask_for_code(strict, **token)
    again = strict.post("/login/code/", {"code": "wrong", **token})

    fields = fields_of(again, piggy_sandbox.last_code(ADDRESS))
    strict.post("/login/code/", {**fields, **token})

    assert is_logged_in(strict)


def test_a_secret_is_an_ordinary_text_to_whom_it_is_for():
    secret = Secret("value")

    assert secret == "value"
    assert f"{secret}" == "value"
    assert "value" not in repr([secret])


def test_an_outage_while_asking_shows_no_key(client, contact, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    assert KEY not in ask_for_code(client).text
