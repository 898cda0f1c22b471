"""What each outcome means: for the visitor, for the log, and for the counts."""

from dataclasses import dataclass, field, replace

from tests.conformance.outcomes import Outcome
from tests.conformance.visit import Seen

SEND = dict.fromkeys(
    ["send_cooldown", "send_recipient", "send_recipient_day", "send_ip"], 1
)
# Counted beside the others if the code goes to a number.
SMS = dict.fromkeys(["send_sms_ip", "send_sms_range", "send_sms_day"], 1)
CHECK = dict.fromkeys(
    ["check_login", "check_recipient", "check_recipient_day", "check_ip"], 1
)
# Nobody can guess a link, so its check is not counted for the recipient.
CHECK_LINK = dict.fromkeys(["check_login", "check_ip"], 1)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What an outcome means."""

    html: tuple[int, str]
    """The status and the page, as in `Seen`.

    Templates have the names of the login pages. "{start}" is the URL of the first page,
    "{done}" the one that a right code leads to. "{by}" names the form for numbers, and
    "{first}" the first consent.
    """
    json: tuple[int, str]
    """The same for a script."""
    events: list[str] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    person: str = ""
    is_new_session: bool = False

    def seen(self, adapter, pages, *, is_script, is_received=True):
        """Return what must be seen. A lost request is in no record of the vendor."""
        status, page = self.json if is_script else self.html
        template, *error = page.split(" ")
        page = " ".join([pages.templates.get(template, template), *error])
        return Seen(
            status,
            page.format(
                start=pages.start,
                done=pages.done,
                by="&by=phone" if adapter.is_by_phone else "",
                first=next((f"missing={each}" for each in adapter.consents), ""),
            ),
            self.events,
            self._counted(adapter),
            self.calls if is_received else self.calls[1:],
            self.person,
            self.is_new_session,
        )

    def _counted(self, adapter):
        is_text = adapter.is_by_phone and self.counted == SEND
        return SEND | SMS if is_text else self.counted

    def before(self, other):
        """Return what is seen if another outcome follows this one."""
        return replace(
            other,
            events=self.events + other.events,
            counted=self.counted | other.counted,
            calls=self.calls + other.calls,
        )


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
        html=(302, f"{{start}}?{query}{{by}}"),
        json=(400, code),
        events=[f"INFO {more['event']}"],
        counted=more["counted"],
        calls=[more["call"]],
    )


def _blocked(event):
    # No circuit limits the calls of this visitor, so the client address stays counted.
    return Expectation(
        html=(503, "unsent.html"),
        json=(503, "provider_unavailable"),
        events=[event],
        counted={"send_failed": 1, "send_ip": 1},
        calls=["send"],
    )


def _login_required(event, *calls, **counted):
    return Expectation(
        html=(403, "login_required.html"),
        json=(403, "login_required"),
        events=[f"INFO {event}"],
        counted=counted,
        calls=[*calls],
    )


def _conflict(code, **more):
    return Expectation(
        html=(409, "connect_conflict.html"),
        json=(409, code),
        events=[f"INFO {code}"],
        calls=["check"],
        **more,
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


def _not_followed(*calls):
    return Expectation(
        html=(200, "connect_link.html link_not_followed"),
        json=(409, "link_not_followed"),
        events=["INFO link_not_followed"],
        counted=CHECK_LINK,
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
    Outcome.SEND_BLOCKED: _blocked("WARNING provider_unavailable"),
    Outcome.SEND_BLOCKED_REFUSED: _blocked("ERROR provider_refused"),
    Outcome.SEND_TAKEN: _sent("INFO contact_taken"),
    # The send is not counted, as after the next two outcomes.
    Outcome.SEND_LACKS_LOGIN: _login_required(
        "login_required", "send", send_failed=3, send_refused_ip=1
    ),
    Outcome.SEND_LACKS_ACCESS: _login_required("user_access_missing"),
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
        html=(302, "{done}"),
        json=(200, "{done}"),
        events=["INFO contact_verified"],
        # The code is used, and this login in progress knows that it was right.
        counted={"code_use": 1, "code_login": 2},
        calls=["check"],
        person="ann",
        is_new_session=True,
    ),
    Outcome.CONNECTED: Expectation(
        html=(302, "{done}"),
        json=(200, "{done}"),
        events=["INFO contact_connected"],
        counted={"code_use": 1, "code_login": 2},
        calls=["check"],
        person="ann",
    ),
    Outcome.REJECTED: _rejected("check"),
    Outcome.REJECTED_HERE: _rejected(),
    Outcome.NOT_FOLLOWED: _not_followed("check"),
    Outcome.NOT_FOLLOWED_HERE: _not_followed(),
    Outcome.CHECK_TAKEN: _conflict("contact_taken", counted=CHECK),
    # The code was right, so the attempt is not counted. The outcome is stored.
    Outcome.TAKEN_HERE: _conflict(
        "contact_taken", counted={"code_use": 1, "code_login": 4}
    ),
    Outcome.ALREADY_CONNECTED: _conflict(
        "already_connected", counted={"code_use": 1, "code_login": 5}
    ),
    Outcome.CHECK_LACKS_LOGIN: _login_required("login_required", "check"),
    Outcome.CHECK_HAS_OTHER_ACCESS: _login_required("login_required"),
    Outcome.CHECK_LACKS_ACCESS: _login_required("user_access_missing"),
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
    Outcome.REPEATED: Expectation(html=(302, "{done}"), json=(200, "{done}")),
}
# After a send, the visitor presses the button of the page for the link.
SENT = {Outcome.SENT, Outcome.LOOKS_SENT, Outcome.STRANGER, Outcome.SEND_TAKEN}


def expectation(outcome, pages):
    """Return what an outcome means on these pages."""
    found = EXPECTATIONS[outcome]
    if pages.is_link and outcome in SENT:
        return found.before(EXPECTATIONS[Outcome.NOT_FOLLOWED])
    return found
