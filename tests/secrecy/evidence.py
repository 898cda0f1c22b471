"""
Collect all texts that may contain a secret during a test, and search them.

The texts are sorted by sink: logs, pages, signals, errors, database. Errors are read as
an error reporter does: their texts, and the `repr` of every local variable.
"""

import base64
import hashlib
import hmac
import http.client
import logging
import re
import sys
import traceback
import warnings
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import chain, dropwhile, filterfalse, takewhile
from pathlib import Path
from typing import Any

from django.contrib.auth import signals as auth_signals
from django.contrib.messages import get_messages
from django.core.signals import got_request_exception
from django.db import connection, models
from django.dispatch import Signal
from django.http import HttpRequest
from django.test import Client
from django.utils.crypto import salted_hmac
from django.utils.log import AdminEmailHandler

import django_piggy_verify
from django_piggy_verify import signals
from django_piggy_verify.conf import conf
from tests.http import hostile
from tests.steps import JSON

PACKAGE = str(Path(django_piggy_verify.__file__).parent)
WRONG_CODE = "markedwrongcode43"
PROXY_PASSWORD = "marked-proxy-password"
SECRET_KEY = "marked-secret-key, as long as it has to be: 0123456789abcdef"
RING_KEY = "marked-ring-key-of-just-32-bytes"
POINTS = "marked-points"
APP_TOKEN = "marked-app-token"
# At Punchh:
REFRESH_TOKEN = "marked-refresh-token"
VERIFIER = "marked-code-verifier_of-exactly-43-letters."
HASHED = hashlib.sha256(VERIFIER.encode()).digest()
SIGNED = b'/api2/mobile/users/profile{"client":"sandbox"}'
COOKIE = "marked-browser-cookie_"
SECRETS = {
    "key": hostile.KEY,
    "client secret": hostile.CLIENT_SECRET,
    "grant": hostile.GRANT,
    "code": hostile.CODE,
    "wrong code": WRONG_CODE,
    "token": hostile.TOKEN,
    "portal token": hostile.PORTAL_TOKEN,
    "points": POINTS,
    "app token": APP_TOKEN,
    "proxy password": PROXY_PASSWORD,
    "ring key": RING_KEY,
    "SECRET_KEY": SECRET_KEY[:17],
    "refresh token": REFRESH_TOKEN,
    "verifier": VERIFIER,
    "challenge": base64.urlsafe_b64encode(HASHED).decode().rstrip("="),
    "digest": hmac.digest(hostile.CLIENT_SECRET.encode(), SIGNED, "sha256").hex(),
    "cookie of the browser": COOKIE,
    "id of the browser": salted_hmac(
        "django_piggy_verify.browsers",
        f"browser\0{COOKIE}",
        secret=SECRET_KEY,
        algorithm="sha256",
    ).hexdigest()[:32],
}
SIGNALS = {
    name: each
    for name, each in chain(vars(signals).items(), vars(auth_signals).items())
    if isinstance(each, Signal)
}
TOKEN_PAGE = "/login/token/"
PORTAL_PAGE = "/portal/"
APP_PAGE = "/app/login/code/"
EXPOSING = {
    (TOKEN_PAGE, 200, True): "token page",
    (PORTAL_PAGE, 200, True): "portal page",
    (APP_PAGE, 200, True): "app page",
}
# The only part of Django's debug page that may show the posted code.
POSTED = re.compile('<h3 id="post-info">.*?<h3 id="files-info">', re.DOTALL)
# These read the posted fields, or the body of an answer. No error shows the frames of
# the latter.
PLAIN = ("/http/", "/sandbox/", "/views/negotiation.py", "/views/page_urls.py data")
# The frames of these functions hold the code, since they typed it.
VISITORS = ("/tests/", "/django/test/")


