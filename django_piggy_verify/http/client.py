"""
Make one HTTP call and return its status and JSON body.

The providers decide what a status and a body mean. This module is imported at first
use only, because `requests` takes longer to import than the rest of the package.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import requests
import urllib3
from urllib3.util import SKIP_HEADER

from django_piggy_verify import __version__
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ProviderRefused, ProviderUnavailable
from django_piggy_verify.http.connections import progress, session
from django_piggy_verify.secret import Secret, SecretBytes, SecretFloat, SecretInt

MAX_BODY = 1024 * 1024
"""The maximum number of bytes of an answer, counted after decompression."""

_CHUNK = 16 * 1024
_MIDWAY = (requests.ReadTimeout, requests.exceptions.ChunkedEncodingError)
_OWN_HEADERS = {"authorization", "host", "content-length", "transfer-encoding"}
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_LEAST = 0.001  # urllib3 accepts only positive time-outs


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The status and the body of a response."""

    status: int
    """The HTTP status."""

    body: object
    """The parsed JSON with hidden texts and numbers, or None if it is not JSON."""


def call(  # noqa: PLR0913  the parts of an HTTP request
    method: str,
    url: str,
    *,
    bearer: Secret | None = None,
    timeout: float,
    headers: Mapping[str, str | None] | None = None,
    json: Mapping[str, object] | None = None,
    data: Mapping[str, str] | None = None,
) -> Answer:
    """
    Make one call and return its status and parsed body, whatever the status is.

    `timeout` is the number of seconds for the whole call, without the resolver's
    look-up of the host name. The body is either `json`, written by `json_body`, or
    `data`, a form. `headers` add to the headers of this module, and replace those of
    the same name. The value None leaves out ``Accept-Encoding``. Redirects are not
    followed. Nothing is taken from the environment: no proxy, no ``.netrc``, no CA
    file.

    Raises ProviderRefused for a header that must not be sent. Raises
    ProviderUnavailable without a connection or a complete answer. Its
    `may_depend_on_contact` is False if the request was never sent.
    """
    every = _headers(bearer, headers or {}, is_json=json is not None)
    progress.is_request_out = None
    try:
        body = data if json is None else json_body(json)
        request = requests.Request(method, url, headers=every, data=body)
        with _send(request, timeout) as response:
            return Answer(status=response.status_code, body=_parse(_read(response)))
    except Exception as error:  # noqa: BLE001  the libraries leave some errors unwrapped
        cause, is_out = _root_cause(error), _may_have_been_sent(error)
    except BaseException as stop:  # noqa: BLE001  a worker is told to exit
        # Raised without its traceback, because the frames in it hold the code.
        raise stop.with_traceback(None) from None
    # Raised outside the handler, so that it has no __context__. The exceptions of the
    # libraries hold the request with its bearer header.
    raise ProviderUnavailable(cause, may_depend_on_contact=is_out)


def json_body(content: Mapping[str, object]) -> SecretBytes:
    """Return the bytes that `call` sends for `content`: JSON without white space."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return SecretBytes(text.encode())


def is_header_name(text: str) -> bool:
    """Return whether a caller may send a header of this name: RFC 9110 section 5.1."""
    return bool(_HEADER_NAME.fullmatch(text)) and text.lower() not in _OWN_HEADERS


def is_header_value(text: str) -> bool:
    """Return whether a caller may send this value of a header: RFC 9110 section 5.5."""
    return text.isascii() and text.isprintable() and text == text.strip()


class _TooLarge(Exception):
    """The answer is longer than `MAX_BODY`."""


def _headers(
    bearer: Secret | None, further: Mapping[str, str | None], *, is_json: bool
) -> dict[str, str]:
    _require_harmless(further)
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"django-piggy-verify/{__version__}",
    }
    if is_json:
        headers["Content-Type"] = "application/json"
    for name, value in further.items():
        # Without this mark, urllib3 would add an Accept-Encoding of its own.
        headers[name] = SKIP_HEADER if value is None else value
    if bearer is not None:
        headers["Authorization"] = Secret(f"Bearer {bearer}")
    return headers


def _require_harmless(headers: Mapping[str, str | None]) -> None:
    """Raise ProviderRefused unless these headers may be sent."""
    for name, value in headers.items():
        if not (is_header_name(name) and _may_be_sent(name, value)):
            raise ProviderRefused(
                f"the header {name!r} must not be sent", may_depend_on_contact=False
            )


def _may_be_sent(name: str, value: str | None) -> bool:
    if value is None:
        return name.lower() == "accept-encoding"
    return is_header_value(value)


def _send(request: requests.Request, timeout: float) -> requests.Response:
    proxies = {"http": conf.proxy, "https": conf.proxy} if conf.proxy else {}
    return session().send(
        # `Session.request` would also merge the settings of the session. It has none.
        request.prepare(),
        timeout=cast("Any", urllib3.Timeout(total=max(timeout, _LEAST))),
        verify=conf.ca_bundle or True,
        proxies=proxies,
        allow_redirects=False,
        stream=True,
    )


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.raw.stream(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY:
            raise _TooLarge
    return bytes(body)


def _parse(body: bytes) -> object:
    try:
        return _hidden(
            json.loads(
                body,
                object_pairs_hook=_distinct,
                parse_int=SecretInt,
                parse_float=SecretFloat,
                parse_constant=_not_a_number,
            )
        )
    except (ValueError, RecursionError):
        return None


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = {name: _hidden(value) for name, value in pairs}
    if len(members) < len(pairs):
        raise ValueError("a JSON object has a member twice")
    return members


def _hidden(value: object) -> object:
    """Wrap texts, so that no token in the answer shows in a traceback."""
    if isinstance(value, list):
        return [_hidden(each) for each in value]
    return Secret(value) if isinstance(value, str) else value


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(constant)


def _may_have_been_sent(error: Exception) -> bool:
    """Return whether the request may have been sent."""
    if progress.is_request_out is None:
        return isinstance(error, _MIDWAY)
    return progress.is_request_out


def _root_cause(error: BaseException) -> str:
    """Name the innermost error by its class and, for the system's own, its text."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    text = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
