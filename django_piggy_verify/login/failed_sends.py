"""
Remember why a send has failed, until the code page says so.

A send is made after the response to its request. A failure that may depend on the
contact is not remembered.
"""

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    CodeNotSent,
    ConsentMissing,
    LoginRequired,
    PiggyVerifyError,
    RecipientRefused,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Rate
from django_piggy_verify.login import challenges
from django_piggy_verify.login.logins import Login

_UNAVAILABLE, _RECIPIENT_REFUSED, _LOGIN_REQUIRED, _CONSENT_MISSING = range(1, 5)
"""
Why a send has failed, stored as the count of its row.

To the last number, a bit is added for each kind of consent that is missing.
"""


def number_of(error: PiggyVerifyError) -> int:
    """Return the number that stores this failure of a send."""
    if isinstance(error, RecipientRefused):
        return _RECIPIENT_REFUSED
    if isinstance(error, LoginRequired):
        return _LOGIN_REQUIRED
    if isinstance(error, ConsentMissing):
        kinds = enumerate(challenges.traits().consents)
        bits = (1 << place for place, kind in kinds if kind in error.kinds)
        return _CONSENT_MISSING + sum(bits)
    return _UNAVAILABLE


def claim(send_id: str, number: int = _UNAVAILABLE) -> Claim:
    """
    Return the claim that is exhausted if the send with this id has failed.

    Exhausting the claim stores the `number` of the failure.
    """
    rate = Rate(number, conf.login_ttl)
    return fixed_windows.claim("send_failed", send_id, rate=rate)


def claims(login: Login | None) -> list[Claim]:
    """Return the claim that is exhausted if the last send of `login` has failed."""
    return [claim(login.send_id)] if login and login.send_id else []


def require_sent(login: Login) -> None:
    """
    Do nothing unless the last send of this login in progress has failed.

    Raises CodeNotSent, RecipientRefused, LoginRequired or ConsentMissing.
    """
    for used in fixed_windows.usage(claims(login)):
        raise_stored(used.number)


def raise_stored(number: int) -> None:
    """Raise the exception for the failure that is stored as this `number`, if any."""
    if number == _RECIPIENT_REFUSED:
        raise RecipientRefused
    if number == _LOGIN_REQUIRED:
        raise LoginRequired("the vendor has refused the access of the user")
    if number >= _CONSENT_MISSING:
        bits, kinds = number - _CONSENT_MISSING, challenges.traits().consents
        missing = [kind for place, kind in enumerate(kinds) if bits >> place & 1]
        raise ConsentMissing(missing or kinds)
    if number:
        raise CodeNotSent
