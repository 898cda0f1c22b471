"""How a sandbox is told to misbehave. Read at each call, so a change acts at once."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from django_piggy_verify.sandbox.errors import ApiError


class Fault(StrEnum):
    """
    Answers that come from in front of the API, so that no rule of it is run.

    Nothing is mailed, used up or granted, and no bearer token is looked at.
    """

    OUTAGE = "outage"
    """HTTP 500 with an HTML body."""
    MAINTENANCE = "maintenance"
    """HTTP 503 with an HTML body: Piggy's maintenance mode."""
    MALFORMED = "malformed"
    """HTTP 200 with an HTML body."""
    NO_DATA = "no_data"
    """HTTP 200 with JSON that lacks `data`."""
    RATE_LIMITED = "rate_limited"
    """HTTP 429 with `Retry-After`."""
    UNAUTHORIZED = "unauthorized"
    """HTTP 401, `invalid_token`."""
    EMPTY = "empty"
    """HTTP 200 without a body."""
    REDIRECT = "redirect"
    """HTTP 302 to `Switches.redirect_to`."""


@dataclass
class Switches:
    """The misbehaviour that is on; a fresh one has none."""

    fault: Fault | None = None
    fault_on: frozenset[str] | None = None
    """The calls that `fault` and `error_code` apply to; `None`: all of them."""
    error_code: int | None = None
    """Forced on the calls that document it; one undocumented, on all but "token"."""
    error_status: int = 400
    """HTTP status of every error that has a code, forced or not."""
    errors_as: Literal["absent", "text", "list"] = "absent"
    """Shape of the optional `errors` member: the vendor answers with all three."""
    delay: float = 0.0
    """Seconds an answer is held back, after the call has had its effect."""
    bare_token: bool = False
    """auth-token answers `{"data": "eyJ..."}`, as in the vendor's PHP SDK."""
    reuse_codes: bool = False
    """A code stays good after it was used, until it expires or is replaced."""
    redirect_to: str = "https://elsewhere.invalid/"

    def fault_for(self, call: str) -> Fault | None:
        """Answer the fault that stands in the way of this call, if any."""
        return self.fault if self._covers(call) else None

    def error_for(self, call: str) -> ApiError | None:
        """Answer the error forced on this call, if any."""
        if self.error_code is None or not self._covers(call):
            return None
        error = ApiError(self.error_code)
        return error if call in error.calls else None

    def _covers(self, call: str) -> bool:
        return self.fault_on is None or call in self.fault_on