def shapes(secret):
    """Return `secret` in every encoding that a text may contain."""
    raw = secret.encode()
    for skipped in range(3):
        # Base64 differs at each offset, and its first and last digits hold other bits.
        text = base64.b64encode(b"\0" * skipped + raw).decode()
        text = text[-(-skipped * 8 // 6) : (skipped + len(raw)) * 8 // 6]
        yield from {text, text.translate(str.maketrans("+/", "-_"))}
    yield from (raw.hex(), raw.hex().upper(), secret, secret.upper())


SHAPES = {name: tuple(shapes(secret)) for name, secret in SECRETS.items()}
# The challenge is made of these bytes.
SHAPES["challenge"] += (f"{HASHED!r}"[2:-1], HASHED.hex(), HASHED.decode("latin-1"))


def found_in(text):
    """Return the secrets that `text` contains, in any encoding."""
    return {name for name, many in SHAPES.items() if any(each in text for each in many)}


class Evidence:
    """The texts of each sink."""

    def __init__(self, capsys, warned):
        # Most texts repeat. Only the first is kept.
        self.sinks: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.capsys = capsys
        self.warned = warned

    def note(self, sink, *texts):
        self.sinks[sink] |= dict.fromkeys(map(str, texts))

    def of(self, sink):
        return "\n".join(self.sinks[sink])

    def error(self, error):
        self.note("errors", *told_by(error))

    @property
    def leaks(self):
        """Return pairs of a sink and a secret in its texts; the database is a sink."""
        self.note("stdout", *self.capsys.readouterr())
        self.note("warnings", *self.warned)
        self.note("database", *stored())
        return {(sink, name) for sink in self.sinks for name in found_in(self.of(sink))}


class Browser(Client):
    """A browser that records all responses, and the sessions on the server."""

    def __init__(self, evidence):
        super().__init__(raise_request_exception=False)
        self.evidence = evidence
        self.is_script = False

    def generic(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if self.is_script:
            kwargs["headers"] = JSON
        return super().generic(method, *args, **kwargs)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        if self.is_script:
            kwargs["content_type"] = JSON["accept"]
        return super().post(*args, **kwargs)

    def request(self, **request):
        response = super().request(**request)
        page = (request["PATH_INFO"], response.status_code, conf.expose_auth_token)
        sink = EXPOSING.get(page, "pages")
        self.evidence.note("portal page", *_way_to_the_portal(response))
        self.evidence.note(sink, POSTED.sub("", response.text))
        self.evidence.note("headers", *_other_headers(response), response.cookies)
        if served := getattr(response, "wsgi_request", None):
            self.evidence.note("session", dict(served.session.items()))
            self.evidence.note("messages", *get_messages(served))
        return response


def _way_to_the_portal(response):
    """Return the target of a redirect, if the target is the portal."""
    location = response.headers.get("Location", "")
    return [location] if location.startswith("https://portal.invalid/") else []


def _other_headers(response):
    way = _way_to_the_portal(response)
    return [f"{each}: {text}" for each, text in response.items() if text not in way]


class Ear(logging.Handler):
    """Records every logger, and the frames behind each record of our logger."""

    def __init__(self, evidence):
        super().__init__()
        self.evidence = evidence

    def emit(self, record):
        self.evidence.note("logs", record.getMessage(), vars(record))
        if record.exc_info and record.exc_info[1]:
            self.evidence.error(record.exc_info[1])
        if record.name == "django_piggy_verify":
            frames = (frame for frame, _ in traceback.walk_stack(None))
            within = takewhile(_is_servers, dropwhile(_is_visitors, frames))
            self.evidence.note("stacks", *locals_of(within))


class Mailer(AdminEmailHandler):
    """Django's handler that mails errors to the admins, with the debug page."""

    def __init__(self, evidence):
        super().__init__(include_html=True)
        self.setLevel(logging.ERROR)
        self.evidence = evidence

    def send_mail(self, subject, message, *args, html_message=None, **kwargs):
        self.evidence.note("mails", subject, message, html_message)


@contextmanager
def watching(capsys):
    """Collect all texts during the block."""
    with ExitStack() as stack:
        warned = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        evidence = Evidence(capsys, warned)
        for signal in SIGNALS.values():
            stack.enter_context(receiving(signal, _note_arguments(evidence)))
        stack.enter_context(receiving(got_request_exception, _note_error(evidence)))
        stack.enter_context(listening(Ear(evidence)))
        stack.enter_context(_speaking_of_everything())
        yield evidence


@contextmanager
def receiving(signal, receiver):
    """Connect `receiver` to `signal` during the block."""
    signal.connect(receiver)
    try:
        yield
    finally:
        signal.disconnect(receiver)


@contextmanager
def listening(handler, name=""):
    """Make `handler` the only handler of a logger during the block."""
    logger = logging.getLogger(name)
    # The handlers of pytest would format each of thousands of records four times.
    before, logger.handlers = logger.handlers, [handler]
    yield
    logger.handlers = before


@contextmanager
def _speaking_of_everything():
    """Turn on all log levels, the SQL log and the prints of `http.client`."""
    loggers = [logging.getLogger(name) for name in ("", "django", "urllib3")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    http.client.HTTPConnection.debuglevel = 1
    connection.force_debug_cursor = True
    yield
    connection.force_debug_cursor = False
    http.client.HTTPConnection.debuglevel = 0
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@contextmanager
def watching_lines(evidence):
    """
    Note all local variables at each line of the package, during the block.

    The first line of a function does not count, because it may wrap an argument.
    """
    before = sys.gettrace()
    sys.settrace(partial(_trace_call, evidence))
    try:
        yield
    finally:
        sys.settrace(before)


def _trace_call(evidence, frame, _event, _argument):
    path, first = frame.f_code.co_filename, 0
    where = f"{path.removeprefix(PACKAGE)} {frame.f_code.co_name}"
    if not path.startswith(PACKAGE) or where.startswith(PLAIN):
        return None

    def trace_line(frame, event, _argument):
        nonlocal first
        if event == "line":
            # Python 3.12 may tell twice that a line is run.
            first = first or frame.f_lineno
            if frame.f_lineno != first:
                for name, value in frame.f_locals.items():
                    evidence.note("lines", f"{where} {name}: {shown(value)}")
        return trace_line

    return trace_line


def _note_arguments(evidence):
    def receive(signal, **kwargs):
        evidence.note("signals", *values_in(kwargs, {}))

    return receive


def _note_error(evidence):
    return lambda **_: evidence.error(sys.exception())


def values_in(value, seen):
    """Return all texts inside `value`, but none inside a request."""
    if id(value) in seen or isinstance(value, (HttpRequest, type)):
        return
    seen[id(value)] = value
    yield f"{value!s} {value!r}"
    slots = getattr(value, "__slots__", ())
    within = [
        getattr(value, "__dict__", {}),
        {each: getattr(value, each) for each in slots},
    ]
    if isinstance(value, Mapping):
        within += [value]
    if isinstance(value, (list, tuple, set)):
        within += [dict(enumerate(value))]
    for name, each in chain.from_iterable(members.items() for members in within):
        yield str(name)
        yield from values_in(each, seen)


def told_by(error):
    """Return what an error reporter prints of `error` and of its causes."""
    while error is not None:
        yield f"{error!r} {error} {vars(error)}"
        yield from locals_of(
            frame for frame, _ in traceback.walk_tb(error.__traceback__)
        )
        error = error.__cause__ or error.__context__


def locals_of(frames):
    """Return the local variables of all frames but those of the visitor."""
    for frame in filterfalse(_is_visitors, frames):
        for name, value in frame.f_locals.items():
            yield f"{frame.f_code.co_filename} {frame.f_code.co_name} {name}"
            yield shown(value)


def _is_visitors(frame):
    return any(part in frame.f_code.co_filename for part in VISITORS)


def _is_servers(frame):
    return not _is_visitors(frame)


def shown(value):
    """Return what an error reporter prints of a variable."""
    if isinstance(value, models.QuerySet):
        return "a query, which would run"
    with suppress(Exception):
        return f"{value!r} {dict(value) if isinstance(value, Mapping) else ''}"
    return "no repr"


def stored():
    """Return every column of every table."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for value in chain.from_iterable(cursor.fetchall()):
                is_binary = isinstance(value, (bytes, memoryview))
                yield bytes(value).decode("latin-1") if is_binary else str(value)
