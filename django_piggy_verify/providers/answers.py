"""
Read answers with the members ``data`` and ``errors``.

A success is ``{"data": {...}}``. An error is ``{"errors": {"<word>": ["<text>"]}}``.
Only the provider for Punchh gets such answers. This module knows none of its words.
"""

from collections.abc import Collection
from typing import Any

from django_piggy_verify.exceptions import (
    CodeRejected,
    ProviderError,
    ProviderUnavailable,
)
from django_piggy_verify.http.client import Answer
from django_piggy_verify.providers import calls, credentials
from django_piggy_verify.providers.base import TokenSet


def data_of(answer: Answer) -> dict[str, Any] | None:
    """Return the object in the ``data`` of a success, or None."""
    match calls.is_success(answer) and answer.body:
        case {"data": dict(data)}:
            return data
    return None


def tokens_of(answer: Answer) -> TokenSet | None:
    """
    Return the tokens in the ``data`` of a success, or None without an access token.

    `auth_tokens` checks `TokenSet.expires_in`. Source: RFC 6749 section 5.1.
    """
    data = data_of(answer) or {}
    access = calls.find_token(data.get("access_token"))
    if access is None:
        return None
    refresh = calls.find_token(data.get("refresh_token"))
    return TokenSet(access=access, refresh=refresh, expires_in=data.get("expires_in"))


def errors_of(answer: Answer) -> set[str]:
    """Return the words and the texts of an error. The body may be a text or a list."""
    body = answer.body
    errors = body.get("errors") if isinstance(body, dict) else body
    within = [part for each in _parts_of(errors) for part in _parts_of(each)]
    return {each for each in within if isinstance(each, str)}


def is_blocked(answer: Answer) -> bool:
    """Return whether a firewall in front of the vendor has answered, with a page."""
    return answer.status == 403 and answer.body is None  # noqa: PLR2004


def failure_of(answer: Answer, *, refusals: Collection[str]) -> ProviderError:
    """
    Return the exception for an answer that is no success.

    With one of the words `refusals`, or with the status 403, the vendor refuses our
    client.
    """
    status, said = answer.status, errors_of(answer)
    if word := next((each for each in refusals if each in said), None):
        return credentials.refusal(
            "the client is refused", status=status, api_code=word
        )
    if calls.is_success(answer):
        return calls.unreadable("it is no success")
    if is_blocked(answer) or status == 429:  # noqa: PLR2004
        # The vendor may have blocked the client address of the visitor only.
        return ProviderUnavailable(
            "a firewall or a limit has answered",
            status=status,
            may_depend_on_contact=False,
            may_depend_on_visitor=True,
        )
    if status == 403:  # noqa: PLR2004
        return credentials.refusal("the client is refused", status=status)
    return calls.failure(status, refused=())


def rejection_of(
    answer: Answer, *, refusals: Collection[str], verdicts: Collection[int]
) -> CodeRejected | ProviderError:
    """
    Return the exception for an answer to a check that is no success.

    JSON with one of the statuses `verdicts` means that the code is wrong, so that each
    guess counts. So does a success with an error in it. One of the words `refusals`
    means that the vendor refuses our client.
    """
    failure = failure_of(answer, refusals=refusals)
    is_verdict = answer.status in verdicts and answer.body is not None
    is_verdict |= calls.is_success(answer) and bool(errors_of(answer))
    return CodeRejected() if is_verdict and not failure.api_code else failure


def _parts_of(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else [value]
