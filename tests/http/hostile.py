"""
Serve an API that misbehaves at socket level, and record its requests.

An answer is a function that gets the `Peer` and writes any bytes, or none. By default,
every call gets the response of the real API.
"""

import ipaddress
import json
import select
import socket
import ssl
import struct
import sys
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.views.debug import ExceptionReporter
from hypothesis import strategies as st

from django_piggy_verify import __version__
from django_piggy_verify.http.connections import session

# Marked secrets, so that a test can search for them in any text.
KEY = "marked-api-key"
CLIENT_SECRET = "marked-client-secret"
GRANT = "marked-grant"
CODE = "markedcode42"
TOKEN = "marked-auth-token"
PORTAL_TOKEN = "marked-portal-token"
PORTAL_URL = f"https://portal.example/home?token={PORTAL_TOKEN}"
FIRST_NAME = "Marked-Ann"
SECRETS = (KEY, CLIENT_SECRET, GRANT, CODE, TOKEN, PORTAL_TOKEN, FIRST_NAME)

UID = "123abc-lmnopq-3242a-8899aa"
CONTACT = {
    "uuid": UID,
    "email": "ann@example.com",
    "credit_balance": {"balance": 99},
    "current_values": {"firstname": FIRST_NAME},
}
HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "authorization": f"Bearer {KEY}",
    "user-agent": f"django-piggy-verify/{__version__}",
}
"""The headers of every call by a provider, but for the content type."""

BASE_PATH = "/api/v3/oauth/clients"
FLOW = ("send", "verify", "auth-token")
MEGABYTE = 1024 * 1024

ANYTHING = st.text(max_size=80) | st.text(
    alphabet='\x00\r\n\t "\\{}[]:,/.?#%&=@\u2028\u0130\U0001f4a9', max_size=20
)
"""Texts that might change the shape of a request."""

_NAMES = st.sampled_from(
    ["data", "code", "uuid", "auth_token", "url", "message", "meta"]
)
_NUMBERS = st.sampled_from([1003, 13010, 55031, 55032, 1053, 3000, 7002, 7011, 99999])
_LEAVES = st.one_of(
    st.none(),
    _NUMBERS,
    st.sampled_from([0, True, 13010.0, "13010", 10**400, float("nan")]),
    st.sampled_from([UID, TOKEN, PORTAL_URL, "..", "a/b", "\ud800", "", " "]),
    st.text(max_size=9),
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner),
    max_leaves=6,
)
_DATA = st.dictionaries(st.sampled_from(["uuid", "auth_token", "url"]), _VALUES)
_MEMBERS = st.fixed_dictionaries(
    {}, optional={"data": _DATA | _VALUES, "code": _NUMBERS}
)
_TEXTS = st.one_of(_MEMBERS, _VALUES).map(json.dumps)


def answers(texts):
    """Return any combination of a body, a status and a media type."""
    return st.tuples(
        st.one_of(
            texts.map(str.encode),
            texts.map(lambda text: text.encode("utf-16")),
            st.binary(max_size=99),
        ),
        st.sampled_from(
            [200, 201, 301, 304, 400, 401, 403, 404, 429, 500, 502, 503, 504]
        )
        | st.integers(200, 599),
        st.sampled_from(["application/json", "text/html", "a/b; charset=utf-7", ""]),
    )


ANSWERS = answers(_TEXTS)
"""The responses that Piggy might make."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, as the server received it."""

    name: str
    """The name of the call, as in `Hostile.answers`."""
    method: str
    target: str
    headers: dict[str, str]
    """By lower-case name; a header that came twice has both values, with a comma."""
    body: bytes

    @property
    def members(self):
        """The members of the JSON object in the body, in order, with repeated names."""
        return json.loads(self.body, object_pairs_hook=list)


