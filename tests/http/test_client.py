import gzip
import json
import os
import tracemalloc
import zlib

import pytest
from requests import Session

from django_piggy_verify.exceptions import ProviderRefused, ProviderUnavailable
from django_piggy_verify.http import client, connections
from django_piggy_verify.secret import Secret
from tests.http.hostile import (
    CODE,
    KEY,
    MEGABYTE,
    Hostile,
    debug_page,
    head,
    reply,
    secrets_in,
    self_signed,
    serving,
    tunnel_to,
)

CHUNKED = head("Transfer-Encoding: chunked")


@pytest.fixture
def upstream(settings):
    with serving(settings) as server:
        yield server


@pytest.fixture
def elsewhere():
    """Another host, which must not receive any request."""
    with Hostile() as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(settings, certificate):
    with serving(settings, context=certificate[0]) as server:
        yield server


def call(server, path="/", **options):
    return client.call("GET", server.url + path, **{"timeout": 5, **options})


def failure(server, **options):
    with pytest.raises(ProviderUnavailable) as caught:
        call(server, **options)
    return str(caught.value)


def test_an_answer_has_the_status_and_the_json(upstream):
    upstream.answers["root"] = reply({"data": {"a": [1, "\u20ac"]}}, status=418)

    answer = call(upstream)

    assert answer == client.Answer(status=418, body={"data": {"a": [1, "\u20ac"]}})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<h1>Welcome</h1>",
        b'{"data": {"uuid": "a", "uuid": "b"}}',
        b'{"data": NaN}',
        b'{"data": -Infinity}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b'{"data": "\xff"}',
        b'{"data": 1}{"data": 2}',
        b"\x00",
    ],
    ids=[
        "empty",
        "html",
        "duplicate",
        "nan",
        "infinity",
        "deep-list",
        "deep-object",
        "long-number",
        "no-utf8",
        "two-values",
        "nul",
    ],
)
def test_a_response_that_is_no_json_has_no_body(upstream, body):
    upstream.answers["root"] = reply(body)

    assert call(upstream) == client.Answer(status=200, body=None)


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_a_small_compressed_answer_is_read(upstream, encoding, encode):
    body = encode(json.dumps({"data": 1}).encode())
    upstream.answers["root"] = reply(body, Content_Encoding=encoding)

    answer = call(upstream)

    assert answer.body == {"data": 1}
    assert upstream.requests[0].headers["accept-encoding"] == "identity"


def test_a_chunked_answer_is_read(upstream):
    upstream.answers["root"] = lambda peer: peer.write(
        CHUNKED + b'4\r\n{"a"\r\n3\r\n: 1\r\n1\r\n}\r\n0\r\n\r\n'
    )

    assert call(upstream).body == {"a": 1}


def test_a_body_of_one_mebibyte_is_read(upstream):
    text = "x" * (client.MAX_BODY - 2)
    upstream.answers["root"] = reply(text)

    assert call(upstream).body == text


def test_a_body_of_a_mebibyte_and_a_byte_is_refused(upstream):
    upstream.answers["root"] = reply("x" * (client.MAX_BODY - 1))

    assert failure(upstream) == "_TooLarge"


def stuffed(start, data):
    def answer(peer):
        peer.write(start)
        peer.flood(data)

    return answer


ZEROS = b"0" * 50 * MEGABYTE
BOMB = gzip.compress(ZEROS, compresslevel=1)
BOMBS = {
    "content-length": (stuffed(head("Content-Length: 52428800"), b"x"), "_TooLarge"),
    "no-length": (stuffed(head(), b"x"), "_TooLarge"),
    "small-chunks": (stuffed(CHUNKED, b"40\r\n" + b"x" * 64 + b"\r\n"), "_TooLarge"),
    "one-chunk": (stuffed(CHUNKED + b"3200000\r\n", b"x"), "_TooLarge"),
    "negative-chunk": (
        stuffed(CHUNKED + b"-1\r\n", b"x"),
        "OSError: the answer is too",
    ),
    "more-negative": (stuffed(CHUNKED + b"-5\r\n", b"x"), "ValueError"),
    "chunk-line": (stuffed(CHUNKED, b"1"), ""),
    "trailers": (stuffed(CHUNKED + b"0\r\n", b"A: b" * 9 + b"\r\n"), "too long"),
    "headers": (stuffed(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), "HTTPException"),
    "header-line": (stuffed(b"HTTP/1.1 200 OK\r\nA: ", b"b"), "LineTooLong"),
    "status-line": (stuffed(b"HTTP/1.1 200 ", b"O"), "LineTooLong"),
    "interim": (
        stuffed(b"", b"HTTP/1.1 100 Continue\r\nA: " + b"b" * 9000 + b"\r\n\r\n"),
        "OSError: the answer is too long",
    ),
    "gzip": (reply(BOMB, Content_Encoding="gzip"), "_TooLarge"),
    "gzip-twice": (
        reply(gzip.compress(BOMB), Content_Encoding="gzip, gzip"),
        "_TooLarge",
    ),
    "deflate": (
        reply(zlib.compress(ZEROS, 1), Content_Encoding="deflate"),
        "_TooLarge",
    ),
    "encodings": (
        reply(gzip.compress(b"{}"), Content_Encoding=", ".join(["gzip"] * 20)),
        "DecodeError",
    ),
}


