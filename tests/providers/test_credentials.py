import subprocess
import sys
import threading
import time
from urllib.parse import parse_qsl

import pytest

from django_piggy_verify.exceptions import (
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.providers import credentials
from django_piggy_verify.providers.base import Challenge
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.secret import Secret
from tests.http.hostile import (
    CLIENT_SECRET,
    GRANT,
    KEY,
    TOKEN,
    UID,
    Peer,
    debug_page,
    head,
    reply,
    secrets_in,
    serving,
)

TIMEOUT = 0.25
SLACK = 2  # what a busy machine may add


@pytest.fixture
def upstream(settings):
    with serving(settings) as server:
        server.keeps_alive = True
        yield server


@pytest.fixture
def granting(upstream, settings):
    """The same server, but the settings have client credentials and no key."""
    settings.PIGGY_VERIFY_API_KEY = None
    settings.PIGGY_VERIFY_CLIENT_ID = "client-id"
    settings.PIGGY_VERIFY_CLIENT_SECRET = CLIENT_SECRET
    settings.PIGGY_VERIFY_TOKEN_URL = upstream.token_url
    return upstream


def send():
    return PiggyProvider().send_code(Challenge(recipient="ann@example.com"))


def fetch():
    return PiggyProvider().fetch_auth_token(UID)


def error_of(function):
    with pytest.raises(ProviderError) as caught:
        function()
    return caught.value


def bearers(server, name="send"):
    return [
        each.headers["authorization"].removeprefix("Bearer ")
        for each in server.requests
        if each.name == name
    ]


def in_threads(count, function):
    threads = [threading.Thread(target=function) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_key_is_the_bearer(upstream):
    send()

    assert bearers(upstream) == [KEY]


def test_a_callable_key_is_called_each_time(upstream, settings):
    keys = iter(["first", "second"])
    settings.PIGGY_VERIFY_API_KEY = lambda: next(keys)

    send()
    send()

    assert bearers(upstream) == ["first", "second"]


BAD_KEYS = {
    "blank": " ",
    "tab": "\t",
    "non-ascii": "k\u00e9y",
    "cr": "key\r",
    "lf": "key\n",
    "header": "key\r\nX-Evil: 1",
    "nul": "key\x00",
    "delete": "key\x7f",
    "surrogate": "key\ud800",
}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
@pytest.mark.parametrize("wrap", [str, lambda key: lambda: key], ids=["text", "call"])
def test_a_key_that_fits_into_no_header_goes_nowhere(upstream, settings, key, wrap):
    settings.PIGGY_VERIFY_API_KEY = wrap(key)

    error = error_of(send)

    assert type(error) is ProviderRefused
    assert not error.may_depend_on_contact
    assert key not in str(error) or key == " "
    assert upstream.connections == 0


def test_a_callable_that_returns_nothing_is_refused(upstream, settings):
    settings.PIGGY_VERIFY_API_KEY = lambda: ""

    assert "no header may hold" in str(error_of(send))


@pytest.mark.parametrize("key", [None, b"key", 5])
def test_a_callable_that_returns_no_text_is_refused(upstream, settings, key):
    settings.PIGGY_VERIFY_API_KEY = lambda: key

    error = error_of(send)

    assert type(error) is ProviderRefused
    assert str(error) == f"the API key's callable returned {type(key).__name__}"
    assert upstream.connections == 0


def test_the_debug_page_shows_no_key_of_the_wrong_type(upstream, settings):
    settings.PIGGY_VERIFY_API_KEY = KEY.encode

    assert secrets_in(debug_page(fetch)) == []


def test_a_callable_that_fails_is_an_error_of_the_project(upstream, settings):
    def fail():
        raise KeyError("the vault's secret")

    settings.PIGGY_VERIFY_API_KEY = fail

    error = error_of(send)

    assert type(error) is ProviderRefused
    assert str(error) == "the API key's callable: KeyError"
    assert error.__context__ is None


@pytest.mark.parametrize("missing", ["CLIENT_ID", "CLIENT_SECRET", "TOKEN_URL"])
def test_without_a_key_all_client_credentials_are_needed(granting, settings, missing):
    setattr(settings, f"PIGGY_VERIFY_{missing}", None)

    error = error_of(send)

    assert type(error) is ProviderRefused
    assert "neither an API key nor client credentials" in str(error)
    assert granting.connections == 0


def test_a_grant_is_asked_for_as_the_rfc_says(granting):
    send()

    request = granting.requests[0]
    assert (request.method, request.target) == ("POST", "/oauth/token")
    assert "authorization" not in request.headers
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(request.body.decode()) == [
        ("grant_type", "client_credentials"),
        ("client_id", "client-id"),
        ("client_secret", CLIENT_SECRET),
    ]


def test_a_grant_is_fetched_once_and_used_until_it_expires(granting, monkeypatch):
    for _ in range(3):
        send()
    later = time.monotonic() + 3600 - credentials.MARGIN
    monkeypatch.setattr(credentials, "monotonic", lambda: later)
    send()

    assert granting.names == ["oauth", "send", "send", "send", "oauth", "send"]
    assert bearers(granting) == [GRANT] * 4


def test_a_key_goes_before_client_credentials(granting, settings):
    settings.PIGGY_VERIFY_API_KEY = KEY

    send()

    assert bearers(granting) == [KEY]
    assert granting.names == ["send"]


@pytest.mark.parametrize("lifetime", [-1, 0, 1, 30])
def test_a_grant_about_to_expire_is_used_once(granting, lifetime):
    granting.answers["oauth"] = reply({"access_token": GRANT, "expires_in": lifetime})

    send()
    send()

    assert granting.names == ["oauth", "send", "oauth", "send"]


@pytest.mark.parametrize("name", ["CLIENT_ID", "CLIENT_SECRET", "TOKEN_URL"])
def test_other_client_credentials_get_another_grant(granting, settings, name):
    send()
    value = f"{granting.token_url}?other" if name == "TOKEN_URL" else "other"
    setattr(settings, f"PIGGY_VERIFY_{name}", value)

    send()

    assert granting.names == ["oauth", "send", "oauth", "send"]


def test_many_threads_fetch_one_grant(granting):
    in_threads(8, send)

    assert granting.names.count("oauth") == 1
    assert granting.names.count("send") == 8


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("send", send),
        ("verify", lambda: PiggyProvider().check_code(send(), Secret("1"))),
    ],
)
def test_a_refused_grant_is_dropped_but_send_and_check_are_not_repeated(
    granting, name, call
):
    granting.answers[name] = reply({"error": "invalid_token"}, 401)

    error = error_of(call)

    assert (type(error), error.status) == (ProviderRefused, 401)
    assert granting.names.count(name) == 1
    error_of(send) if name == "send" else send()
    assert granting.names.count("oauth") == 2


