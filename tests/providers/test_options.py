"""Options that do not fit a constructor are an outage to visitors, and an error."""

import pytest

from tests.steps import ask_for_code, is_logged_in, type_code

pytestmark = pytest.mark.django_db

WRONG = {
    "misspelt": {"nmae": "south"},
    "no mapping": ["south"],
    "none": None,
    "no text": {5: "south"},
}


@pytest.fixture(params=list(WRONG.values()), ids=list(WRONG))
def wrong_options(settings, request):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = request.param


@pytest.mark.usefixtures("wrong_options")
def test_the_first_page_says_that_nobody_can_log_in_now(client, piggy_sandbox, caplog):
    response = ask_for_code(client)

    assert response.status_code == 503
    [record] = [each for each in caplog.records if each.name != "django.request"]
    assert (record.event_name, record.verb) == ("provider_refused", "create")
    assert piggy_sandbox.calls == ()


def test_the_code_page_says_so_too(client, code, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"nmae": "south"}

    assert client.get("/login/code/").status_code == 503
    assert type_code(client, code).status_code == 503
    assert not is_logged_in(client)


def test_no_attempt_is_used_up(client, code, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"nmae": "south"}
    type_code(client, code)
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {}

    type_code(client, code)
    assert is_logged_in(client)


def test_the_page_of_the_token_says_so_too(client, member, settings):
    settings.PIGGY_VERIFY_EXPOSE_AUTH_TOKEN = True
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"nmae": "south"}

    assert client.get("/login/token/").status_code == 503


@pytest.mark.usefixtures("member", "wrong_options")
def test_a_visitor_who_is_logged_in_is_sent_on_all_the_same(client):
    assert client.get("/login/").status_code == 302


@pytest.mark.usefixtures("member", "wrong_options")
def test_the_connect_page_says_so_in_the_words_for_codes(client, settings):
    settings.PIGGY_VERIFY_CONNECT = True

    response = client.get("/login/connect/")

    assert response.status_code == 503
    assert str(response.context["channel"]) == "email"