@pytest.mark.parametrize(("answer", "cause"), BOMBS.values(), ids=BOMBS)
def test_an_endless_answer_is_not_kept_in_memory(upstream, answer, cause):
    upstream.answers["root"] = answer
    tracemalloc.start()

    said = failure(upstream)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cause in said
    assert peak < 4 * MEGABYTE


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", "RemoteDisconnected"),
        (b"\x16\x03\x01 garbage\r\n\r\n", "BadStatusLine"),
        (b'{"data": {"uuid": "a"}}', "BadStatusLine"),
        (b"HTTP/1.1 20x OK\r\n\r\n", "ValueError"),
        (head("Content-Length: 20") + b'{"data": 1}', "IncompleteRead"),
        (CHUNKED + b'20\r\n{"data": 1}', "IncompleteRead"),
        (CHUNKED + b'5\r\n{"da"\r\n', ""),
        (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", ""),
        (head("Content-Length: 2", "Content-Length: 3") + b"{}", "InvalidHeader"),
        (head("Content-Encoding: gzip") + b"no gzip", "error"),
    ],
    ids=[
        "nothing",
        "garbage",
        "body-only",
        "status",
        "truncated",
        "truncated-chunk",
        "chunk-missing",
        "chunk-size",
        "two-lengths",
        "no-gzip",
    ],
)
def test_a_broken_answer_is_an_outage_with_its_cause(upstream, raw, cause):
    upstream.answers["root"] = lambda peer: peer.write(raw)

    assert cause in failure(upstream)


def test_a_reset_instead_of_an_answer_is_an_outage(upstream):
    upstream.answers["root"] = lambda peer: peer.reset()

    assert "Connection reset by peer" in failure(upstream)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unanswered_request_is_not_repeated(upstream, method):
    upstream.answers["root"] = lambda peer: peer.reset()

    with pytest.raises(ProviderUnavailable) as caught:
        client.call(method, upstream.url, timeout=5)

    assert caught.value.may_depend_on_contact
    assert len(upstream.requests) == 1


def test_a_refused_connection_does_not_depend_on_the_contact(upstream):
    upstream.go_down()

    with pytest.raises(ProviderUnavailable, match="refused") as caught:
        call(upstream)

    assert not caught.value.may_depend_on_contact


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(upstream, elsewhere, status):
    upstream.answers["root"] = reply({}, status, Location=f"{elsewhere.url}/new")

    answer = call(upstream, bearer=Secret(KEY))

    assert answer == client.Answer(status=status, body={})
    assert elsewhere.connections == 0
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_body_of_a_redirect_is_not_read_to_its_end(upstream, elsewhere, status):
    start = head(f"Location: {elsewhere.url}", "Content-Length: 99", status=status)
    upstream.answers["root"] = stuffed(start.replace(b"99", b"52428800"), b"x")
    tracemalloc.start()

    assert failure(upstream) == "_TooLarge"

    assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTE
    tracemalloc.stop()
    assert elsewhere.connections == 0


def test_cookies_are_never_sent_back(upstream):
    upstream.answers["root"] = reply({}, Set_Cookie="id=1; Path=/; Max-Age=9999")

    for _ in range(2):
        call(upstream)

    assert "cookie" not in upstream.requests[1].headers
    assert not connections.session().cookies


