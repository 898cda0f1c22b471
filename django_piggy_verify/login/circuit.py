"""
Stop all sends for a while after a failure that affects every address.

This is the circuit breaker pattern. The circuit opens when a send fails in such a way.
While it is open, one send in `PROBE_EVERY` seconds is let through. If it succeeds, the
circuit closes. The state is stored with the counters, so all processes share it.
"""

from collections.abc import Sequence
from typing import Final

from django_piggy_verify import events
from django_piggy_verify.exceptions import ProviderUnavailable
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Exhausted, Rate, Windows

OPEN_FOR: Final = 30
"""Seconds for which the circuit stays open after the last failure."""

PROBE_EVERY: Final = 5
"""Seconds between two sends that are let through while the circuit is open."""


def take(claims: Sequence[Claim]) -> tuple[Windows, bool]:
    """
    Count a send like `fixed_windows.take`, unless the circuit is open.

    Return the windows, and whether this send is the probe of an open circuit. Raises
    Exhausted if a limit is reached. Raises ProviderUnavailable if the circuit is open.
    Nothing is counted then.
    """
    circuit = _claim()
    try:
        return fixed_windows.take(claims, unless=[circuit]), False
    except Exhausted as refusal:
        waits = dict(refusal.waits)
        wait = waits.pop(circuit.limit, None)
        if wait is None:
            raise
    if waits or not _may_probe(wait):
        raise ProviderUnavailable("the circuit is open", may_depend_on_contact=False)
    return fixed_windows.take(claims), True


def open_after(failed: Claim, *, windows: Windows, give_back: Sequence[Claim]) -> None:
    """
    Open the circuit after a send has failed, and uncount this send.

    `failed` is exhausted in the same transaction.
    """
    fixed_windows.exhaust([_claim(), failed], windows=windows, give_back=give_back)
    events.CIRCUIT_OPENED.log(seconds=OPEN_FOR)


def close() -> None:
    """Close the circuit after a probe that has succeeded."""
    forget()
    events.CIRCUIT_CLOSED.log()


def forget() -> None:
    """Forget that the circuit was opened, in case it was. Nothing is logged."""
    fixed_windows.settle({}, clear=[_claim(), _probe()])


def open_for() -> int:
    """Return the seconds for which the circuit is still open, or 0."""
    return fixed_windows.waits([_claim()]).get(_claim().limit, 0)


def _may_probe(wait: int) -> bool:
    """Return whether this caller is the one that may try, `wait` seconds too early."""
    # If the clock was set back, the circuit would stay open for too long.
    if wait > 2 * OPEN_FOR:
        return True
    try:
        fixed_windows.take([_probe()])
    except Exhausted:
        return False
    return True


def _claim() -> Claim:
    """Return the claim that is exhausted while the circuit is open."""
    return fixed_windows.claim("circuit", "", rate=Rate(1, OPEN_FOR))


def _probe() -> Claim:
    return fixed_windows.claim("circuit_probe", "", rate=Rate(1, PROBE_EVERY))
