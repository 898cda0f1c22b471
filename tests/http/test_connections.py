import socket
import subprocess
import sys
import threading
import time

import pytest

from django_piggy_verify.exceptions import ProviderUnavailable
from django_piggy_verify.http import client, connections
from tests.http.hostile import Hostile, Peer, head, reply, self_signed, serving

TIMEOUT = 0.25
SLACK = 2  # what a busy machine may add; without a deadline, a call takes longer


@pytest.fixture
def upstream(settings):
    with serving(settings) as server:
        yield server


@pytest.fixture
def kept(upstream):
    """The same server, but it keeps its connections open."""
    upstream.keeps_alive = True
    return upstream


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


def call(server, timeout=5):
    return client.call("GET", server.url + "/", timeout=timeout)


def timed(*args):
    """Return the error of a call and its seconds."""
    started = time.monotonic()
    with pytest.raises(ProviderUnavailable) as caught:
        call(*args)
    return caught.value, time.monotonic() - started


CHUNKED = head("Transfer-Encoding: chunked")
FOREVER = 0.1  # seconds between two bytes: a hundred bytes take ten seconds
SLOW = {
    "silence": Peer.keep_silent,
    "status-line": lambda peer: peer.drip(b"HTTP/1.1 200 " + b"O" * 100, FOREVER),
    "headers": lambda peer: peer.drip(head() + b"A: b\r\n" * 20, FOREVER),
    "interim": lambda peer: peer.drip(head(status=100) * 5, FOREVER),
    "body": lambda peer: (
        peer.write(head("Content-Length: 100")),
        peer.drip(b" " * 100, FOREVER),
    ),
    "no-length": lambda peer: (peer.write(head()), peer.drip(b" " * 100, FOREVER)),
    "chunks": lambda peer: (
        peer.write(CHUNKED),
        peer.drip(b"1\r\n \r\n" * 20, FOREVER),
    ),
    "chunk-line": lambda peer: (peer.write(CHUNKED), peer.drip(b"0" * 100, FOREVER)),
    "trailers": lambda peer: (
        peer.write(CHUNKED + b"0\r\n"),
        peer.drip(b"A: b\r\n" * 20, FOREVER),
    ),
}


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_the_deadline_is_for_the_whole_answer(upstream, answer):
    upstream.answers["root"] = answer

    error, seconds = timed(upstream, TIMEOUT)

    assert "Timeout" in str(error)
    assert error.may_depend_on_contact
    assert seconds < TIMEOUT + SLACK


@pytest.mark.parametrize(
    "act",
    [Peer.keep_silent, lambda peer: peer.drip(b"\x16\x03\x03\x20\x00" * 20, FOREVER)],
    ids=["silence", "drip"],
)
def test_the_deadline_is_for_the_tls_handshake_as_well(settings, certificate, act):
    with serving(settings, context=certificate[0]) as server:
        server.at_accept["send"] = act

        error, seconds = timed(server, TIMEOUT)

    assert "Timeout" in str(error)
    assert not error.may_depend_on_contact
    assert seconds < TIMEOUT + SLACK


def test_the_deadline_holds_over_tls(settings, certificate):
    settings.PIGGY_VERIFY_CA_BUNDLE = certificate[1]
    with serving(settings, context=certificate[0]) as server:
        server.answers["root"] = SLOW["body"]

        error, seconds = timed(server, TIMEOUT)

    assert "Timeout" in str(error)
    assert seconds < TIMEOUT + SLACK


@pytest.mark.parametrize("pause", ["connect", "tls"])
def test_the_deadline_holds_through_a_proxy(settings, certificate, pause):
    def answer(peer):
        if pause == "tls":
            peer.write(head())
        peer.keep_silent()

    with Hostile() as proxy, serving(settings, context=certificate[0]) as server:
        settings.PIGGY_VERIFY_PROXY = proxy.url
        proxy.answers["connect"] = answer

        _, seconds = timed(server, TIMEOUT)

    assert seconds < TIMEOUT + SLACK


def test_the_deadline_holds_for_an_answer_through_a_proxy(upstream, settings):
    settings.PIGGY_VERIFY_PROXY = upstream.url
    upstream.answers["root"] = SLOW["body"]

    error, seconds = timed(upstream, TIMEOUT)

    assert "Timeout" in str(error)
    assert seconds < TIMEOUT + SLACK


