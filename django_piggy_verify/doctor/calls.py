"""Turn the outcome of a call to the live API into findings."""

from collections.abc import Callable
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from django_piggy_verify.doctor.findings import Finding, good, problem
from django_piggy_verify.exceptions import (
    PiggyVerifyError,
    ProviderError,
    ProviderRefused,
)
from django_piggy_verify.providers import base_url, get_provider

_HINTS: Final = {
    404: "PIGGY_VERIFY_BASE_URL is wrong. Correct or remove it.",
    429: "The API limits the number of calls. Try again later.",
}
_REFUSAL_HINT: Final = "Look at the key and the account at the vendor."


def timed(call: Callable[[], object]) -> tuple[object, float]:
    """Return the outcome of a call, and the seconds that it took."""
    began = monotonic()
    return outcome_of(call), monotonic() - began


def outcome_of(call: Callable[[], object]) -> object:
    """Return the result of a call, or the error of this package that it raises."""
    try:
        return call()
    except PiggyVerifyError as error:
        return error


def failure(error: ProviderError) -> Finding:
    """Return the problem. The hint depends on who must fix it."""
    if isinstance(error, ProviderRefused):
        return problem(
            f"The API refuses the call: {cause(error)}.",
            str(getattr(get_provider(), "refusal_hint", "")) or _REFUSAL_HINT,
        )
    return problem(
        f"The API cannot be used: {cause(error)}.",
        _HINTS.get(
            error.status or 0,
            "Look at the network, the URL, the proxy, the certificates and "
            "PIGGY_VERIFY_TIMEOUT. The API may also be down.",
        ),
    )


def cause(error: ProviderError) -> str:
    """Return the cause of a failure, with the numbers of the vendor."""
    known = {"status": error.status, "code": error.api_code}
    numbers = ", ".join(f"{name} {each}" for name, each in known.items() if each)
    return f"{error} ({numbers})" if numbers else str(error)


def accepted(took: float) -> Finding:
    """Return the finding that a call was accepted, after so many seconds."""
    way = "with" if urlsplit(base_url()).scheme == "https" else "without"
    return good(f"The API accepts the calls. It answered in {took:.2f} s, {way} TLS.")
