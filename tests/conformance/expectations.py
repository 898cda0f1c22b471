"""What each outcome means: for the visitor, for the log, and for the counts."""

from dataclasses import dataclass, field

from tests.conformance.adapters import Outcome
from tests.conformance.visit import Seen
from tests.steps import ADDRESS

SEND = dict.fromkeys(
    ["send_cooldown", "send_recipient", "send_recipient_day", "send_ip"], 1
)
CHECK = dict.fromkeys(
    ["check_login", "check_recipient", "check_recipient_day", "check_ip"], 1
)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What an outcome means."""

    html: tuple[int, str]
    """The status and the page, as in `Seen`."""
    json: tuple[int, str]
    """The same for a script."""
    events: list[str] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    user: str = ""

    def seen(self, *, is_script, is_received=True):
        """Return what must be seen. A lost request is in no record of the vendor."""
        status, page = self.json if is_script else self.html
        calls = self.calls if is_received else []
        return Seen(status, page, self.events, self.counted, calls, self.user)


def _sent(event):
    return Expectation(
        html=(200, "code.html"),
        json=(200, ""),
        events=[event],
        counted=SEND,
        calls=["send"],
    )


def _unsent(event):
    return Expectation(
        html=(503, "unsent.html"),
        json=(503, "provider_unavailable"),
        events=[event, "WARNING circuit_opened"],
        # The send itself is not counted.
        counted={"circuit": 1, "send_failed": 1},
        calls=["send"],
    )


def _rejected(*calls):
    return Expectation(
        html=(200, "code.html code_rejected"),
        json=(400, "code_rejected"),
        events=["INFO code_rejected"],
        counted=CHECK,
        calls=[*calls],
    )


def _unchecked(event):
    return Expectation(
        html=(503, "unavailable.html"),
        json=(503, "provider_unavailable"),
        events=[event],
        calls=["check"],
    )


EXPECTATIONS = {
    Outcome.SENT: _sent("INFO code_sent"),
    Outcome.LOOKS_SENT: _sent("ERROR send_uncertain"),
    Outcome.STRANGER: _sent("INFO contact_unknown"),
    Outcome.SEND_UNAVAILABLE: _unsent("WARNING provider_unavailable"),
    Outcome.SEND_REFUSED: _unsent("ERROR provider_refused"),
    Outcome.LOGGED_IN: Expectation(
        html=(302, "/members/"),
        json=(200, "/members/"),
        events=["INFO contact_verified"],
        # The code is used, and this login in progress knows that it was right.
        counted={"code_use": 1, "code_login": 2},
        calls=["check"],
        user=ADDRESS,
    ),
    Outcome.REJECTED: _rejected("check"),
    Outcome.REJECTED_HERE: _rejected(),
    Outcome.CHECK_UNAVAILABLE: _unchecked("WARNING provider_unavailable"),
    Outcome.CHECK_REFUSED: _unchecked("ERROR provider_refused"),
    Outcome.LOGIN_REFUSED: Expectation(
        html=(403, "refused.html"),
        json=(403, "login_refused"),
        events=["WARNING login_refused"],
        # The code is used, and this login in progress knows that it was refused.
        # Nobody can be sure that the code was right, so the attempt counts too.
        counted={"code_use": 1, "code_login": 3, **CHECK},
        calls=["check"],
    ),
    Outcome.BLANK: Expectation(html=(200, "code.html required"), json=(400, "invalid")),
    Outcome.REPEATED: Expectation(html=(302, "/members/"), json=(200, "/members/")),
}