class Peer:
    """The server's side of one connection."""

    def __init__(self, server, sock):
        self.server = server
        self.sock = sock
        with suppress(OSError):  # it may be gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = sock.makefile("rb")
        self.is_open = True
        self.request = None

    def read(self):
        """Read one request. Return None at the end of the connection."""
        line = self.file.readline()
        if not line:
            return None
        method, target, _ = line.decode("latin-1").split(" ")
        headers: dict[str, str] = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            values = [headers.get(name.lower()), value.strip()]
            headers[name.lower()] = ", ".join(each for each in values if each)
        body = self.file.read(int(headers.get("content-length", 0)))
        name = self.server.name_of(method, target)
        self.request = Request(
            name=name, method=method, target=target, headers=headers, body=body
        )
        return self.request

    def secure(self, context):
        """Begin TLS, if there is a TLS context."""
        if context is not None:
            self.file.close()
            self.sock = context.wrap_socket(self.sock, server_side=True)
            self.file = self.sock.makefile("rb")

    def write(self, data):
        self.sock.sendall(data)

    def drip(self, data, pause=0.01):
        """Write one byte at a time."""
        for byte in data:
            if self.server.closing.wait(pause):
                return
            self.write(bytes([byte]))

    def flood(self, data, size=50 * MEGABYTE):
        """Write `data` over and over, up to `size` bytes."""
        many = data * (256 * 1024 // len(data) + 1)
        for _ in range(size // len(many)):
            self.write(many)

    def keep_silent(self):
        """Hold the connection until the client or the test ends it."""
        self.sock.settimeout(5)
        while self.sock.recv(65536):
            pass

    def reset(self):
        """Close the connection with RST instead of FIN."""
        self.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.close()

    def reset_unread(self):
        """Close with RST after a request has arrived, without reading it."""
        self.sock.recv(1, socket.MSG_PEEK)
        self.reset()

    def close(self):
        self.is_open = False
        self.file.close()
        self.sock.close()


class Hostile:
    """
    A server that runs during its `with` block.

    `answers` maps the name of a call to its answer. `at_accept` maps the next call of
    the flow to a function that runs instead of reading a request. `requests` and
    `connections` are the record. With a `context`, the server speaks TLS.

    The paths and the answers are those of Piggy. A subclass plays another vendor.
    """

    base_path = BASE_PATH
    flow: tuple[str, ...] = FLOW

    def __init__(self, *, context=None, host="127.0.0.1"):
        self.context = context
        self.answers = {
            "send": reply(
                {"data": {"type": "Success", "message": "Sent."}, "meta": []}
            ),
            "verify": reply({"data": {"uuid": UID}, "meta": {}}),
            "auth-token": reply({"data": {"auth_token": TOKEN}, "meta": []}),
            "portal": reply({"data": {"url": PORTAL_URL}, "meta": []}),
            "contact": reply({"data": CONTACT, "meta": []}),
            "oauth": reply({"access_token": GRANT, "expires_in": 3600}),
            "root": reply({"data": "root"}),
        }
        self.at_accept = {}
        self.goes_down_before = None
        self.keeps_alive = False
        self.requests = []
        self.connections = 0
        self.closing = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.bind((host, 0))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        self._peers = []
        self._accepting = threading.Thread(target=self._accept)
        self._serving = []
        scheme = "https" if context else "http"
        netloc = f"[{host}]" if ":" in host else host
        self.url = f"{scheme}://{netloc}:{self.port}"
        self.base_url = self.url + self.base_path
        self.token_url = self.url + "/oauth/token"

    def __enter__(self):
        self._accepting.start()
        return self

    def __exit__(self, *_error):
        self.closing.set()
        self.go_down()
        self._accepting.join()
        self._listener.close()
        self.hang_up()
        for thread in self._serving:
            thread.join()

    @property
    def names(self):
        return [each.name for each in self.requests]

    @property
    def next_call(self):
        """The next call of a login in progress."""
        done = self.names
        last = done[-1] if done else ""
        flow = self.flow
        return flow[flow.index(last) + 1] if last in flow[:-1] else flow[0]

    def name_of(self, method, target):
        """Return the name of a call."""
        if method == "CONNECT":
            return "connect"
        path = urlsplit(target).path
        if path == f"{self.base_path}/contacts-portal/auth-url":
            return "portal"
        if path.startswith(f"{self.base_path}/contacts/"):
            return "contact"
        path = path.removeprefix(f"{self.base_path}/contact-verification")
        return path.split("/")[1] or "root"

    def go_down(self):
        """Refuse connections from now on."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)

    def hang_up(self):
        """Close every connection, even if a thread uses the connection."""
        for peer in self._peers:
            with suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.append(Peer(self, sock))
            thread = threading.Thread(target=self._serve, args=[self._peers[-1]])
            self._serving.append(thread)
            thread.start()

    def _serve(self, peer):
        # Most tests make the client give up.
        with closing(peer), suppress(OSError, ValueError):
            if act := self.at_accept.get(self.next_call):
                act(peer)
            else:
                peer.secure(self.context)
                self._converse(peer)

    def _converse(self, peer):
        while peer.is_open and (request := peer.read()):
            self.requests.append(request)
            if self.goes_down_before == self.next_call:
                self.go_down()
            self.answers[request.name](peer)
            if not self.keeps_alive:
                return


def reply(content, status=200, **headers):
    """Return an answer that writes a whole response. `content` is bytes or JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    def answer(peer):
        mode = "keep-alive" if peer.server.keeps_alive else "close"
        framing = (f"Content-Length: {len(body)}", f"Connection: {mode}")
        peer.write(head(*lines, *framing, status=status) + body)

    return answer


def head(*lines, status=200):
    """Return the status line and the headers of a response."""
    return "\r\n".join([f"HTTP/1.1 {status} As It Is", *lines, "", ""]).encode(
        "latin-1"
    )


def tunnel_to(port):
    """Accept a CONNECT as a proxy does, and carry bytes to `port` and back."""

    def answer(peer):
        peer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as target:
            ends = {peer.sock: target, target: peer.sock}
            while ready := select.select([*ends], [], [], 5)[0]:
                data = ready[0].recv(65536)
                if not data:
                    return
                ends[ready[0]].sendall(data)

    return answer


@contextmanager
def serving(settings, make=Hostile, **options):
    """Serve a hostile server that the settings point to, and close all connections."""
    with make(**options) as server:
        settings.DEBUG = True
        settings.PIGGY_VERIFY_BASE_URL = server.base_url
        settings.PIGGY_VERIFY_API_KEY = KEY
        settings.PIGGY_VERIFY_TIMEOUT = 5
        yield server
    session().close()
    session.cache_clear()


def self_signed(folder):
    """Return the TLS context of a server and the path of its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hostile")])
    now = datetime.now(UTC)
    day = timedelta(days=1)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown, hidden = folder / "certificate.pem", folder / "key.pem"
    shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    hidden.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, hidden)
    return context, str(shown)


def assert_is_plain_post(request, path, members):
    """Expect one JSON object with these members only, and a path without them."""
    headers = dict(request.headers)
    assert headers.pop("host").startswith("127.0.0.1:")
    assert headers.pop("content-length") == str(len(request.body))
    assert headers == HEADERS | {"content-type": "application/json"}
    assert (request.method, request.target) == ("POST", path)
    assert request.members == members


def debug_page(function, *args):
    """Return Django's debug page for the error that `function` raises."""
    try:
        function(*args)
    except BaseException:  # noqa: BLE001
        return ExceptionReporter(None, *sys.exc_info()).get_traceback_html()
    raise AssertionError("nothing was raised")


def secrets_in(text):
    """Return the marked secrets that `text` contains."""
    return [each for each in SECRETS if each in text]
