"""The login against an API that misbehaves: no error page, no login, no secret."""

import json
import logging
import time
from functools import partial

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings as hypothesis_settings

from django_piggy_verify.models import AuthToken, Contact
from django_piggy_verify.providers import credentials
from tests.http import faults
from tests.http.faults import FAULTS, TIMEOUT, drip, flood, in_turn, raw
from tests.http.hostile import (
    ANSWERS,
    CLIENT_SECRET,
    CODE,
    Hostile,
    Peer,
    head,
    reply,
    secrets_in,
    self_signed,
    serving,
)
from tests.steps import ask_for_code, is_logged_in, type_code


class Visitor(Client):
    """A browser that keeps every response."""

    def __init__(self):
        super().__init__()
        self.shown = ""

    def request(self, **request):
        response = super().request(**request)
        self.shown += f"{response.headers} {response.text}"
        return response


@pytest.fixture
def upstream(settings):
    with serving(settings) as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def elsewhere():
    with Hostile() as server:
        yield server


@pytest.fixture
def visitor(db):
    return Visitor()


@pytest.fixture(autouse=True)
def nothing_leaks(caplog, visitor):
    """Look for the secrets in all pages and in the records of all loggers."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="django")
    caplog.set_level(logging.DEBUG, logger="urllib3")
    yield
    records = caplog.get_records("call")
    logged = [f"{caplog.handler.format(each)} {vars(each)}" for each in records]
    assert secrets_in("\n".join(logged)) == []
    assert secrets_in(visitor.shown) == []


@pytest.fixture
def blames(caplog):
    """Return the warnings and errors of our logger."""

    def lines():
        return [
            (each.levelname, each.getMessage())
            for each in caplog.records
            if each.name == "django_piggy_verify" and each.levelno > logging.INFO
        ]

    return lines


@pytest.fixture
def misbehave(upstream, settings):
    """Make a fault happen at one call of the flow."""
    return partial(faults.begin, upstream, settings)


EACH_FAULT = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


@EACH_FAULT
def test_a_failed_send_is_shown_or_looks_like_sent(
    visitor, upstream, misbehave, fault, blames
):
    misbehave("send", fault)

    assert outcome_of_send(visitor) == (UNAVAILABLE if fault.is_open else SENT)

    (level, message), *circuit = blames()
    assert level == ("WARNING" if fault.is_open else "ERROR")
    assert message.startswith("send failed: ")
    assert fault.cause in message
    assert len(circuit) == fault.is_open


FAMILIES = (
    "html",
    "no-data",
    "truncated",
    "50-mb",
    "negative-chunk-5",
    "gzip-bomb",
    "slow-body",
    "moved-302",
    "reset",
    "reset-unread",
    "silence-at-accept",
    "refused",
)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_failed_check_is_an_outage_and_no_login(
    visitor, upstream, misbehave, name, blames
):
    ask_for_code(visitor)
    misbehave("verify", FAULTS[name])

    response = type_code(visitor, CODE)

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert not is_logged_in(visitor)
    [(_, message)] = blames()
    assert message.startswith("check failed: ")
    assert FAULTS[name].cause in message
    assert upstream.names.count("verify") <= 1


@pytest.mark.parametrize("name", FAMILIES)
def test_a_failed_token_fetch_keeps_the_login(visitor, misbehave, name, blames):
    ask_for_code(visitor)
    misbehave("auth-token", FAULTS[name])

    response = type_code(visitor, CODE)

    assert (response.status_code, response.url) == (302, "/members/")
    assert is_logged_in(visitor)
    assert not AuthToken.objects.exists()
    [(_, message)] = blames()
    assert message.startswith("fetch failed: ")
    assert FAULTS[name].cause in message


def test_a_login_without_faults_leaks_nothing(visitor, upstream):
    ask_for_code(visitor)
    response = type_code(visitor, CODE)

    assert response.url == "/members/"
    assert AuthToken.objects.count() == 1


@pytest.mark.parametrize("uid", ["..", "\ud800"], ids=ascii)
def test_an_invalid_id_is_an_outage_and_no_login(
    visitor, upstream, uid, blames, django_user_model
):
    upstream.answers["verify"] = reply({"data": {"uuid": uid}})
    ask_for_code(visitor)

    response = type_code(visitor, CODE)

    assert response.status_code == 503
    assert not is_logged_in(visitor)
    assert not django_user_model.objects.exists()
    assert "it has no valid uuid" in blames()[0][1]


@hypothesis_settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(answer=ANSWERS)
def test_only_a_success_with_an_id_logs_a_visitor_in(upstream, unlimited, db, answer):
    body, status, media_type = answer
    upstream.answers["verify"] = reply(body, status, Content_Type=media_type)
    browser = Client()
    ask_for_code(browser)

    response = type_code(browser, f"{CODE}{len(upstream.requests)}")

    if is_logged_in(browser):
        assert 200 <= status < 300
        assert json.loads(body)["data"]["uuid"] == Contact.objects.latest("pk").uid
    else:
        assert outcome_of_check(response) in {UNAVAILABLE, REJECTED}


@pytest.mark.parametrize("token", ["\ud800", ""], ids=ascii)
def test_an_invalid_token_keeps_the_login(visitor, upstream, token):
    upstream.answers["auth-token"] = reply({"data": token})
    ask_for_code(visitor)

    assert type_code(visitor, CODE).url == "/members/"
    assert not AuthToken.objects.exists()


@pytest.mark.parametrize("call", ["send", "verify", "auth-token"])
@pytest.mark.parametrize("status", [302, 307])
def test_no_redirect_is_followed_to_another_host(
    visitor, upstream, elsewhere, call, status
):
    target = f"Location: {elsewhere.url}/api"
    start = head(target, "Content-Length: 52428800", status=status)
    upstream.answers[call] = in_turn(raw(start), flood(b" "))

    ask_for_code(visitor)
    type_code(visitor, CODE)

    assert upstream.names.count(call) == 1
    assert elsewhere.connections == 0
    assert is_logged_in(visitor) == (call != "verify")


SENT, UNAVAILABLE, REJECTED = "sent", "unavailable", "rejected"


def outcome_of_send(visitor):
    """Ask for a code, and return what the code page says of it."""
    assert ask_for_code(visitor).url == "/login/code/"
    page = visitor.get("/login/code/")
    return {200: SENT, 503: UNAVAILABLE}[page.status_code]


def outcome_of_check(response):
    if response.status_code == 503:
        return UNAVAILABLE
    assert response.status_code == 200
    assert response.context["form"].has_error("code", "code_rejected")
    return REJECTED


ERRORS = {
    # code: outcome of a send, outcome of a check, words of the log
    1003: (SENT, REJECTED, "the input is invalid"),
    13010: (SENT, REJECTED, "the code is not found"),
    55031: (SENT, REJECTED, "No contact has the address a***@example.com"),
    55032: (UNAVAILABLE, UNAVAILABLE, "the account has no Contacts Portal"),
    1053: (UNAVAILABLE, UNAVAILABLE, "the account secret is invalid"),
    3000: (UNAVAILABLE, UNAVAILABLE, "the token is expired"),
    7002: (UNAVAILABLE, UNAVAILABLE, "the account is inactive"),
    7011: (UNAVAILABLE, UNAVAILABLE, "the key has no access to this account"),
    99999: (SENT, UNAVAILABLE, "the answer is an error"),
}
EACH_CODE = pytest.mark.parametrize("code", ERRORS)


def error(code, status=400):
    return reply({"message": "Oeps", "code": code, "errors": ["Oeps"]}, status)


@EACH_CODE
def test_an_error_code_at_send_has_its_outcome(visitor, upstream, code, caplog):
    upstream.answers["send"] = error(code)

    assert outcome_of_send(visitor) == ERRORS[code][0]
    assert ERRORS[code][2] in caplog.text
    assert "Oeps" not in caplog.text + visitor.shown


@EACH_CODE
def test_an_error_code_at_check_has_its_outcome(visitor, upstream, code, caplog):
    upstream.answers["verify"] = error(code)
    ask_for_code(visitor)

    response = visitor.post("/login/code/", {"code": "wrong"})

    assert outcome_of_check(response) == ERRORS[code][1]
    assert not is_logged_in(visitor)
    assert (ERRORS[code][2] in caplog.text) == (ERRORS[code][1] == UNAVAILABLE)


@pytest.mark.parametrize("code", [55031, 3000, 99999])
def test_an_error_code_at_the_token_fetch_keeps_the_login(
    visitor, upstream, code, blames
):
    upstream.answers["auth-token"] = error(code)
    ask_for_code(visitor)

    assert type_code(visitor, CODE).url == "/members/"
    assert not AuthToken.objects.exists()
    reason = "got no auth token at login" if code == 55031 else "fetch failed"
    assert reason in blames()[0][1]


STATUSES = {
    400: SENT,
    401: UNAVAILABLE,
    403: UNAVAILABLE,
    404: SENT,
    429: UNAVAILABLE,
    500: SENT,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}


@pytest.mark.parametrize("status", STATUSES)
def test_a_bare_status_at_send_has_its_outcome(visitor, upstream, status, blames):
    upstream.answers["send"] = reply(b"<h1>Oeps", status)

    assert outcome_of_send(visitor) == STATUSES[status]
    assert f"status {status}" in blames()[0][1]


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown", "trusted"])
def test_only_a_trusted_certificate_lets_a_code_be_sent(
    visitor, settings, certificate, trusted, blames
):
    with serving(settings, context=certificate[0]) as server:
        settings.DEBUG = False
        settings.PIGGY_VERIFY_CA_BUNDLE = certificate[1] if trusted else None

        outcome = outcome_of_send(visitor)

    assert outcome == (SENT if trusted else UNAVAILABLE)
    assert server.names == (["send"] if trusted else [])
    assert trusted or "CERTIFICATE_VERIFY_FAILED" in blames()[0][1]


def test_a_silent_tls_server_is_shown_as_an_outage(
    visitor, settings, certificate, blames
):
    with serving(settings, context=certificate[0]) as server:
        settings.PIGGY_VERIFY_TIMEOUT = TIMEOUT
        server.at_accept["send"] = Peer.keep_silent

        outcome = outcome_of_send(visitor)

    assert outcome == UNAVAILABLE
    assert "Timeout" in blames()[0][1]


def test_plain_http_without_debug_is_logged_as_an_error(
    visitor, upstream, settings, blames
):
    settings.DEBUG = False

    assert outcome_of_send(visitor) == UNAVAILABLE
    assert blames()[0][0] == "ERROR"
    assert upstream.connections == 0


def test_a_key_that_fits_into_no_header_is_logged_as_an_error(
    visitor, upstream, settings, blames
):
    settings.PIGGY_VERIFY_API_KEY = "a\r\nX: y"

    assert outcome_of_send(visitor) == UNAVAILABLE
    assert blames()[0][0] == "ERROR"
    assert upstream.connections == 0


GRANTS = {
    "refused": (reply({"error": "invalid_client"}, 401), "ERROR"),
    "down": (Peer.reset, "WARNING"),
}


@pytest.fixture
def granting(upstream, settings, monkeypatch):
    """The same server, but the settings have client credentials and no key."""
    monkeypatch.setattr(credentials, "_grant", None)
    settings.PIGGY_VERIFY_API_KEY = None
    settings.PIGGY_VERIFY_CLIENT_ID = "client-id"
    settings.PIGGY_VERIFY_CLIENT_SECRET = CLIENT_SECRET
    settings.PIGGY_VERIFY_TOKEN_URL = upstream.token_url
    return upstream


@pytest.mark.parametrize(("answer", "level"), GRANTS.values(), ids=GRANTS)
def test_a_failed_grant_is_shown_as_an_outage(visitor, granting, answer, level, blames):
    granting.answers["oauth"] = answer

    assert outcome_of_send(visitor) == UNAVAILABLE
    assert blames()[0][0] == level
    assert granting.names == ["oauth"]


def test_a_login_with_client_credentials_leaks_nothing(visitor, granting):
    ask_for_code(visitor)

    assert type_code(visitor, CODE).url == "/members/"
    assert granting.names == ["oauth", "send", "verify", "auth-token"]


@pytest.mark.parametrize("call", ["send", "verify", "auth-token"])
def test_no_call_holds_a_visitor_up_for_longer_than_the_timeout(
    visitor, upstream, settings, call
):
    """Without threads, the worker and the connection wait for each call."""
    settings.PIGGY_VERIFY_TIMEOUT = TIMEOUT
    upstream.answers[call] = in_turn(raw(head()), drip(b" " * 99))
    started = time.monotonic()

    ask_for_code(visitor)
    type_code(visitor, CODE)

    assert TIMEOUT < time.monotonic() - started < TIMEOUT + 2
