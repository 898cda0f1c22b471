"""
Keep one pool of HTTP connections per process, and end each call at its deadline.

Nothing is taken from the environment: no proxy, no ``.netrc``, no CA file.
"""

import errno
import http.client
import io
import os
import socket
import threading
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import Any, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MAX_IDLE = 20.0
"""
Seconds after which an idle connection is not used any more.

Servers close idle connections without notice. Common servers do so after 60 seconds or
later. A code that was sent on a closed connection cannot be sent again.
"""

MAX_ANSWER = 2 * 1024 * 1024
"""
The maximum number of bytes of one answer on the connection, with its head.

`http.client` skips any number of interim answers, and reads a negative chunk size
as "everything".
"""


class _Progress(threading.local):
    """The progress of the current call of this thread."""

    is_request_out: bool | None = None


progress = _Progress()
"""
`is_request_out` tells whether a byte of the request was sent. None means that no
connection was tried, as in tests that replace the adapter of `requests`.
"""


class _UntilDeadline(io.RawIOBase):
    """
    Reads at most `MAX_ANSWER` bytes of a socket, and only until the first time-out.

    `requests` and `http.client` start their time-out again at every byte. So a slow
    server could hold a worker for hours.
    """

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = monotonic() + cast("float", sock.gettimeout())
        self._room = MAX_ANSWER

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._deadline))
        count = cast("int | None", self._raw.readinto(buffer))
        self._room -= count or 0
        if self._room < 0:
            raise OSError(errno.EMSGSIZE, "the answer is too long")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = cast("Any", self.fp).detach()
        self.fp = io.BufferedReader(_UntilDeadline(sock, raw))

    def _read_status(self) -> tuple[str, int, str]:
        """
        Skip every interim answer: RFC 9110 section 15.2.

        `http.client` skips 100 only. It would return a 103 as the answer, and then
        return the real answer to the next request of the connection.
        """
        version, status, reason = cast("Any", super())._read_status()
        return version, 100 if 100 <= status < 200 else status, reason  # noqa: PLR2004


class _Punctual(HTTPConnection):
    """
    A connection with one deadline that notes whether the request was sent.

    It overrides public methods, and `_new_conn`, which urllib3's own SOCKS
    connection overrides as well.
    """

    response_class = _Response
    # If a developer turns this on for all connections of the process, `http.client`
    # prints each request with the key and the code.
    debuglevel = 0
    _used_at = 0.0

    def _new_conn(self) -> socket.socket:
        try:
            return _connect(self.host, self.port, cast("float", self.timeout))
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(self, "failed") from error

    @property
    def is_connected(self) -> bool:
        return super().is_connected and monotonic() - self._used_at < MAX_IDLE

    def connect(self) -> None:
        progress.is_request_out = False
        try:
            super().connect()
        finally:
            # The CONNECT that was sent to a proxy is not the request.
            progress.is_request_out = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        progress.is_request_out = True
        self._used_at = monotonic()
        super().send(data)


class _PunctualTLS(_Punctual, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Punctual


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _PunctualTLS


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _make_punctual(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        _make_punctual(manager)
        return manager


def _make_punctual(manager: urllib3.PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTLS}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Ignore redirects: `requests` would read their whole body, at any length."""


@cache
def session() -> requests.Session:
    """Return the one session of this process. Threads share its connections."""
    shared = _Session()
    shared.trust_env = False
    shared.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        shared.mount(scheme, _Adapter(pool_maxsize=32))
    return shared


# A child process must not use its parent's connections.
os.register_at_fork(after_in_child=session.cache_clear)


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    """Connect to the first address of `host` that answers, in `timeout` seconds."""
    deadline = monotonic() + timeout
    failure = OSError("no address")
    for address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            return _connect_to(address, deadline)
        except OSError as error:
            failure = error
    raise failure


def _connect_to(address: tuple[Any, ...], deadline: float) -> socket.socket:
    family, kind, protocol, _, name = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(_left(deadline))
        sock.connect(name)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(_left(deadline))
    except OSError:
        sock.close()
        raise
    return sock


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("the whole call took too long")
    return left
