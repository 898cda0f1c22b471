"""Examine what happens to visitors now: their addresses, and failed sends."""

from collections.abc import Iterator

from django_piggy_verify.doctor.findings import Finding, problem, warning
from django_piggy_verify.login import circuit, rate_limits
from django_piggy_verify.providers import get_provider


def client_addresses() -> Iterator[Finding]:
    """Look for visitors whose address cannot be read."""
    used = [each for each in rate_limits.usage_of_unknown_visitor() if each.number]
    if used:
        counts = ", ".join(
            f"{each.limit} {each.number}/{each.allowed}" for each in used
        )
        yield warning(
            f"The address of some visitors cannot be read, so they share one limit "
            f"({counts}).",
            "The event client_address_unknown in the log shows the text. See "
            "PIGGY_VERIFY_TRUSTED_PROXY_COUNT and PIGGY_VERIFY_CLIENT_ADDRESS.",
        )


def failed_sends() -> Iterator[Finding]:
    """Look for a circuit that is open."""
    if seconds := circuit.Circuit(get_provider().name).open_for:
        yield problem(
            f"The last code could not be sent. No codes are sent for {seconds} s, "
            f"but for one attempt in {circuit.PROBE_EVERY} s.",
            "The events provider_unavailable and provider_refused in the log name the "
            "cause.",
        )
