"""The switches for errors of a sandbox. They are read at each call."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from django_piggy_verify.sandbox.errors import ApiError


class Fault(StrEnum):
    """
    Responses of a server in front of the API, which the call does not reach.

    Nothing is mailed, used or granted, and the bearer token is not checked.
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
    BLOCKED = "blocked"
    """HTTP 403 with an HTML body, as by a firewall that takes us for a robot."""


@dataclass
class Switches:
    """The errors that are switched on. By default there are none."""

    fault: Fault | None = None
    fault_on: frozenset[str] | None = None
    """The calls that `fault` and `error_code` apply to. `None` means all calls."""
    error_code: int | str | None = None
    """The error that is returned by each call that documents it.

    A number is an error of Piggy. An undocumented number is returned by all calls but
    "token". A word is an error of Verifik, Punchh or Transmit, and is returned by all
    calls of this vendor."""
    error_status: int = 400
    """The HTTP status of all errors that have a code."""
    errors_as: Literal["absent", "text", "list"] = "absent"
    """The shape of the optional member `errors`. The vendor uses all three shapes."""
    delay: float = 0.0
    """Seconds before a response is sent. The call takes effect before them."""
    bare_token: bool = False
    """auth-token returns `{"data": "eyJ..."}`, as the vendor's PHP SDK expects."""
    reuse_codes: bool = False
    """A code can be used again until it expires or is replaced."""
    flat: bool = False
    """Verifik answers without the envelope `data`, as one sample shows."""
    second_factor: bool = False
    """Verifik wants a second factor after a right code."""
    face_liveness: bool = False
    """Verifik recommends a check that a living person is there."""
    failing_profiles: int = 0
    """The number of profile calls of Punchh that fail from now on, with HTTP 500."""
    redirect_to: str = "https://elsewhere.invalid/"

    def fault_for(self, call: str) -> Fault | None:
        """Return the fault of this call, or None."""
        return self.fault if self._covers(call) else None

    def error_for(self, call: str) -> ApiError | None:
        """Return the error that is switched on for this call, or None."""
        if not isinstance(self.error_code, int) or not self._covers(call):
            return None
        error = ApiError(self.error_code)
        return error if call in error.calls else None

    def word_for(self, call: str) -> str | None:
        """Return the word of the error that is switched on for this call, or None."""
        word = self.error_code
        return word if isinstance(word, str) and self._covers(call) else None

    def _covers(self, call: str) -> bool:
        return self.fault_on is None or call in self.fault_on
