"""
Get the bearer token of our own calls: the API key or a granted token.

The grant is OAuth 2.0 client credentials (RFC 6749 section 4.4). The granted token
is kept in this process until it expires. Tokens of contacts are not kept here.
"""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from django_piggy_verify import durations
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ProviderRefused, ProviderUnavailable
from django_piggy_verify.http import client
from django_piggy_verify.providers.base import Problem
from django_piggy_verify.secret import Secret

MARGIN = 30.0
"""A granted token is not used for this number of seconds before its expiry."""

PAUSE = 3.0
"""A process drops at most one refused token in this number of seconds."""

SET_CLIENT = (
    "Set PIGGY_VERIFY_CLIENT_ID, PIGGY_VERIFY_CLIENT_SECRET and PIGGY_VERIFY_TOKEN_URL."
)
"""The hint for an operator who uses client credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    account: tuple[str | None, Secret, str | None]
    bearer: Secret
    expires_at: float
    is_refused: bool = False


_lock: threading.Lock
_grant: _Grant | None
_dropped_at: float


def _begin() -> None:
    global _lock, _grant, _dropped_at
    _lock, _grant, _dropped_at = threading.Lock(), None, -PAUSE


_begin()
# A child process has none of the threads that would release the lock.
os.register_at_fork(after_in_child=_begin)


def bearer_token(*, timeout: float) -> Secret:
    """
    Return the token for the ``Authorization`` header, within `timeout` seconds.

    Raises ProviderRefused if none is configured or the grant is refused, and
    ProviderUnavailable if the token endpoint gives no answer.
    """
    if conf.api_key:
        return _presentable(_current_key())
    if has_client():
        return _granted(timeout)
    raise refusal("neither an API key nor client credentials are configured")


def has_client() -> bool:
    """Return whether client credentials are configured."""
    return bool(conf.client_id and conf.client_secret and conf.token_url)


def key_problems(hint: str, *, or_client: bool = False) -> Iterator[Problem]:
    """
    Return what is wrong with ``PIGGY_VERIFY_API_KEY``, without showing it.

    A callable is called. `hint` says where an operator finds the key. With `or_client`,
    client credentials can stand in for a key.
    """
    if or_client and has_client() and not conf.api_key:
        return
    if fault := _key_fault():
        yield Problem(
            text=f"PIGGY_VERIFY_API_KEY cannot be used: {fault}.",
            hint=f"{hint} Give the token alone, without 'Bearer', spaces and line "
            "breaks.",
            id="E001",
        )


def is_renewable() -> bool:
    """Return whether the next call would use another token than the refused one."""
    return not conf.api_key and not (_grant and _grant.is_refused)


def forget(bearer: Secret, *, timeout: float) -> None:
    """
    Drop the granted token if it is still `bearer`, which was refused.

    A second token is not dropped within `PAUSE`. Each new token may be refused too, or
    may end the token of another worker. Without the pause, all workers would then fetch
    tokens without end. `timeout` is the number of seconds to wait for another thread
    that is fetching a token.
    """
    if not _lock.acquire(timeout=max(0.0, timeout)):
        return
    try:
        _drop(bearer)
    finally:
        _lock.release()


def _drop(bearer: Secret) -> None:
    global _grant, _dropped_at  # noqa: PLW0603  a process has one token
    if _grant is None or _grant.bearer != bearer:
        return
    if monotonic() - _dropped_at < PAUSE:
        _grant = replace(_grant, is_refused=True)
    else:
        _grant, _dropped_at = None, monotonic()


def require_https(url: str) -> None:
    """
    Raise ProviderRefused unless a secret may be sent to `url`.

    Plain ``http`` is allowed with ``DEBUG`` only, for a sandbox.
    """
    try:
        scheme = urlsplit(url).scheme
    except ValueError:  # such as "https://["
        scheme = ""
    if scheme != "https" and not (scheme == "http" and settings.DEBUG):
        raise refusal("the configured address is not https")


def refusal(
    cause: str, *, status: int | None = None, api_code: int | str | None = None
) -> ProviderRefused:
    """Return the error for a configuration that is refused for every contact."""
    return ProviderRefused(
        cause, status=status, api_code=api_code, may_depend_on_contact=False
    )


def _current_key() -> Secret:
    if not callable(conf.api_key):
        return Secret(conf.api_key)
    try:
        key = _hidden(conf.api_key())
    except Exception as error:  # noqa: BLE001  a project's own may raise anything
        cause = f"the API key's callable: {type(error).__name__}"
    else:
        if isinstance(key, Secret):
            return key
        cause = f"the API key's callable returned {type(key).__name__}"
        del key  # it may be the key in bytes, and tracebacks show local variables
    raise refusal(cause)


def _hidden(key: Any) -> Any:
    """Wrap a text, so that no local variable shows a key."""
    return Secret(key) if isinstance(key, str) else key


def _key_fault() -> str | None:
    """Return what is wrong with the key of the current account, without the key."""
    key, name = _hidden(conf.api_key), "it"
    if callable(key):
        name = "the key that its callable returned"
        try:
            key = _hidden(key())
        except Exception as error:  # noqa: BLE001  a project's own may raise anything
            return f"its callable raised {type(error).__name__}"
    if key is None:
        return "there is none" if name == "it" else "its callable returned no key"
    if not isinstance(key, str):
        return f"{name} is of the type {type(key).__name__}"
    return _text_fault(key, name)


def _text_fault(key: str, name: str) -> str | None:
    if not key.strip():
        return f"{name} is blank"
    if any(each.isspace() for each in key):
        return f"{name} contains a space or a line break"
    if not key.isascii() or not key.isprintable():
        return f"{name} contains a character that no HTTP header may contain"
    return None


def _granted(timeout: float) -> Secret:
    global _grant  # noqa: PLW0603
    account = (conf.client_id, Secret(conf.client_secret), conf.token_url)
    deadline = monotonic() + timeout
    if not _lock.acquire(timeout=timeout):
        raise _unavailable("another thread is still waiting for its answer")
    try:
        if (
            _grant is None
            or _grant.account != account
            or monotonic() > _grant.expires_at
        ):
            _grant = _fetch_grant(account, timeout=deadline - monotonic())
        return _grant.bearer
    finally:
        _lock.release()


def _fetch_grant(
    account: tuple[str | None, Secret, str | None], *, timeout: float
) -> _Grant:
    asked_at = monotonic()
    answer = _ask_for_grant(*account, timeout=timeout)
    if answer.status in {400, 401, 403}:
        raise refusal("the client credentials are refused", status=answer.status)
    bearer, lifetime = _read_grant(answer)
    return _Grant(
        account=account, bearer=bearer, expires_at=asked_at + lifetime - MARGIN
    )


def _ask_for_grant(
    client_id: str | None,
    client_secret: Secret,
    token_url: str | None,
    *,
    timeout: float,
) -> client.Answer:
    require_https(str(token_url))
    form = {
        "grant_type": "client_credentials",
        "client_id": str(client_id),
        "client_secret": client_secret,
    }
    try:
        return client.call("POST", str(token_url), timeout=timeout, data=form)
    except ProviderUnavailable as error:
        raise _unavailable(str(error)) from error


def _read_grant(answer: client.Answer) -> tuple[Secret, float]:
    match answer.body:
        case {"access_token": str(token), "expires_in": int(lifetime)} if (
            answer.status == 200  # noqa: PLR2004
            and token
            and abs(lifetime) < durations.LONGEST
        ):
            return _presentable(Secret(token)), float(lifetime)
    raise _unavailable("the answer cannot be read", status=answer.status)


def _unavailable(cause: str, *, status: int | None = None) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"the token endpoint: {cause}", status=status, may_depend_on_contact=False
    )


def _presentable(token: Secret) -> Secret:
    """Return `token` if it fits into a header line: RFC 9110 section 5.5."""
    if not token.isascii() or not token.isprintable() or not token.strip():
        raise refusal("the bearer token has characters that no header may hold")
    return token