def test_a_fetch_is_repeated_once_with_a_new_grant(granting):
    granting.answers["oauth"] = in_turn(
        reply({"access_token": "old", "expires_in": 3600}),
        reply({"access_token": "new", "expires_in": 3600}),
    )
    granting.answers["auth-token"] = in_turn(reply({}, 401), reply({"data": TOKEN}))

    assert fetch() == TOKEN
    assert granting.names == ["oauth", "auth-token", "oauth", "auth-token"]
    assert bearers(granting, "auth-token") == ["old", "new"]


def in_turn(*answers):
    remaining = list(answers)

    def answer(peer):
        remaining.pop(0)(peer)

    return answer


def test_a_fetch_is_not_repeated_twice(granting):
    granting.answers["auth-token"] = reply({}, 401)

    error = error_of(fetch)

    assert (type(error), error.status) == (ProviderRefused, 401)
    assert granting.names == ["oauth", "auth-token"] * 2


def test_refused_grants_are_not_requested_again_and_again(granting, monkeypatch):
    granting.answers["auth-token"] = reply({}, 401)

    for _ in range(5):
        error_of(fetch)
    assert granting.names.count("oauth") == 2
    assert granting.names.count("auth-token") == 2 + 4

    later = time.monotonic() + credentials.PAUSE
    monkeypatch.setattr(credentials, "monotonic", lambda: later)
    error_of(fetch)
    assert granting.names.count("oauth") == 3


def test_a_refused_caller_does_not_wait_for_a_new_grant(granting):
    send()

    with credentials._lock:
        credentials.forget(Secret(GRANT), timeout=0.01)
    send()

    assert granting.names == ["oauth", "send", "send"]


