"""
Check a code that a visitor has typed.

This module applies the limits, and refuses used codes.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from django.http import HttpRequest

from django_piggy_verify import events, signals
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    CodeNotSent,
    CodeRejected,
    CodeRepeated,
    LoginRefused,
    ProviderError,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Exhausted, Windows
from django_piggy_verify.login import challenges, pending, rate_limits
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Proof
from django_piggy_verify.providers.call_log import logged_call
from django_piggy_verify.secret import Secret

_NOTHING, _UNDER_WAY, _PROVED, _REFUSED = range(4)
"""
The outcome of a code in a login in progress, stored as the count of its row.

After a wrong code or an outage, no outcome is stored. So the code can be posted again.
"""


@dataclass(frozen=True, slots=True)
class CheckedCode:
    """A code that was right, but whose counts are not settled."""

    proof: Proof
    """The contact that the code proved, with the token and the hint, if any."""

    settle: Callable[[BaseException | None], None]
    """
    Settle the counts, and store the outcome of the code in this login in progress.

    Takes the exception that has ended the login, or None. Makes one statement.
    """


def check_code(
    recipient: str, code: Secret, *, request: HttpRequest | None = None
) -> CheckedCode:
    """
    Check a code that was mailed to `recipient`. The caller has to settle a right code.

    A used code is refused for ``PIGGY_VERIFY_LOGIN_TTL`` seconds, even if the provider
    would accept it.

    Raises CodeRejected, CodeRepeated, CodeNotSent, LoginRefused, TooManyAttempts,
    ProviderUnavailable, ProviderRefused.
    """
    by_recipient = rate_limits.of_check_by_recipient(recipient, request)
    by_visitor = rate_limits.of_check_by_visitor(recipient, request)
    use, in_login = rate_limits.of_code(recipient, code, request)
    counted = [*by_recipient, *by_visitor]
    windows = _take_for_check(counted, use, in_login, (recipient, request))

    def settle(error: BaseException | None) -> None:
        fixed_windows.settle(
            windows,
            give_back=by_visitor,
            clear=by_recipient,
            put=[(each, _outcome_of(error)) for each in in_login],
        )

    try:
        proof = _check(recipient, code, request)
    except CodeRejected:
        fixed_windows.settle(windows, release=[use, *in_login])
        raise
    except ProviderError:
        fixed_windows.settle(windows, give_back=counted, release=[use, *in_login])
        raise
    except LoginRefused as refusal:
        # Nobody can be sure that the vendor has checked the code first. So the attempt
        # stays counted, and no counts are cleared.
        fixed_windows.settle(windows, put=[(each, _REFUSED) for each in in_login])
        events.LOGIN_REFUSED.log(recipient=recipient, reason=str(refusal))
        raise
    return CheckedCode(proof, settle)


def require_attempts_left(request: HttpRequest) -> None:
    """
    Raise TooManyAttempts if the login in progress has no attempts left.

    Called after a wrong code, so that no page shows a form that cannot succeed. Called
    before a resend, because the new code could not be checked.
    """
    login = pending.attached_to(request)
    if login and (waits := fixed_windows.waits([rate_limits.of_login(login)])):
        raise rate_limits.reached(waits, login.recipient, request)


def _check(recipient: str, code: Secret, request: HttpRequest | None) -> Proof:
    provider = get_provider()
    challenge = challenges.of(provider, recipient, request)
    try:
        with logged_call("check"):
            return Proof.of(provider.check_code(challenge, code))
    except CodeRejected:
        _report_rejection(recipient, request)
        raise


def _outcome_of(error: BaseException | None) -> int:
    if error is None:
        return _PROVED
    return _REFUSED if isinstance(error, LoginRefused) else _NOTHING


def _take_for_check(
    claims: list[Claim],
    use: Claim,
    in_login: list[Claim],
    asked: tuple[str, HttpRequest | None],
) -> Windows:
    recipient, request = asked
    failed = rate_limits.of_failed_send(pending.attached_to(request))
    try:
        return fixed_windows.take([*claims, use, *in_login], unless=failed)
    except Exhausted as refusal:
        if any(each.limit in refusal.waits for each in failed):
            raise CodeNotSent from None
        for each in in_login:
            _raise_if_repeated(each, refusal)
        waits = {**refusal.waits}
    for each in in_login:
        waits.pop(each.limit, None)
    if waits.pop(use.limit, None) is None or waits:
        raise rate_limits.reached(waits, recipient, request)
    # The code was used before, so it is wrong now. It counts like any wrong code.
    with suppress(Exhausted):
        fixed_windows.take(claims)
    _report_rejection(recipient, request)
    raise CodeRejected


def _raise_if_repeated(in_login: Claim, refusal: Exhausted) -> None:
    """Raise the exception for a code that this login in progress has posted before."""
    outcome = refusal.numbers.get(in_login.limit, _NOTHING)
    if outcome == _REFUSED:
        raise LoginRefused("the same code was refused in the same login in progress")
    age = in_login.rate.period - refusal.waits.get(in_login.limit, 0)
    # If a process dies, the stored outcome stays "under way". After this time, the
    # code is treated as wrong.
    if outcome == _PROVED or (outcome == _UNDER_WAY and age <= 2 * conf.timeout):
        raise CodeRepeated(was_right=outcome == _PROVED)


def _report_rejection(recipient: str, request: HttpRequest | None) -> None:
    events.CODE_REJECTED.log(recipient=recipient)
    signals.code_rejected.send_robust(
        type(get_provider()), recipient=recipient, request=request
    )
