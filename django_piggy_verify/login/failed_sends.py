"""
Remember why a send has failed, until the code page says so.

A send is made after the response to its request. A failure that may depend on the
contact is not remembered.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    CodeNotSent,
    ConsentMissing,
    PiggyVerifyError,
    RecipientRefused,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Rate
from django_piggy_verify.login import challenges
from django_piggy_verify.login.pending import Login


class SendFailure(IntEnum):
    """Why a send has failed, stored as the count of its row."""

    UNAVAILABLE = 1
    RECIPIENT_REFUSED = 2
    CONSENT_MISSING = 3

    @classmethod
    def of(cls, error: PiggyVerifyError) -> "SendFailure":
        """Return the failure that `error` stands for."""
        found = (each for kind, each in _FAILURES.items() if isinstance(error, kind))
        return next(found, cls.UNAVAILABLE)


_FAILURES: Final[Mapping[type[PiggyVerifyError], SendFailure]] = {
    RecipientRefused: SendFailure.RECIPIENT_REFUSED,
    ConsentMissing: SendFailure.CONSENT_MISSING,
}


def claim(send_id: str, failure: SendFailure = SendFailure.UNAVAILABLE) -> Claim:
    """
    Return the claim that is exhausted if the send with this id has failed.

    Exhausting the claim stores the `failure`.
    """
    rate = Rate(failure, conf.login_ttl)
    return fixed_windows.claim("send_failed", send_id, rate=rate)


def claims(login: Login | None) -> list[Claim]:
    """Return the claim that is exhausted if the last send of `login` has failed."""
    return [claim(login.send_id)] if login and login.send_id else []


def require_sent(login: Login) -> None:
    """
    Do nothing unless the last send of this login in progress has failed.

    Raises CodeNotSent, RecipientRefused or ConsentMissing.
    """
    for used in fixed_windows.usage(claims(login)):
        raise_stored(used.number)


def raise_stored(number: int) -> None:
    """Raise the exception for the failure that is stored as this `number`, if any."""
    if number == SendFailure.RECIPIENT_REFUSED:
        raise RecipientRefused
    if number == SendFailure.CONSENT_MISSING:
        raise ConsentMissing(challenges.traits().consents)
    if number:
        raise CodeNotSent
