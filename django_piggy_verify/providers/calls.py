"""
Make a call to the API of a vendor, with our bearer token or another one.

A vendor's module gives the path and the body, and decides what the answer means.
"""

from collections.abc import Callable, Collection, Mapping
from time import monotonic
from typing import Final, TypeVar

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.http import client
from django_piggy_verify.http.client import Answer
from django_piggy_verify.providers import credentials
from django_piggy_verify.secret import Secret, is_token

_Result = TypeVar("_Result")

NOT_ABOUT_A_CONTACT: Final = frozenset({429, 502, 503, 504})
"""The statuses of an overloaded or broken server. They affect all contacts alike."""


def call(  # noqa: PLR0913  the parts of an HTTP request
    method: str,
    path: str,
    *,
    base_url: str,
    timeout: float | None = None,
    headers: Mapping[str, str | None] | None = None,
    json: Mapping[str, object] | None = None,
) -> Answer:
    """
    Make one call with our bearer token, within `timeout` seconds.

    ``PIGGY_VERIFY_BASE_URL`` replaces the vendor's own `base_url`. The default of
    `timeout` is ``PIGGY_VERIFY_TIMEOUT``. If the bearer token is refused, the next call
    gets a new one, if there can be one.

    Raises ProviderRefused if the URL is not https, or if there is no bearer token.
    Raises ProviderUnavailable without a complete answer.
    """
    url = _url(path, base_url)
    deadline = monotonic() + (conf.timeout if timeout is None else timeout)
    bearer = credentials.bearer_token(timeout=deadline - monotonic())
    left = deadline - monotonic()
    answer = client.call(
        method, url, bearer=bearer, timeout=left, headers=headers, json=json
    )
    if answer.status == 401:  # noqa: PLR2004
        credentials.forget(bearer, timeout=deadline - monotonic())
    return answer


def call_as(  # noqa: PLR0913  the parts of an HTTP request
    bearer: Secret | None,
    method: str,
    path: str,
    *,
    base_url: str = "",
    timeout: float | None = None,
    headers: Mapping[str, str | None] | None = None,
    json: Mapping[str, object] | None = None,
) -> Answer:
    """
    Make one call with a person's access token or, with None, without a bearer token.

    It uses none of our credentials. Otherwise it is like `call`. Leave out `base_url`
    if the vendor has none of its own.
    """
    seconds = conf.timeout if timeout is None else timeout
    return client.call(
        method,
        _url(path, base_url),
        bearer=bearer,
        timeout=seconds,
        headers=headers,
        json=json,
    )


def _url(path: str, base_url: str) -> str:
    base = base_url if conf.base_url is None else str(conf.base_url)
    url = f"{base.rstrip('/')}/{path}"
    credentials.require_https(url)
    return url


def repeated_once(
    call: Callable[[float], _Result],
    *,
    deadline: float,
    when: Callable[[ProviderError], bool],
) -> _Result:
    """
    Return the result of `call`. Call once more if `when` accepts the first error.

    `call` gets the seconds until the `deadline`. After the deadline, nothing is
    repeated. Use this only for calls that are safe to repeat. A request can take effect
    even if its response is lost.
    """
    try:
        return call(deadline - monotonic())
    except ProviderError as error:
        left = deadline - monotonic()
        if left <= 0 or not when(error):
            raise
    # Outside the handler, because the first error would become the cause of the second.
    return call(left)


def is_outage(error: ProviderError) -> bool:
    """Return whether there was no answer, or an unreadable one, or a server error."""
    is_ours = isinstance(error, ProviderRefused)
    return not is_ours and (error.status is None or error.status >= 500)  # noqa: PLR2004


def is_success(answer: Answer) -> bool:
    """Return whether the HTTP status is one of success."""
    return 200 <= answer.status < 300  # noqa: PLR2004


def failure(
    status: int, api_code: int | str | None = None, *, refused: Collection[int]
) -> ProviderError:
    """
    Return the exception for an answer that is an error.

    With a status in `refused`, the vendor refuses our key. Otherwise the vendor did not
    do what the call asked for.
    """
    if status in refused:
        return credentials.refusal("the key is refused", status=status)
    return ProviderUnavailable(
        "the answer is an error",
        status=status,
        api_code=api_code,
        may_depend_on_contact=status not in NOT_ABOUT_A_CONTACT,
    )


def no_success(answer: Answer, *, refused: Collection[int] = ()) -> ProviderError:
    """Return the exception for an answer of any status that is no success."""
    if is_success(answer):
        return unreadable("it is no success", status=answer.status)
    return failure(answer.status, refused=refused)


def unreadable(what: str, *, status: int | None = None) -> ProviderUnavailable:
    """Return the exception for an answer that is no error, but not a success either."""
    return ProviderUnavailable(f"the answer cannot be read: {what}", status=status)


def token_in(value: object) -> Secret:
    """Return a token of an answer. Raises ProviderUnavailable if it is none."""
    token = find_token(value)
    if token is None:
        raise unreadable("it has no auth token")
    return token


def find_token(value: object) -> Secret | None:
    """Return a token of an answer, or None if `value` is no token."""
    return Secret(value) if is_token(value) else None
