import json
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import (
    HealthCheck,
    example,
    given,
    settings as hypothesis_settings,
    strategies as st,
)

from django_piggy_verify.exceptions import (
    CodeRejected,
    ContactUnknown,
    PiggyVerifyError,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.http.client import Answer
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import (
    Challenge,
    ContactProvider,
    Identity,
    PortalProvider,
    TokenProvider,
)
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.secret import Secret
from tests.http.hostile import (
    ANSWERS,
    ANYTHING,
    BASE_PATH,
    CODE,
    CONTACT,
    HEADERS,
    KEY,
    PORTAL_URL,
    TOKEN,
    UID,
    Peer,
    assert_is_plain_post,
    debug_page,
    head,
    reply,
    secrets_in,
    serving,
)

ADDRESS = "ann@example.com"
TYPED = Secret(CODE)
PATH = f"{BASE_PATH}/contact-verification"
PORTAL_PATH = f"{BASE_PATH}/contacts-portal/auth-url"
CONTACTS = f"{BASE_PATH}/contacts"
PROVIDER = PiggyProvider()

thorough = hypothesis_settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def upstream(settings):
    with serving(settings) as server:
        server.keeps_alive = True
        yield server


def send(recipient=ADDRESS):
    return PROVIDER.send_code(Challenge(recipient=recipient))


def check(code=TYPED, recipient=ADDRESS):
    return PROVIDER.check_code(Challenge(recipient=recipient), code)


def fetch(uid=UID):
    return PROVIDER.fetch_auth_token(uid)


def open_portal(uid=UID):
    return PROVIDER.fetch_portal_url(uid)


def fetch_contact(uid=UID):
    return PROVIDER.fetch_contact(uid)


VERBS: dict[str, Callable[..., object]] = {
    "send": send,
    "verify": check,
    "auth-token": fetch,
    "portal": open_portal,
    "contact": fetch_contact,
}
EACH_VERB = pytest.mark.parametrize("name", VERBS)


def error_of(name):
    with pytest.raises((ProviderError, ContactUnknown, CodeRejected)) as caught:
        VERBS[name]()
    return caught.value


def test_piggy_is_the_default_provider():
    assert isinstance(get_provider(), PiggyProvider)
    assert isinstance(get_provider(), TokenProvider)
    assert isinstance(get_provider(), PortalProvider)
    assert isinstance(get_provider(), ContactProvider)
    assert get_provider().name == "piggy"


def test_the_options_name_another_account(settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"name": "second-shop"}

    assert get_provider().name == "second-shop"


def test_a_login_makes_three_requests(upstream):
    assert send() == Challenge(recipient=ADDRESS)
    assert check() == Identity(provider="piggy", uid=UID, email=ADDRESS)
    assert fetch() == TOKEN

    assert [(each.method, each.target) for each in upstream.requests] == [
        ("POST", f"{PATH}/send"),
        ("POST", f"{PATH}/verify"),
        ("GET", f"{PATH}/auth-token/{UID}"),
    ]


def test_the_portal_is_asked_for_with_the_contact_in_the_query(upstream):
    assert open_portal() == PORTAL_URL

    request = upstream.requests[-1]
    query = f"contact_uuid={UID}"
    assert (request.method, request.target) == ("GET", f"{PORTAL_PATH}?{query}")
    assert request.body == b""


def test_a_contact_is_asked_for_with_the_key_and_the_contact_in_the_path(upstream):
    assert fetch_contact() == CONTACT

    request = upstream.requests[-1]
    assert (request.method, request.target) == ("GET", f"{CONTACTS}/{UID}")
    assert request.body == b""
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_slash_after_the_base_address_makes_no_difference(upstream, settings):
    settings.PIGGY_VERIFY_BASE_URL += "/"

    send()

    assert upstream.requests[0].target == f"{PATH}/send"


@thorough
@given(recipient=ANYTHING)
@example(recipient='a", "code": "1')
@example(recipient="\ud800")
@example(recipient="x" * 100_000)
def test_a_recipient_is_one_string_in_the_body(upstream, recipient):
    send(recipient)

    assert_is_plain_post(upstream.requests[-1], f"{PATH}/send", [("email", recipient)])


@thorough
@given(recipient=ANYTHING, code=ANYTHING)
@example(recipient="a@b.example", code='1", "email": "b@b.example')
def test_a_code_is_one_string_in_the_body(upstream, recipient, code):
    check(code, recipient)

    members = [("code", code), ("email", recipient)]
    assert_is_plain_post(upstream.requests[-1], f"{PATH}/verify", members)


@thorough
@given(uid=ANYTHING | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", fullmatch=True))
@example(uid="..")
@example(uid=".")
@example(uid="")
@example(uid="a/../../b")
@example(uid="%2e%2e")
@example(uid="a%2fb")
@example(uid="a?b#c")
@example(uid="\ud800")
@example(uid="x" * 500)
@pytest.mark.parametrize(
    ("call", "path"), [(fetch, f"{PATH}/auth-token"), (fetch_contact, CONTACTS)]
)
def test_a_uid_is_one_segment_of_the_path_or_is_not_sent(upstream, call, path, uid):
    before = len(upstream.requests)
    try:
        call(uid)
    except ContactUnknown:
        assert len(upstream.requests) == before
        return

    request = upstream.requests[-1]
    assert (request.method, request.target) == ("GET", f"{path}/{uid}")
    assert request.body == b""
    assert request.headers.keys() == {"host", *HEADERS}


@pytest.mark.parametrize(
    "uid", ["", "..", "a/b", "a&b=c", "a#b", "a b", "%26", "x" * 65, "...", "a\n"]
)
def test_a_uid_that_would_change_the_query_is_not_sent(upstream, uid):
    with pytest.raises(ContactUnknown):
        open_portal(uid)

    assert upstream.requests == []


@pytest.mark.parametrize(
    "uid", ["123", UID, "a", "Z" * 64, "a_b.c~9", "-a", "_", "~", ".a", "a..b", "-."]
)
def test_a_uid_need_not_be_a_uuid(upstream, uid):
    upstream.answers["verify"] = reply({"data": {"uuid": uid, "more": 1}})

    assert check().uid == uid
    assert fetch(uid) == TOKEN
    assert open_portal(uid) == PORTAL_URL
    assert fetch_contact(uid) == CONTACT


BAD_UIDS = {
    "none": None,
    "number": 12,
    "true": True,
    "list": [UID],
    "object": {"uuid": UID},
    "empty": "",
    "blank": " ",
    "long": "a" * 500,
    "slash": "a/b",
    "dot": ".",
    "dots": "..",
    "climbing": "../../x",
    "query": "a?b",
    "fragment": "a#b",
    "percent": "a%2fb",
    "space": "a b",
    "line": f"{UID}\n",
    "crlf": "a\r\nX: y",
    "nul": "a\x00",
    "non-ascii": "\u00e4bc",
    "full-width": "\uff11\uff12",
    "surrogate": "\ud800",
    "only-dots": "..." * 21,
    "plus": "a+b",
    "semicolon": "a;b",
    "at": "a@b",
    "wide-underscore": "a\uff3fb",
}


@pytest.mark.parametrize("uid", BAD_UIDS.values(), ids=BAD_UIDS)
def test_an_invalid_uid_is_an_outage(upstream, uid):
    upstream.answers["verify"] = reply({"data": {"uuid": uid}})

    with pytest.raises(ProviderUnavailable, match="it has no valid uuid"):
        check()


NO_DATA = {
    "html": b"<h1>Welcome</h1>",
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "filled-list": b'[{"data": {"uuid": "a"}}]',
    "no-data": b'{"meta": []}',
    "data-null": b'{"data": null}',
    "data-true": b'{"data": true}',
    "data-list": b'{"data": []}',
    "data-number": b'{"data": 1}',
    "duplicate": b'{"data": {"uuid": "a"}, "data": {"uuid": "b"}}',
    "nan": b'{"data": {"uuid": "a", "auth_token": "t", "n": NaN}}',
    "nesting": b'{"data": ' + b"[" * 100_000,
}


@EACH_VERB
@pytest.mark.parametrize("body", NO_DATA.values(), ids=NO_DATA)
def test_a_success_that_cannot_be_read_is_an_outage(upstream, name, body):
    upstream.answers[name] = reply(body)

    error = error_of(name)

    assert isinstance(error, ProviderUnavailable)
    assert str(error).startswith("the answer cannot be read: ")
    assert error.may_depend_on_contact


@pytest.mark.parametrize("data", [{"auth_token": TOKEN}, TOKEN], ids=["nested", "bare"])
def test_a_token_is_taken_nested_or_bare(upstream, data):
    upstream.answers["auth-token"] = reply({"data": data, "meta": {}})

    assert fetch() == TOKEN
    assert TOKEN not in repr(fetch())


@pytest.mark.parametrize(
    "token",
    ["", " ", "a b", "a\nb", "a\x00", "\ud800", "\u00e4", "x" * 8193, 12, None, ["a"]],
    ids=repr,
)
def test_an_invalid_token_is_an_outage(upstream, token):
    upstream.answers["auth-token"] = reply({"data": {"auth_token": token}})

    with pytest.raises(ProviderUnavailable, match="it has no auth token"):
        fetch()


HOME = "https://portal.example"
GOOD_URLS = [HOME, f"{HOME}/", f"{HOME}:8443/a?b=c&d#e", f"{HOME}?token=12|ab+/=%2F"]
GOOD_URLS += [
    "http://localhost:8000/",
    f"{HOME}/?to=https://b@c",
    "https://10.0.0.1/",
    "https://[::1]:8000/",
]


@pytest.mark.parametrize("url", GOOD_URLS)
def test_a_link_to_the_portal_is_not_changed(upstream, url):
    upstream.answers["portal"] = reply({"data": {"url": url}})

    assert open_portal() == url
    assert url not in repr(open_portal())


BAD_URLS = {
    "none": None,
    "number": 12,
    "empty": "",
    "list": [HOME],
    "relative": "/home?token=a",
    "without scheme": "//portal.example/",
    "ftp": "ftp://portal.example/",
    "script": "javascript:alert(1)//https://portal.example/",
    "data": "data:text/html,https://portal.example/",
    "capitals": "HTTPS://portal.example/",
    "without host": "https:///home",
    "without slashes": "https:portal.example/",
    "port only": "https://:443/",
    "no port": "https://portal.example:/",
    "port of letters": "https://portal.example:a/",
    "long port": "https://portal.example:123456/",
    "user": "https://ann@portal.example/",
    "password": "https://ann:secret@portal.example/",
    "percent": "https://portal%2eexample/",
    "backslash": "https://portal.example\\@evil.example/",
    "backslash in path": "https://portal.example/\\evil.example",
    "blank before": f" {HOME}",
    "blank within": f"{HOME}/a b",
    "line after": f"{HOME}\n",
    "line within": f"{HOME}/\r\nSet-Cookie: a=b",
    "tab": "https://portal.\texample/",
    "nul": f"{HOME}/\0",
    "delete": f"{HOME}/\x7f",
    "letters": "https://p\u00f6rtal.example/",
    "surrogate": f"{HOME}/\ud800",
    "long": f"{HOME}/{'a' * 4000}",
}


@pytest.mark.parametrize("url", BAD_URLS.values(), ids=BAD_URLS)
def test_an_unsafe_portal_link_is_an_outage(upstream, url):
    upstream.answers["portal"] = reply({"data": {"url": url}})

    with pytest.raises(ProviderUnavailable, match="it has no link to the portal"):
        open_portal()


def test_a_portal_link_without_tls_needs_debug(settings, monkeypatch):
    answer = Answer(status=200, body={"data": {"url": "http://localhost/"}})
    monkeypatch.setattr(PROVIDER, "_call", lambda *_, **__: answer)
    settings.DEBUG = False

    with pytest.raises(ProviderUnavailable, match="it has no link to the portal"):
        open_portal()


UNAVAILABLE, REFUSED = ProviderUnavailable, ProviderRefused
ERRORS = {
    # code: error of verify, error of the other calls, may_depend_on_contact
    1003: (CodeRejected, REFUSED, True),
    13010: (CodeRejected, REFUSED, True),
    55031: (CodeRejected, ContactUnknown, None),
    55032: (REFUSED, REFUSED, False),
    1053: (REFUSED, REFUSED, False),
    3000: (REFUSED, REFUSED, False),
    7002: (REFUSED, REFUSED, False),
    7011: (REFUSED, REFUSED, False),
    99999: (UNAVAILABLE, UNAVAILABLE, True),
}


@EACH_VERB
@pytest.mark.parametrize("code", ERRORS)
def test_the_error_code_decides_the_exception(upstream, name, code):
    text = f"Oeps {ADDRESS}"
    body = {"message": text, "code": code, "errors": {"a": [text]}}
    upstream.answers[name] = reply(body, 400)
    judged, failed, depends = ERRORS[code]

    error = error_of(name)

    assert type(error) is (judged if name == "verify" else failed)
    assert "Oeps" not in str(error)
    if isinstance(error, ProviderError):
        assert (error.status, error.api_code) == (400, code)
        assert error.may_depend_on_contact == depends


@EACH_VERB
@pytest.mark.parametrize("status", [200, 401, 404, 429, 500, 503])
def test_the_code_goes_before_the_status(upstream, name, status):
    upstream.answers[name] = reply({"code": 55032, "data": {"uuid": UID}}, status)

    error = error_of(name)

    assert type(error) is ProviderRefused
    assert str(error) == "the account has no Contacts Portal"


@pytest.mark.parametrize("code", ["13010", 13010.0, None, [13010], {"code": 13010}])
def test_a_code_that_is_no_number_is_an_outage(upstream, code):
    upstream.answers["verify"] = reply({"code": code}, 400)

    assert type(error_of("verify")) is ProviderUnavailable


STATUSES = {
    400: (UNAVAILABLE, True),
    401: (REFUSED, False),
    403: (REFUSED, False),
    404: (UNAVAILABLE, True),
    418: (UNAVAILABLE, True),
    429: (UNAVAILABLE, False),
    500: (UNAVAILABLE, True),
    502: (UNAVAILABLE, False),
    503: (UNAVAILABLE, False),
    504: (UNAVAILABLE, False),
    301: (UNAVAILABLE, True),
    304: (UNAVAILABLE, True),
    999: (UNAVAILABLE, True),
}


@EACH_VERB
@pytest.mark.parametrize("status", STATUSES)
def test_without_a_code_the_status_decides(upstream, name, status):
    upstream.answers[name] = reply(b"<h1>Oeps</h1>", status)

    error = error_of(name)

    assert (type(error), error.may_depend_on_contact) == STATUSES[status]
    assert error.status == status


@EACH_VERB
@pytest.mark.parametrize("status", [300, 400, 500])
def test_data_in_a_failure_is_ignored(upstream, name, status):
    data = {"uuid": UID, "auth_token": TOKEN, "url": PORTAL_URL}
    upstream.answers[name] = reply({"data": data}, status)

    assert isinstance(error_of(name), ProviderUnavailable)


@pytest.mark.parametrize(
    ("code", "voids"), [(1053, True), (3000, True), (7002, False), (55032, False)]
)
def test_some_refusals_drop_a_cached_token(upstream, code, voids):
    upstream.answers["auth-token"] = reply({"code": code}, 400)

    assert error_of("auth-token").voids_token is voids


def mentions(body, codes):
    text = body.decode("latin-1").replace("\0", "")
    return any(str(code) in text for code in codes)


OPEN_CODES = [code for code, (*_, depends) in ERRORS.items() if depends is False]
VERDICTS = [code for code, (judged, *_) in ERRORS.items() if judged is CodeRejected]


@EACH_VERB
@hypothesis_settings(thorough, max_examples=100)
@given(answer=ANSWERS)
@example(answer=(b'{"data": {"uuid": "a"}}', 200, "text/html"))
@example(answer=(b'{"data": {"auth_token": "a"}}', 299, ""))
def test_any_response_is_a_success_or_an_error_with_a_reason(upstream, name, answer):
    body, status, media_type = answer
    upstream.answers[name] = reply(body, status, Content_Type=media_type)

    try:
        result = VERBS[name]()
    except PiggyVerifyError as raised:
        assert_has_its_reason(raised, name, body, status)
    else:
        assert 200 <= status < 300
        assert_is_what_was_sent(result, name, json.loads(body)["data"])


def assert_has_its_reason(error, name, body, status):
    if isinstance(error, CodeRejected):
        assert name == "verify"
        assert mentions(body, VERDICTS)
    elif isinstance(error, ContactUnknown):
        assert mentions(body, [55031])
    elif not error.may_depend_on_contact:
        assert STATUSES.get(status, ())[1:] == (False,) or mentions(body, OPEN_CODES)


def assert_is_what_was_sent(result, name, data):
    if name == "verify":
        assert result.uid == data["uuid"]
        assert re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", result.uid)
        assert result.uid.strip(".")
    elif name == "auth-token":
        assert result == (data["auth_token"] if isinstance(data, dict) else data)
        assert re.fullmatch(r"[!-~]{1,8192}", result)
    elif name == "portal":
        assert result == data["url"]
        assert result.startswith(("https://", "http://"))
    elif name == "contact":
        assert result == data
        assert type(result) is dict
    else:
        assert result == Challenge(recipient=ADDRESS)


FAILURES = {
    "reset": Peer.reset,
    "close": Peer.close,
    "500": reply(b"", 500),
    "503": reply(b"", 503),
    "401": reply(b"", 401),
    "garbage": reply(b"garbage"),
    "1003": reply({"code": 1003}, 400),
}


@EACH_VERB
@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES)
def test_a_request_that_went_out_is_not_repeated(upstream, name, answer):
    upstream.answers[name] = answer

    error_of(name)

    assert upstream.names == [name]


def test_an_unanswered_fetch_is_not_repeated_beyond_the_time_out(upstream, settings):
    settings.PIGGY_VERIFY_TIMEOUT = 0.2
    upstream.answers["auth-token"] = Peer.keep_silent

    error_of("auth-token")

    assert upstream.names == ["auth-token"]


@pytest.mark.parametrize(
    ("name", "attempts"),
    [("send", 1), ("verify", 1), ("auth-token", 2), ("portal", 2), ("contact", 2)],
)
def test_only_a_fetch_connects_twice(upstream, monkeypatch, name, attempts):
    tried = []

    def fail(*address, **_kwargs):
        tried.append(address)
        raise OSError("no network")

    monkeypatch.setattr("socket.getaddrinfo", fail)
    error_of(name)

    assert len(tried) == attempts


def test_a_fetch_that_connects_at_the_second_try_succeeds(upstream, monkeypatch):
    addresses = [[], [(2, 1, 6, "", ("127.0.0.1", upstream.port))]]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_a, **_k: addresses.pop(0))

    assert fetch() == TOKEN


