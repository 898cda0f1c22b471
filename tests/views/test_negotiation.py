"""Posted codes are read once and then hidden in the request."""

import pytest
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.http import urlencode

from django_piggy_verify.sandbox import Fault
from tests.http.hostile import CODE
from tests.steps import ADDRESS, ask_for_code, is_logged_in, type_code

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def overheard():
    """The fields that receivers of Django's login signals see in ``request.POST``."""
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
def test_receivers_of_the_login_signals_see_neither_code_nor_login(
    client, code, overheard, is_right
):
    fields = fields_of(client.get("/login/code/"), code if is_right else "wrong")

    client.post("/login/code/", {**fields, "remember": "me"})

    assert is_logged_in(client) is is_right
    assert overheard == [{**CROSSED_OUT, "remember": "me"}]


def test_both_values_of_a_repeated_field_are_hidden(client, code):
    page = client.post("/login/code/", {"code": ["wrong", code]})

    assert page.wsgi_request.POST.getlist("code") == ["*" * 20]


def test_after_an_outage_the_request_holds_no_code(client, code, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.OUTAGE
    fields = fields_of(client.get("/login/code/"), code)

    page = client.post("/login/code/", fields)

    assert page.status_code == 503
    assert page.wsgi_request.POST.dict() == CROSSED_OUT


def test_the_debug_page_of_a_crash_shows_no_code(
    client, code, piggy_sandbox, monkeypatch
):
    piggy_sandbox.mails[0].code = CODE
    monkeypatch.delattr("django_piggy_verify.http.client.call")
    client.raise_request_exception = False

    page = type_code(client, CODE)

    assert page.status_code == 500
    assert CODE not in page.text


def test_a_urlencoded_form_is_hidden(client, code, overheard):
    fields = urlencode(fields_of(client.get("/login/code/"), code))
    form = "application/x-www-form-urlencoded"

    response = client.post("/login/code/", fields, content_type=form)

    assert response.url == "/members/"
    assert overheard == [CROSSED_OUT]


def test_hiding_fields_keeps_uploads(client, code):
    upload = SimpleUploadedFile("photo.txt", b"smile")

    page = client.post("/login/code/", {"code": "wrong", "photo": upload})

    assert page.wsgi_request.FILES["photo"].name == "photo.txt"


def test_hiding_fields_keeps_the_csrf_token_and_the_form(contact, piggy_sandbox):
    strict = Client(enforce_csrf_checks=True)
    token = {"csrfmiddlewaretoken": strict.get("/login/").cookies["csrftoken"].value}
    ask_for_code(strict, **token)
    again = strict.post("/login/code/", {"code": "wrong", **token})

    fields = fields_of(again, piggy_sandbox.last_code(ADDRESS))
    strict.post("/login/code/", {**fields, **token})

    assert is_logged_in(strict)
