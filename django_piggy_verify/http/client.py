"""
One HTTP call: size cap, bearer header, JSON. No socket and no vendor's word.

It ends at the status and the parsed body; what they mean is the provider's
business. Imported at first use only, since `requests` costs more to import than
the rest of the package.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import requests
import urllib3

from django_piggy_verify import __version__
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ProviderUnavailable
from django_piggy_verify.http.connections import progress, session
from django_piggy_verify.secret import Secret

MAX_BODY = 1024 * 1024
"""Bytes of an answer that are read, counted after decompression."""

_CHUNK = 16 * 1024
_MIDWAY = (requests.ReadTimeout, requests.exceptions.ChunkedEncodingError)
_LEAST = 0.001  # urllib3 takes no time-out that is over already


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    """The HTTP status."""

    body: object
    """The parsed JSON with its texts as `Secret`, or None where it is no JSON."""


def call(
    method: str,
    url: str,
    *,
    bearer: Secret | None = None,
    timeout: float,
    **body: Mapping[str, str],
) -> Answer:
    """
    Make one call and answer its status and parsed body, whatever the status.

    `timeout` is in seconds, for the whole call; only the resolver's look-up of
    the host name keeps its own time. `body` is either ``json=`` or ``data=``
    (a form). Redirects are not followed, and nothing is taken from the
    environment: no proxy, no ``.netrc``, no CA file.

    Raises ProviderUnavailable without connection or complete answer; its
    `may_depend_on_contact` is False if the request never left.
    """
    progress.is_request_out = None
    try:
        with _send(method, url, bearer, timeout, body) as response:
            return Answer(status=response.status_code, body=_parse(_read(response)))
    except Exception as error:  # noqa: BLE001  also what the libraries forgot to wrap
        cause, is_out = _root_cause(error), _may_be_out(error)
    except BaseException as stop:  # noqa: BLE001  a worker is told to exit
        # Raised anew, since the frames that it waited in hold the code.
        raise stop.with_traceback(None) from None
    # Outside the handler: the exceptions of the libraries and their frames hold
    # the request with its bearer header, and so would the __context__ of ours.
    raise ProviderUnavailable(cause, may_depend_on_contact=is_out)


class _TooLarge(Exception):
    """The answer is longer than `MAX_BODY`."""


def _send(
    method: str,
    url: str,
    bearer: Secret | None,
    timeout: float,
    body: Mapping[str, Any],
) -> requests.Response:
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"django-piggy-verify/{__version__}",
    }
    if bearer is not None:
        headers["Authorization"] = Secret(f"Bearer {bearer}")
    proxies = {"http": conf.proxy, "https": conf.proxy} if conf.proxy else {}
    # Without what `Session.request` merges into every call: there is nothing.
    prepared = requests.Request(method, url, headers=headers, **body).prepare()
    return session().send(
        prepared,
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
            json.loads(body, object_pairs_hook=_distinct, parse_constant=_not_a_number)
        )
    except (ValueError, RecursionError):
        return None


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = {name: _hidden(value) for name, value in pairs}
    if len(members) < len(pairs):
        raise ValueError("a member stands twice")
    return members


def _hidden(value: object) -> object:
    """Keep what upstream says, tokens above all, out of the frames that read it."""
    if isinstance(value, list):
        return [_hidden(each) for each in value]
    return Secret(value) if isinstance(value, str) else value


def _not_a_number(constant: str) -> NoReturn:
    raise ValueError(constant)


def _may_be_out(error: Exception) -> bool:
    """Whether the request may have left; if the wire was not touched, see the error."""
    if progress.is_request_out is None:
        return isinstance(error, _MIDWAY)
    return progress.is_request_out


def _root_cause(error: BaseException) -> str:
    """Name the innermost error by its class and, for the system's own, its text."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    text = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
