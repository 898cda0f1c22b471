"""
Make a check that is counted, and settle its counts afterwards.

A used code is refused. If the same login in progress posts a code again, the outcome is
the same as before.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Self

from django.http import HttpRequest

from django_piggy_verify import events
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    AlreadyConnected,
    CodeRejected,
    CodeRepeated,
    ConsentMissing,
    ContactTaken,
    LoginRefused,
    LoginRequired,
    PiggyVerifyError,
    ProviderError,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Exhausted, Windows
from django_piggy_verify.login import (
    failed_sends,
    open_challenges,
    pending,
    rate_limits,
)
from django_piggy_verify.login.consents import GivenConsent
from django_piggy_verify.providers.base import Challenge, Identity, Proof, Provider
from django_piggy_verify.providers.call_log import logged_call
from django_piggy_verify.secret import Secret

_NOTHING, _UNDER_WAY, _PROVED, _REFUSED, _TAKEN, _SECOND = range(6)
"""
The outcome of a code in a login in progress, stored as the count of its row.

After a wrong code or an outage, no outcome is stored. So the code can be posted again.
"""

_OUTCOMES: Final[Mapping[type[PiggyVerifyError], int]] = {
    LoginRefused: _REFUSED,
    ContactTaken: _TAKEN,
    AlreadyConnected: _SECOND,
}
"""The outcomes of a right code that an exception ends, also if it is posted again."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The claims of one check."""

    by_visitor: list[Claim]
    by_recipient: list[Claim] = field(default_factory=list)
    use: list[Claim] = field(default_factory=list)
    in_login: list[Claim] = field(default_factory=list)

    @classmethod
    def of_code(cls, recipient: str, code: Secret, request: HttpRequest | None) -> Self:
        """Return the claims of a check of `code`."""
        use, in_login = rate_limits.of_code(recipient, code, request)
        return cls(
            by_recipient=rate_limits.of_check_by_recipient(recipient, request),
            by_visitor=rate_limits.of_check_by_visitor(recipient, request),
            use=[use],
            in_login=in_login,
        )

    @classmethod
    def of_link(cls, recipient: str, request: HttpRequest) -> Self:
        """Return the claims of a check of a link. Nobody can guess a link."""
        use, in_login = rate_limits.of_link(recipient, request)
        return cls(
            by_visitor=rate_limits.of_check_by_visitor(recipient, request),
            use=[use],
            in_login=in_login,
        )

    @property
    def of_attempt(self) -> list[Claim]:
        """The claims that count the attempt, whatever the code is."""
        return [*self.by_recipient, *self.by_visitor]

    @property
    def once(self) -> list[Claim]:
        """The claims of the code, which can be exhausted once only."""
        return [*self.use, *self.in_login]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedCheck:
    """A check of a code or a link, which is counted before the call."""

    provider: Provider
    challenge: Challenge
    request: HttpRequest | None
    claims: Claims
    check: Callable[[Challenge], Identity | Proof]
    """Makes the call."""

    report: Callable[[], None]
    """Logs a rejection."""

    def make(self) -> CheckedCode:
        """Count the check, make it, and return what it has proved."""
        windows, provider = self._take(), self.provider
        with _settled_without_proof(self.claims, windows), self._reported():
            opened = open_challenges.open_newest(provider, self.challenge)
            with logged_call("check"):
                proof = Proof.of(self.check(opened.challenge))

        def settle(error: BaseException | None) -> None:
            self._settle(windows, _outcome_of(error))

        return CheckedCode(proof, opened.consents, settle)

    def _take(self) -> Windows:
        claims = self.claims
        failed = failed_sends.claims(pending.attached_to(self.request))
        try:
            attempt = [*claims.of_attempt, *claims.once]
            return fixed_windows.take(attempt, unless=failed)
        except Exhausted as refusal:
            for each in failed:
                failed_sends.raise_stored(refusal.numbers.get(each.limit, 0))
            for each in claims.in_login:
                _raise_if_repeated(each, refusal)
            waits = {**refusal.waits}
        for each in claims.in_login:
            waits.pop(each.limit, None)
        is_used = any(waits.pop(each.limit, None) is not None for each in claims.use)
        if waits or not is_used:
            raise rate_limits.reached(waits, self.challenge.recipient, self.request)
        # The code was used before, so it is wrong now. It counts like any wrong code.
        with suppress(Exhausted):
            fixed_windows.take(claims.of_attempt)
        self.report()
        raise CodeRejected

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Log how the check ended, if it proved nothing."""
        recipient = self.challenge.recipient
        try:
            yield
        except CodeRejected:
            self.report()
            raise
        except ConsentMissing:
            events.CONSENT_MISSING.log(recipient=recipient)
            raise
        except ContactTaken:
            events.CONTACT_TAKEN.log(recipient=recipient)
            raise
        except LoginRefused as refusal:
            events.LOGIN_REFUSED.log(recipient=recipient, reason=str(refusal))
            raise
        except LoginRequired as refusal:
            events.LOGIN_REQUIRED.log(recipient=recipient, reason=str(refusal))
            raise

    def _settle(self, windows: Windows, outcome: int) -> None:
        claims = self.claims
        fixed_windows.settle(
            windows,
            give_back=claims.by_visitor,
            clear=claims.by_recipient,
            put=[(each, outcome) for each in claims.in_login],
        )
        if outcome != _NOTHING:
            open_challenges.forget(self.provider, self.challenge.recipient)


@contextmanager
def _settled_without_proof(claims: Claims, windows: Windows) -> Iterator[None]:
    """Settle the counts of a check that ends with an exception."""
    try:
        yield
    except (CodeRejected, ContactTaken):
        # The vendor may say that a contact is taken before it looks at the code.
        fixed_windows.settle(windows, release=claims.once)
        raise
    except (ProviderError, ConsentMissing, LoginRequired):
        fixed_windows.settle(windows, give_back=claims.of_attempt, release=claims.once)
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
    found = (number for kind, number in _OUTCOMES.items() if isinstance(error, kind))
    return next(found, _NOTHING)


def _raise_if_repeated(in_login: Claim, refusal: Exhausted) -> None:
    """Raise the exception for a code that this login in progress has posted before."""
    outcome = refusal.numbers.get(in_login.limit, _NOTHING)
    for kind, number in _OUTCOMES.items():
        if outcome == number:
            raise kind("the same code was refused in the same login in progress")
    age = in_login.rate.period - refusal.waits.get(in_login.limit, 0)
    # If a process dies, the stored outcome stays "under way". After this time, the
    # code is treated as wrong.
    if outcome == _PROVED or (outcome == _UNDER_WAY and age <= 2 * conf.timeout):
        raise CodeRepeated(was_right=outcome == _PROVED)