@pytest.mark.parametrize(
    "name", ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
)
def test_a_proxy_in_the_environment_is_ignored(upstream, elsewhere, monkeypatch, name):
    monkeypatch.setenv(name, elsewhere.url)
    monkeypatch.delenv("NO_PROXY", raising=False)

    call(upstream, bearer=Secret(KEY))

    assert elsewhere.connections == 0
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_netrc_file_is_ignored(upstream, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login intruder password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    call(upstream, bearer=Secret(KEY))

    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "name", [None, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]
)
def test_an_untrusted_certificate_is_refused_whatever_the_environment_says(
    tls, certificate, monkeypatch, name
):
    if name:
        monkeypatch.setenv(name, certificate[1])

    with pytest.raises(
        ProviderUnavailable, match="CERTIFICATE_VERIFY_FAILED"
    ) as caught:
        call(tls, bearer=Secret(KEY))

    assert not caught.value.may_depend_on_contact
    assert tls.requests == []


def test_the_setting_trusts_a_private_certificate(tls, certificate, settings):
    settings.PIGGY_VERIFY_CA_BUNDLE = certificate[1]

    assert call(tls).body == {"data": "root"}


def test_a_certificate_for_another_host_is_refused(tls, certificate, settings):
    settings.PIGGY_VERIFY_CA_BUNDLE = certificate[1]

    with pytest.raises(ProviderUnavailable, match=r"(?i)hostname"):
        client.call("GET", f"https://localhost:{tls.port}/", timeout=5)

    assert tls.requests == []


def test_a_missing_ca_file_is_an_outage_for_everybody(tls, settings):
    settings.PIGGY_VERIFY_CA_BUNDLE = os.devnull + "/none"

    with pytest.raises(ProviderUnavailable) as caught:
        call(tls)

    assert not caught.value.may_depend_on_contact


def test_the_configured_proxy_is_used(upstream, settings):
    settings.PIGGY_VERIFY_PROXY = upstream.url

    answer = client.call("GET", "http://piggy.invalid/", timeout=5)

    assert answer.body == {"data": "root"}
    assert upstream.requests[0].target == "http://piggy.invalid/"


def test_a_proxy_carries_tls_and_never_sees_the_bearer(
    tls, elsewhere, certificate, settings
):
    settings.PIGGY_VERIFY_CA_BUNDLE = certificate[1]
    settings.PIGGY_VERIFY_PROXY = elsewhere.url
    elsewhere.answers["connect"] = tunnel_to(tls.port)

    call(tls, bearer=Secret(KEY))
    connections.session().close()

    assert elsewhere.names == ["connect"]
    assert "authorization" not in elsewhere.requests[0].headers
    assert tls.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"", status=502),
        reply(b"", status=407),
        lambda peer: peer.reset(),
        lambda peer: peer.write(b"garbage\r\n\r\n"),
        lambda peer: peer.keep_silent(),
    ],
    ids=["502", "407", "reset", "garbage", "silence"],
)
def test_a_proxy_that_does_not_connect_does_not_depend_on_the_contact(
    tls, elsewhere, settings, answer
):
    settings.PIGGY_VERIFY_PROXY = elsewhere.url
    elsewhere.answers["connect"] = answer

    with pytest.raises(ProviderUnavailable) as caught:
        call(tls, timeout=0.4)

    assert not caught.value.may_depend_on_contact
    assert tls.connections == 0


def test_a_key_fits_into_its_header_unchanged(upstream):
    key = Secret("a~!#$%&'()*+,-./:;<=>?@[]^_`{|}\"\\ b==")

    call(upstream, bearer=key)

    assert upstream.requests[0].headers["authorization"] == f"Bearer {key}"


def test_without_a_bearer_there_is_no_authorization(upstream):
    call(upstream)

    assert "authorization" not in upstream.requests[0].headers


def test_further_headers_are_sent_as_they_are(upstream):
    further = {"X-Device": "a1 b2", "client-type": "online", "x_address": "::1"}
    call(upstream, headers=further)

    sent = upstream.requests[0].headers
    assert {name: sent[name.lower()] for name in further} == further


@pytest.mark.parametrize(
    "name", ["Accept", "ACCEPT", "user-agent", "accept-encoding", "content-type"]
)
def test_a_further_header_replaces_ours_and_is_sent_once(upstream, name):
    call(upstream, headers={name: "theirs"}, json={})

    assert upstream.requests[0].headers[name.lower()] == "theirs"