@pytest.fixture
def full():
    """The address of a listener whose queue is full: it neither accepts nor refuses."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    crowd = [socket.socket() for _ in range(3)]
    for each in crowd:
        each.setblocking(False)
        each.connect_ex(listener.getsockname())
    yield listener.getsockname()
    for each in (*crowd, listener):
        each.close()


def resolve_to(monkeypatch, *names):
    """Resolve every host name to these addresses."""
    stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    found = [(*stream, name) for name in names]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)


def test_the_deadline_is_for_all_addresses_of_a_host(monkeypatch, upstream, full):
    resolve_to(monkeypatch, *[full] * 12)

    error, seconds = timed(upstream, TIMEOUT)

    assert not error.may_depend_on_contact
    assert seconds < TIMEOUT + SLACK
    assert upstream.connections == 0


def test_the_next_address_is_tried_when_one_refuses(monkeypatch, upstream):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        refusing = gone.getsockname()
    resolve_to(monkeypatch, refusing, ("127.0.0.1", upstream.port))

    assert call(upstream).status == 200


def test_a_host_without_an_address_does_not_depend_on_the_contact(
    monkeypatch, upstream
):
    resolve_to(monkeypatch)

    error, _ = timed(upstream)

    assert not error.may_depend_on_contact


def test_a_name_that_does_not_resolve_is_named_as_the_cause(monkeypatch, upstream):
    def fail(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error, _ = timed(upstream)

    assert "gaierror: Name or service not known" in str(error)
    assert not error.may_depend_on_contact


def test_a_host_may_be_an_ipv6_address(settings):
    with serving(settings, host="::1") as server:
        assert call(server).status == 200


def test_twenty_calls_use_one_connection(kept):
    for _ in range(20):
        call(kept)

    assert (kept.connections, len(kept.requests)) == (1, 20)


def test_a_connection_that_was_idle_for_long_is_not_used(kept, monkeypatch):
    monkeypatch.setattr(connections, "MAX_IDLE", 0)

    for _ in range(3):
        call(kept)

    assert kept.connections == 3


def test_a_connection_that_the_server_closed_while_idle_is_not_used(kept):
    call(kept)
    kept.hang_up()

    assert call(kept).status == 200
    assert kept.connections == 2


@pytest.mark.parametrize("times", [1, 1000], ids=["buffered", "unread"])
def test_an_extra_answer_is_not_used_for_the_next_call(kept, times):
    first, surplus = (
        head("Content-Length: 11") + b'{"data": %d}' % number for number in (1, 2)
    )
    kept.answers["root"] = lambda peer: peer.write(first + surplus * times)

    assert [call(kept).body["data"] for _ in range(3)] == [1, 1, 1]


def test_a_late_answer_is_not_used_for_another_call(kept):
    def late(peer):
        kept.answers["root"] = reply({"data": "mine"})
        kept.closing.wait(2 * TIMEOUT)
        reply({"data": "another's"})(peer)

    kept.answers["root"] = late
    timed(kept, TIMEOUT)

    assert [call(kept).body for _ in range(3)] == [{"data": "mine"}] * 3


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_an_interim_answer_is_not_taken_for_the_answer(kept, status):
    def answer(peer):
        peer.write(head("Link: </style.css>", status=status))
        kept.closing.wait(0.02)
        reply({"data": len(kept.requests)})(peer)

    kept.answers["root"] = answer

    assert [call(kept).body["data"] for _ in range(3)] == [1, 2, 3]


def test_threads_share_the_connections(kept):
    call(kept)

    def ask_often():
        for _ in range(5):
            call(kept)

    threads = [threading.Thread(target=ask_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(kept.requests) == 41
    assert kept.connections <= 8


def test_each_thread_tracks_its_own_call(upstream):
    call(upstream)
    seen = []
    thread = threading.Thread(
        target=lambda: seen.append(connections.progress.is_request_out)
    )
    thread.start()
    thread.join()

    assert (connections.progress.is_request_out, seen) == (True, [None])


FORKING = """
import os, sys
from django.conf import settings
settings.configure(DEBUG=True)
from django_piggy_verify.http import client
def ask():
    assert client.call("GET", sys.argv[1], timeout=5).status == 200
ask()
child = os.fork()
ask()
if child:
    assert os.waitpid(child, 0)[1] == 0
    ask()
else:
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs os.fork")
def test_a_child_process_has_connections_of_its_own(kept):
    script = [sys.executable, "-c", FORKING, kept.url + "/"]

    subprocess.run(script, check=True, timeout=20)

    assert (kept.connections, len(kept.requests)) == (2, 4)