FORKING_WHILE_A_GRANT_IS_FETCHED = """
import os
from django_piggy_verify.providers import credentials
with credentials._lock:
    child = os.fork()
    if not child:
        os._exit(0 if credentials._lock.acquire(blocking=False) else 1)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_child_process_does_not_wait_for_a_thread_of_its_parent():
    script = [sys.executable, "-c", FORKING_WHILE_A_GRANT_IS_FETCHED]

    subprocess.run(script, check=True, timeout=20)


def test_a_refused_key_is_not_tried_again(upstream):
    upstream.answers["auth-token"] = reply({}, 401)

    assert type(error_of(fetch)) is ProviderRefused
    assert upstream.names == ["auth-token"]


def test_a_grant_that_another_thread_renewed_is_kept(granting):
    send()

    credentials.forget(Secret("an older one"), timeout=1)
    send()

    assert granting.names == ["oauth", "send", "send"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_client_credentials_do_not_depend_on_the_contact(granting, status):
    granting.answers["oauth"] = reply({"error": "invalid_client"}, status)

    error = error_of(send)

    assert (type(error), error.status) == (ProviderRefused, status)
    assert str(error) == "the client credentials are refused"
    assert not error.may_depend_on_contact
    assert granting.names == ["oauth"]


UNREADABLE = {
    "html": reply(b"<h1>"),
    "empty": reply(b""),
    "null": reply(None),
    "list": reply([GRANT]),
    "no-token": reply({"expires_in": 3600}),
    "no-lifetime": reply({"access_token": GRANT}),
    "token-null": reply({"access_token": None, "expires_in": 3600}),
    "token-blank": reply({"access_token": "", "expires_in": 3600}),
    "token-list": reply({"access_token": [GRANT], "expires_in": 3600}),
    "lifetime-text": reply({"access_token": GRANT, "expires_in": "3600"}),
    "lifetime-null": reply({"access_token": GRANT, "expires_in": None}),
    "lifetime-huge": reply({"access_token": GRANT, "expires_in": 10**400}),
    "lifetime-below": reply({"access_token": GRANT, "expires_in": -(10**400)}),
    "redirect": reply({"access_token": GRANT, "expires_in": 1}, 302, Location="/x"),
    "500": reply({"access_token": GRANT, "expires_in": 3600}, 500),
    "429": reply(b"", 429),
    "503": reply(b"", 503),
    "reset": Peer.reset,
    "garbage": lambda peer: peer.write(b"garbage\r\n\r\n"),
    "truncated": lambda peer: (peer.write(head("Content-Length: 9")), peer.close()),
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
def test_a_broken_token_endpoint_does_not_depend_on_the_contact(granting, answer):
    granting.answers["oauth"] = answer

    error = error_of(send)

    assert type(error) is ProviderUnavailable
    assert not error.may_depend_on_contact
    assert str(error).startswith("the token endpoint: ")
    assert granting.names == ["oauth"]


def test_a_token_endpoint_that_is_down_does_not_depend_on_the_contact(granting):
    granting.go_down()

    error = error_of(send)

    assert "Connection refused" in str(error)
    assert not error.may_depend_on_contact


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "\u00e4", " ", "a\x00"])
def test_a_grant_that_fits_into_no_header_is_refused(granting, token):
    granting.answers["oauth"] = reply({"access_token": token, "expires_in": 3600})

    assert type(error_of(send)) is ProviderRefused
    assert granting.names == ["oauth"]


def test_client_credentials_are_not_sent_over_plain_http(granting, settings):
    settings.DEBUG = False
    settings.PIGGY_VERIFY_BASE_URL = "https://127.0.0.1:1"

    assert str(error_of(send)) == "the configured address is not https"
    assert granting.connections == 0


def seconds_of(function):
    started = time.monotonic()
    error_of(function)
    return time.monotonic() - started


@pytest.mark.parametrize("call", [send, fetch])
def test_the_grant_and_the_call_share_one_deadline(granting, settings, call):
    settings.PIGGY_VERIFY_TIMEOUT = 0.6
    grant = reply({"access_token": GRANT, "expires_in": 3600})
    granting.answers["oauth"] = lambda peer: (
        granting.closing.wait(0.5),
        grant(peer),
    )
    granting.answers["send"] = granting.answers["auth-token"] = Peer.keep_silent

    assert seconds_of(call) < 1.0


def test_threads_wait_for_a_silent_token_endpoint_no_longer_than_one(
    granting, settings
):
    settings.PIGGY_VERIFY_TIMEOUT = TIMEOUT
    granting.answers["oauth"] = Peer.keep_silent
    waited = []

    in_threads(20, lambda: waited.append(seconds_of(send)))

    assert max(waited) < TIMEOUT + SLACK


def test_a_thread_that_waited_in_vain_raises(granting, settings):
    settings.PIGGY_VERIFY_TIMEOUT = 0.05
    with credentials._lock:
        error = error_of(send)

    assert "another thread" in str(error)
    assert not error.may_depend_on_contact


LAYERS = {
    "refused": {"oauth": reply({}, 401)},
    "unreadable": {"oauth": reply({"access_token": GRANT})},
    "unfit": {"oauth": reply({"access_token": f"{GRANT}\n", "expires_in": 1})},
    "reset": {"oauth": Peer.reset},
    "401": {"auth-token": reply(b"", 401)},
    "500": {"auth-token": reply(b"", 500)},
}


@pytest.mark.parametrize("answers", LAYERS.values(), ids=LAYERS)
def test_the_debug_page_of_a_failure_shows_no_secret(granting, answers):
    granting.answers |= answers

    assert secrets_in(debug_page(fetch)) == []


def test_a_grant_does_not_show_itself(granting):
    send()

    assert secrets_in(repr(credentials._grant)) == []