@pytest.mark.parametrize("name", ["Accept-Encoding", "accept-encoding"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_none_leaves_the_accept_encoding_out(upstream, name, method):
    client.call(method, upstream.url, timeout=5, headers={name: None}, json={})

    sent = upstream.requests[0].headers
    assert set(sent) == {
        "host",
        "user-agent",
        "accept",
        "content-type",
        "content-length",
    }


NEVER_SENT = {
    "bearer": ("Authorization", "Bearer theirs"),
    "bearer in capitals": ("AUTHORIZATION", "Bearer theirs"),
    "host": ("hOST", "elsewhere.example"),
    "length": ("content-length", "1"),
    "chunks": ("Transfer-Encoding", "chunked"),
    "space in name": ("Host ", "elsewhere.example"),
    "colon in name": ("X:", "a"),
    "line in name": ("X\r\nY", "a"),
    "no name": ("", "a"),
    "line feed": ("X", "a\nHost: b"),
    "carriage return": ("X", "a\rb"),
    "both": ("X", "a\r\nHost: b"),
    "line at the end": ("X", "a\n"),
    "tab": ("X", "a\tb"),
    "nul": ("X", "a\0"),
    "letter": ("X", "\u00e4"),
    "line of Unicode": ("X", "a\u2028b"),
    "space before": ("X", " a"),
    "space after": ("X", "a "),
    "nothing": ("X", None),
    "no agent": ("User-Agent", None),
    "no host": ("Host", None),
}


@pytest.mark.parametrize(("name", "value"), NEVER_SENT.values(), ids=NEVER_SENT)
def test_a_header_that_could_change_the_request_is_refused(upstream, name, value):
    with pytest.raises(ProviderRefused) as caught:
        call(upstream, bearer=Secret(KEY), headers={name: value})

    assert str(caught.value) == f"the header {name!r} must not be sent"
    assert not caught.value.may_depend_on_contact
    assert upstream.connections == 0


def test_json_is_sent_without_white_space(upstream):
    content = {"a": [1, "b c"], "d": {"e": "\u20ac"}}
    call(upstream, json=content)

    assert upstream.requests[0].body == rb'{"a":[1,"b c"],"d":{"e":"\u20ac"}}'
    assert client.json_body(content) == upstream.requests[0].body


def test_a_get_may_have_a_body_and_leaves_the_connection_usable(upstream):
    upstream.keeps_alive = True

    for body in ({"a": 1}, None, {"b": 2}):
        call(upstream, json=body)

    assert [each.body for each in upstream.requests] == [b'{"a":1}', b"", b'{"b":2}']
    assert {each.method for each in upstream.requests} == {"GET"}
    assert upstream.connections == 1


BREAKABLE = {
    "connect": (connections._Punctual, "connect"),
    "header": (connections._Punctual, "putheader"),
    "send": (connections._Punctual, "send"),
    "answer": (connections._Punctual, "getresponse"),
    "read": (connections._UntilDeadline, "readinto"),
    "session": (Session, "send"),
}


@pytest.mark.parametrize(("owner", "name"), BREAKABLE.values(), ids=BREAKABLE)
def test_an_error_of_a_library_is_an_outage_without_secrets(
    upstream, monkeypatch, owner, name
):
    def fail(*_args, **_kwargs):
        raise ArithmeticError

    monkeypatch.setattr(owner, name, fail)
    page = debug_page(_call_with_key, upstream)

    assert "ArithmeticError" in page
    assert secrets_in(page) == []


@pytest.mark.parametrize("name", ["answer", "read", "session"])
def test_a_worker_that_is_stopped_during_a_call_shows_no_secret(
    upstream, monkeypatch, name
):
    def stop(*_args, **_kwargs):
        raise SystemExit

    monkeypatch.setattr(*BREAKABLE[name], stop)
    page = debug_page(_call_with_key, upstream)

    assert "SystemExit" in page
    assert secrets_in(page) == []


def _call_with_key(server):
    client.call(
        "POST",
        server.url,
        bearer=Secret(KEY),
        timeout=5,
        json={"code": Secret(CODE)},
    )


def test_a_call_without_time_left_is_an_outage(upstream):
    upstream.answers["root"] = lambda peer: peer.keep_silent()

    with pytest.raises(ProviderUnavailable, match="Timeout"):
        call(upstream, timeout=-1)
