"""
Check a code that a visitor has typed.

This module applies the limits, and refuses used codes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

from django.http import HttpRequest

from django_piggy_verify import events, recipients, signals
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    CodeRejected,
    CodeRepeated,
    ConsentMissing,
    LoginRefused,
    ProviderError,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Exhausted, Windows
from django_piggy_verify.login import (
    challenges,
    failed_sends,
    open_challenges,
    pending,
    rate_limits,
)
from django_piggy_verify.login.consents import GivenConsent
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge, Proof, Provider
from django_piggy_verify.providers.call_log import logged_call
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import traits_of

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

    consents: Sequence[GivenConsent]
    """The consents that were given when the code was sent."""

    settle: Callable[[BaseException | None], None]
    """
    Settle the counts, and store the outcome of the code in this login in progress.

    Takes the exception that has ended the login, or None. Makes one statement.
    """


@dataclass(frozen=True, slots=True)
class _Claims:
    """The claims of one check."""

    by_recipient: list[Claim]
    by_visitor: list[Claim]
    use: Claim
    in_login: list[Claim]

    @classmethod
    def of(cls, recipient: str, code: Secret, request: HttpRequest | None) -> Self:
        """Return the claims of a check of `code`."""
        return cls(
            rate_limits.of_check_by_recipient(recipient, request),
            rate_limits.of_check_by_visitor(recipient, request),
            *rate_limits.of_code(recipient, code, request),
        )

    @property
    def of_attempt(self) -> list[Claim]:
        """The claims that count the attempt, whatever the code is."""
        return [*self.by_recipient, *self.by_visitor]

    @property
    def of_code(self) -> list[Claim]:
        """The claims of the code, which can be exhausted once only."""
        return [self.use, *self.in_login]


def check_code(
    recipient: str, code: Secret, *, request: HttpRequest | None = None
) -> CheckedCode:
    """
    Check a code that was sent to `recipient`. The caller has to settle a right code.

    A used code is refused for ``PIGGY_VERIFY_LOGIN_TTL`` seconds, even if the provider
    would accept it.

    Raises CodeRejected, CodeRepeated, CodeNotSent, LoginRefused, TooManyAttempts,
    ConsentMissing, ProviderUnavailable, ProviderRefused. On the code page, it also
    raises RecipientRefused, if the provider has sent no code.
    """
    provider = get_provider()
    if recipients.channel_of(recipient) not in traits_of(provider).channels:
        raise CodeRejected
    claims = _Claims.of(recipient, code, request)
    windows = _take(claims, recipient, request)
    challenge = challenges.of(provider, recipient, request)
    with _settled_without_login(claims, windows):
        proof, consents = _check(provider, challenge, code, request)

    def settle(error: BaseException | None) -> None:
        outcome = _outcome_of(error)
        fixed_windows.settle(
            windows,
            give_back=claims.by_visitor,
            clear=claims.by_recipient,
            put=[(each, outcome) for each in claims.in_login],
        )
        if outcome != _NOTHING:
            open_challenges.forget(provider, recipient)

    return CheckedCode(proof, consents, settle)


def require_attempts_left(request: HttpRequest) -> None:
    """
    Raise TooManyAttempts if the login in progress has no attempts left.

    Called after a wrong code, so that no page shows a form that cannot succeed. Called
    before a resend, because the new code could not be checked.
    """
    login = pending.attached_to(request)
    if login and (waits := fixed_windows.waits([rate_limits.of_login(login)])):
        raise rate_limits.reached(waits, login.recipient, request)


def _check(
    provider: Provider,
    challenge: Challenge,
    code: Secret,
    request: HttpRequest | None,
) -> tuple[Proof, Sequence[GivenConsent]]:
    try:
        opened = open_challenges.open_newest(provider, challenge)
        with logged_call("check"):
            found = provider.check_code(opened.challenge, code)
            return Proof.of(found), opened.consents
    except CodeRejected:
        _report_rejection(challenge.recipient, request)
        raise
    except ConsentMissing:
        events.CONSENT_MISSING.log(recipient=challenge.recipient)
        raise
    except LoginRefused as refusal:
        events.LOGIN_REFUSED.log(recipient=challenge.recipient, reason=str(refusal))
        raise


@contextmanager
def _settled_without_login(claims: _Claims, windows: Windows) -> Iterator[None]:
    """Settle the counts of a check that ends with an exception."""
    try:
        yield
    except CodeRejected:
        fixed_windows.settle(windows, release=claims.of_code)
        raise
    except (ProviderError, ConsentMissing):
        fixed_windows.settle(
            windows, give_back=claims.of_attempt, release=claims.of_code
        )
        raise
    except LoginRefused:
        # Nobody can be sure that the vendor has checked the code first. So the attempt
        # stays counted, and no counts are cleared.
        outcomes = [(each, _REFUSED) for each in claims.in_login]
        fixed_windows.settle(windows, put=outcomes)
        raise


def _outcome_of(error: BaseException | None) -> int:
    if error is None:
        return _PROVED
    return _REFUSED if isinstance(error, LoginRefused) else _NOTHING


def _take(claims: _Claims, recipient: str, request: HttpRequest | None) -> Windows:
    failed = failed_sends.claims(pending.attached_to(request))
    try:
        return fixed_windows.take([*claims.of_attempt, *claims.of_code], unless=failed)
    except Exhausted as refusal:
        for each in failed:
            failed_sends.raise_stored(refusal.numbers.get(each.limit, 0))
        for each in claims.in_login:
            _raise_if_repeated(each, refusal)
        waits = {**refusal.waits}
    for each in claims.in_login:
        waits.pop(each.limit, None)
    if waits.pop(claims.use.limit, None) is None or waits:
        raise rate_limits.reached(waits, recipient, request)
    # The code was used before, so it is wrong now. It counts like any wrong code.
    with suppress(Exhausted):
        fixed_windows.take(claims.of_attempt)
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
