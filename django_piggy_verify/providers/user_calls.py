"""
Use the access of a user who is logged in at the vendor.

Only a provider with the trait `wants_user_access` needs it.
"""

from collections.abc import Mapping

from django_piggy_verify.exceptions import LoginRequired
from django_piggy_verify.http.client import Answer
from django_piggy_verify.providers import calls
from django_piggy_verify.providers.base import Challenge, UserAccess
from django_piggy_verify.secret import Secret, is_token


def state_of(challenge: Challenge) -> Mapping[str, Secret]:
    """
    Return the state of a new challenge, for `uid_of`.

    Raises LoginRequired without an access token.
    """
    return {"uid": Secret(_require(challenge).uid)}


def uid_of(challenge: Challenge) -> str:
    """
    Return the vendor's id of the user, who must be the same as at the send.

    Raises LoginRequired without an access token, or if another user asked for the send.
    """
    uid = _require(challenge).uid
    if not challenge.is_of_user:
        raise LoginRequired("another user asked for the code or the link")
    return uid


def post(
    challenge: Challenge, path: str, *, base_url: str, json: Mapping[str, object]
) -> Answer:
    """
    Make one POST with the access token of the user.

    Raises LoginRequired without an access token, and if the vendor returns the status
    401: RFC 6750, section 3.1. Otherwise it is like `calls.call_as`.
    """
    token = _require(challenge).token
    answer = calls.call_as(token, "POST", path, base_url=base_url, json=json)
    if answer.status == 401:  # noqa: PLR2004
        raise LoginRequired("the vendor refuses the access token of the user")
    return answer


def _require(challenge: Challenge) -> UserAccess:
    access = challenge.access
    if access is None or not is_token(access.token):
        raise LoginRequired("there is no access token of the user")
    return access