def test_a_fetch_has_no_second_try_when_the_time_is_over(upstream, settings):
    settings.PIGGY_VERIFY_TIMEOUT = 0.2
    settings.PIGGY_VERIFY_PROXY = upstream.url
    settings.PIGGY_VERIFY_BASE_URL = "https://piggy.invalid"
    upstream.answers["connect"] = Peer.keep_silent

    error = error_of("auth-token")

    assert not error.may_depend_on_contact
    assert upstream.names == ["connect"]


def test_a_second_try_has_the_time_that_the_first_has_left(upstream, monkeypatch):
    timeouts = []

    def fail(*_args, timeout, **_kwargs):
        timeouts.append(timeout)
        time.sleep(0.05)
        raise ProviderUnavailable("no connection", may_depend_on_contact=False)

    monkeypatch.setattr("django_piggy_verify.http.client.call", fail)
    error_of("auth-token")

    first, second = timeouts
    assert second <= first - 0.05


@EACH_VERB
def test_plain_http_is_refused_without_debug(upstream, settings, name):
    settings.DEBUG = False

    error = error_of(name)

    assert type(error) is ProviderRefused
    assert (str(error), error.may_depend_on_contact) == (
        "the configured address is not https",
        False,
    )
    assert upstream.connections == 0


NOT_HTTPS = ["ftp://h/", "file:///etc/passwd", "//h/", "", "h", 5, b"h", "https://["]


