"""What each outcome means: for the visitor, for the log, and for the counts."""

from dataclasses import dataclass, field

from tests.conformance.adapters import Outcome
from tests.conformance.visit import Seen

SEND = dict.fromkeys(
    ["send_cooldown", "send_recipient", "send_recipient_day", "send_ip"], 1
)
# Counted beside the others if the code goes to a number.
SMS = dict.fromkeys(["send_sms_ip", "send_sms_range", "send_sms_day"], 1)
CHECK = dict.fromkeys(
    ["check_login", "check_recipient", "check_recipient_day", "check_ip"], 1
)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What an outcome means."""

    html: tuple[int, str]
    """The status and the page, as in `Seen`.

    "{by}" names the form for numbers, and "{first}" the first consent.
    """
    json: tuple[int, str]
    """The same for a script."""
    events: list[str] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    user: str = ""

    def seen(self, adapter, *, is_script, is_received=True):
        """Return what must be seen. A lost request is in no record of the vendor."""
        status, page = self.json if is_script else self.html
        missing = [f"missing={each}" for each in adapter.consents]
        page = page.format(
            by="&by=phone" if adapter.is_by_phone else "",
            first=next(iter(missing), ""),
        )
        calls = self.calls if is_received else []
        is_text = adapter.is_by_phone and self.counted == SEND
        counted = SEND | SMS if is_text else self.counted
        return Seen(status, page, self.events, counted, calls, self.user)


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


def _led_back(query, code, **more):
    """The first page shows the form again, with the error at the field."""
    return Expectation(
        html=(302, f"/login/?{query}{{by}}"),
        json=(400, code),
        events=[f"INFO {more['event']}"],
        counted=more["counted"],
        calls=[more["call"]],
    )


def _spent(event):
    return Expectation(
        html=(503, "spent.html"),
        json=(503, "provider_unavailable"),
        events=[event],
        calls=["check"],
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
    # No circuit limits the calls of this visitor, so the client address stays counted.
    Outcome.SEND_BLOCKED: Expectation(
        html=(503, "unsent.html"),
        json=(503, "provider_unavailable"),
        events=["WARNING provider_unavailable"],
        counted={"send_failed": 1, "send_ip": 1},
        calls=["send"],
    ),
    Outcome.SEND_REFUSED: _unsent("ERROR provider_refused"),
    # The send is not counted. One row says how it has failed. Another one counts the
    # refusals, because each of them costs a call.
    Outcome.RECIPIENT_REFUSED: _led_back(
        "refused=1",
        "invalid",
        event="recipient_refused",
        counted={"send_failed": 2, "send_refused_ip": 1},
        call="send",
    ),
    # The row says that the first consent is missing, by one bit.
    Outcome.CONSENT_MISSING: _led_back(
        "{first}",
        "consent_required",
        event="consent_missing",
        counted={"send_failed": 5, "send_refused_ip": 1},
        call="send",
    ),
    Outcome.CONSENT_REQUIRED: Expectation(
        html=(200, "email.html consent_required"), json=(400, "consent_required")
    ),
    Outcome.LOGGED_IN: Expectation(
        html=(302, "/members/"),
        json=(200, "/members/"),
        events=["INFO contact_verified"],
        # The code is used, and this login in progress knows that it was right.
        counted={"code_use": 1, "code_login": 2},
        calls=["check"],
        user="ann",
    ),
    Outcome.REJECTED: _rejected("check"),
    Outcome.REJECTED_HERE: _rejected(),
    Outcome.CHECK_UNAVAILABLE: _unchecked("WARNING provider_unavailable"),
    Outcome.CHECK_REFUSED: _unchecked("ERROR provider_refused"),
    Outcome.CHECK_LACKS_CONSENT: _led_back(
        "{first}",
        "consent_required",
        event="consent_missing",
        counted={},
        call="check",
    ),
    Outcome.CODE_SPENT: _spent("WARNING provider_unavailable"),
    Outcome.CODE_SPENT_REFUSED: _spent("ERROR provider_refused"),
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
