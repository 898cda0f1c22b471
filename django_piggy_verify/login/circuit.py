"""
Stop all sends for a while after a failure that affects every address.

This is the circuit breaker pattern. The circuit opens when a send fails in such a way.
While it is open, one send in `PROBE_EVERY` seconds is let through, as a probe. Unless
the probe fails in such a way too, the circuit closes. The state is stored with the
counters, so all processes share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django_piggy_verify import events
from django_piggy_verify.exceptions import ProviderUnavailable
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Exhausted, Rate, Windows

OPEN_FOR: Final = 30
"""Seconds for which the circuit stays open after the last failure."""

PROBE_EVERY: Final = 5
"""Seconds between two sends that are let through while the circuit is open."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """The circuit of the sends through one provider."""

    provider: str
    """The provider's `name`. Another account may work while this one does not."""

    def take(
        self, claims: Sequence[Claim], *, unless: Sequence[Claim] = ()
    ) -> tuple[Windows, bool]:
        """
        Count a send as `fixed_windows.take` does, unless the circuit is open.

        Return the windows, and whether this send is the probe of an open circuit.
        Raises Exhausted if a limit is reached. Raises ProviderUnavailable if the
        circuit is open. Nothing is counted then.
        """
        try:
            return fixed_windows.take(claims, unless=[self._state, *unless]), False
        except Exhausted as refusal:
            wait = refusal.waits.get(self._state.limit)
            if wait is None:
                raise
        # If the clock was set back, both rows would last for too long.
        is_stuck = wait > 2 * OPEN_FOR
        probe = [] if is_stuck else [self._probe]
        try:
            return fixed_windows.take([*claims, *probe], unless=unless), True
        except Exhausted:
            # It is too early for a probe, or a limit would refuse the send anyway.
            raise ProviderUnavailable(
                "the circuit is open", may_depend_on_contact=False
            ) from None

    def open_after(
        self, failed: Claim, *, windows: Windows, give_back: Sequence[Claim]
    ) -> None:
        """
        Open the circuit after a send has failed, and uncount this send.

        The same transaction exhausts `failed`, the claim that stores the failure.
        """
        fixed_windows.exhaust(
            [self._state, failed], windows=windows, give_back=give_back
        )
        events.CIRCUIT_OPENED.log(seconds=OPEN_FOR)

    def close(self) -> None:
        """Close the circuit after a probe, and log this."""
        self.forget()
        events.CIRCUIT_CLOSED.log()

    def forget(self) -> None:
        """Close the circuit if it is open, without a probe. Nothing is logged."""
        fixed_windows.settle({}, clear=[self._state, self._probe])

    @property
    def open_for(self) -> int:
        """Seconds for which the circuit is still open, or 0."""
        return fixed_windows.waits([self._state]).get(self._state.limit, 0)

    @property
    def _state(self) -> Claim:
        """The claim that is exhausted while the circuit is open."""
        return fixed_windows.claim("circuit", self.provider, rate=Rate(1, OPEN_FOR))

    @property
    def _probe(self) -> Claim:
        """The claim that is exhausted while it is too early for another probe."""
        rate = Rate(1, PROBE_EVERY)
        return fixed_windows.claim("circuit_probe", self.provider, rate=rate)