@pytest.mark.parametrize("url", NOT_HTTPS, ids=repr)
def test_other_schemes_are_refused_even_with_debug(upstream, settings, url):
    settings.PIGGY_VERIFY_BASE_URL = url

    assert str(error_of("send")) == "the configured address is not https"


LAYERS = {
    "refused": reply({"code": 1053, "message": KEY}, 400),
    "unauthorized": reply(b"", 401),
    "unreadable": reply(json.dumps({"data": []})),
    "500": reply(b"", 500),
    "reset": Peer.reset,
    "truncated": lambda peer: (peer.write(head("Content-Length: 9")), peer.close()),
}


@EACH_VERB
@pytest.mark.parametrize("answer", LAYERS.values(), ids=LAYERS)
def test_the_debug_page_of_a_failure_shows_no_secret(upstream, name, answer):
    upstream.answers[name] = answer

    page = debug_page(VERBS[name])

    assert re.search("in (send|check|fetch|open_portal|fetch_contact)", page)
    assert secrets_in(page) == []


def test_the_debug_page_of_an_invalid_link_does_not_show_the_link(upstream):
    upstream.answers["portal"] = reply({"data": {"url": f"{PORTAL_URL} "}})

    assert secrets_in(debug_page(open_portal)) == []


def test_the_debug_page_of_an_invalid_token_does_not_show_the_token(upstream):
    upstream.answers["auth-token"] = reply({"data": f"{TOKEN} {TOKEN}"})

    assert secrets_in(debug_page(fetch)) == []
