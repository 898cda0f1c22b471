"""The ways in which a server can misbehave, and how to make it do so."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass

from tests.http.hostile import MEGABYTE, UID, Peer, head, reply

TIMEOUT = 0.3
"""Seconds that a call to a slow server may take."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to misbehave."""

    answer: Callable[..., None] | None = None
    """Writes the response."""
    at_accept: Callable[..., None] | None = None
    """Runs instead of reading a request."""
    cause: str
    """The words of the log."""
    is_slow: bool = False
    """Whether the call takes as long as the time-out."""
    is_open: bool = False
    """Whether the code page shows that the send failed."""


def begin(server, settings, call, fault):
    """Make a fault happen at one call of the flow."""
    if fault.is_slow:
        # An earlier call needs time as well.
        is_next = call == server.next_call
        settings.PIGGY_VERIFY_TIMEOUT = TIMEOUT if is_next else 1
    if fault.answer:
        server.answers[call] = fault.answer
    elif fault.at_accept:
        server.at_accept[call] = fault.at_accept
    elif call == server.next_call:
        server.go_down()
    else:
        server.goes_down_before = call


CHUNKED = head("Transfer-Encoding: chunked")
NO_DATA = "the answer cannot be read: "


def in_turn(*acts):
    def answer(peer):
        for act in acts:
            act(peer)

    return answer


def raw(data):
    return lambda peer: peer.write(data)


def flood(data):
    return lambda peer: peer.flood(data)


def drip(data):
    return lambda peer: peer.drip(data, 0.1)


def moved(status):
    return Fault(
        answer=reply(b"", status, Location="https://elsewhere.invalid/"),
        cause=f"status {status}",
    )


def unreadable(body, cause=NO_DATA):
    return Fault(answer=reply(body), cause=cause)


def too_large(*acts):
    return Fault(answer=in_turn(*acts), cause="_TooLarge")


def slow(*acts):
    return Fault(answer=in_turn(*acts), cause="Timeout", is_slow=True)


FAULTS = {
    "html": unreadable(b"<h1>Welcome</h1>"),
    "empty": unreadable(b""),
    "null": unreadable(b"null"),
    "number": unreadable(b"42"),
    "list": unreadable([{"data": {"uuid": UID}}]),
    "no-data": unreadable({"meta": []}),
    "data-true": unreadable({"data": True}),
    "data-list": unreadable({"data": []}),
    "duplicate-keys": unreadable(
        b'{"data": {"uuid": "a", "auth_token": "a"}, "data": {}}'
    ),
    "nesting": unreadable(b'{"data": ' + b"[" * 100_000),
    "nan": unreadable(b'{"data": {"uuid": "a", "auth_token": "a", "x": NaN}}'),
    "truncated": Fault(
        answer=raw(head("Content-Length: 50") + b'{"data": {"uuid": "a"}}'),
        cause="IncompleteRead",
    ),
    "truncated-chunk": Fault(
        answer=raw(CHUNKED + b'50\r\n{"data": {"uuid": "a"}}'), cause="IncompleteRead"
    ),
    "50-mb": too_large(raw(head("Content-Length: 52428800")), flood(b" ")),
    "50-mb-chunked": too_large(raw(CHUNKED), flood(b"400\r\n" + b" " * 1024 + b"\r\n")),
    "negative-chunk": Fault(
        answer=in_turn(raw(CHUNKED + b"-1\r\n"), flood(b" ")), cause="too long"
    ),
    "negative-chunk-5": Fault(
        answer=in_turn(raw(CHUNKED + b"-5\r\n"), flood(b" ")), cause="ValueError"
    ),
    "gzip-bomb": too_large(
        reply(gzip.compress(b" " * 20 * MEGABYTE, 1), Content_Encoding="gzip")
    ),
    "encodings": Fault(
        answer=reply(b"x", Content_Encoding=", ".join(["gzip"] * 20)),
        cause="DecodeError",
    ),
    "slow-body": slow(raw(head("Content-Length: 99")), drip(b" " * 99)),
    "slow-headers": slow(drip(head() * 3)),
    "endless-100": Fault(
        answer=flood(head("A: " + "b" * 9999, status=100)), cause="too long"
    ),
    "slow-100": slow(drip(head(status=100) * 9)),
    "endless-headers": Fault(
        answer=in_turn(raw(b"HTTP/1.1 200 OK\r\n"), flood(b"A: b\r\n")),
        cause="HTTPException",
    ),
    "garbage": Fault(answer=raw(b"\x16\x03 garbage\r\n\r\n"), cause="BadStatusLine"),
    "moved-301": moved(301),
    "moved-302": moved(302),
    "moved-307": moved(307),
    "moved-308": moved(308),
    "reset": Fault(answer=Peer.reset, cause="Connection reset"),
    "hung-up": Fault(answer=Peer.close, cause="RemoteDisconnected"),
    "reset-unread": Fault(at_accept=Peer.reset_unread, cause=""),
    "silence-at-accept": Fault(
        at_accept=Peer.keep_silent, cause="Timeout", is_slow=True
    ),
    "silence": slow(Peer.keep_silent),
    "refused": Fault(cause="Connection refused", is_open=True),
}
