"""Name how a case can end. `expectations` says what each outcome means."""

from enum import StrEnum


class Outcome(StrEnum):
    """How a case ends. `expectations` says what each outcome means."""

    SENT = "sent"
    """The code was sent."""
    LOOKS_SENT = "looks sent"
    """The pages say that the code was sent. Only the log has the failure."""
    STRANGER = "looks sent (stranger)"
    """The vendor does not know the address. The pages do not show this."""
    SEND_UNAVAILABLE = "unavailable"
    """The pages say that no code can be sent now. Nobody has to act."""
    SEND_BLOCKED = "blocked"
    """As `SEND_UNAVAILABLE`, but perhaps for this visitor only. Others get codes."""
    SEND_REFUSED = "refused"
    """As `SEND_UNAVAILABLE`, but an operator has to act: our key is refused."""
    SEND_BLOCKED_REFUSED = "blocked, refused"
    """As `SEND_BLOCKED`, but an operator has to act."""
    SEND_TAKEN = "looks sent (taken)"
    """The contact belongs to another user there. The pages do not show this."""
    SEND_LACKS_LOGIN = "login required"
    """The vendor wants the user to log in there again. The code page says so."""
    SEND_LACKS_ACCESS = "login required at once"
    """The project has no access of the user to the vendor. The vendor is not asked."""
    RECIPIENT_REFUSED = "recipient refused"
    """The vendor sends nothing to this address or number. The first page says so."""
    CONSENT_MISSING = "consent missing"
    """The vendor misses a consent at the send. The first page asks for it."""
    CONSENT_REQUIRED = "form error (consent)"
    """The form says that a consent is missing. The vendor is not asked."""

    LOGGED_IN = "logged in"
    CONNECTED = "connected"
    """The contact is connected to the user, who stays logged in as before."""
    REJECTED = "rejected"
    """The vendor says that the code is wrong. This counts as a wrong code."""
    NOT_FOLLOWED = "not followed"
    """The vendor says that nobody has followed the link."""
    NOT_FOLLOWED_HERE = "not followed here"
    """No link is on its way, so the vendor is not asked."""
    CHECK_TAKEN = "taken"
    """The contact belongs to another user there. This counts as a wrong code."""
    TAKEN_HERE = "taken here"
    """The code is right, but the contact is connected to another user."""
    ALREADY_CONNECTED = "already connected"
    """The code is right, but the user has another contact of this provider."""
    CHECK_LACKS_LOGIN = "login required, check"
    """The vendor wants the user to log in there again. The code was not checked."""
    CHECK_LACKS_ACCESS = "login required here"
    """As `CHECK_LACKS_LOGIN`, but the vendor is not asked."""
    REJECTED_HERE = "rejected here"
    """The code was used before, so the vendor is not asked."""
    CHECK_UNAVAILABLE = "not checked"
    """The code was not checked, and may be typed again. Nobody has to act."""
    CHECK_REFUSED = "not checked, refused"
    """As `CHECK_UNAVAILABLE`, but an operator has to act: our key is refused."""
    LOGIN_REFUSED = "login refused"
    """The code is right, but the vendor wants more than a code."""
    CODE_SPENT = "code spent"
    """The code was right, but nobody knows whose. The page offers another code."""
    CODE_SPENT_REFUSED = "code spent, refused"
    """As `CODE_SPENT`, but an operator has to act: our key is refused."""
    CHECK_LACKS_CONSENT = "consent missing, check"
    """The vendor misses a consent at the check. The first page asks for it."""
    BLANK = "form error"
    """The form says that the code is missing. The vendor is not asked."""
    REPEATED = "redirected only"
    """As at the first POST of this code, but nobody is logged in by it."""


def each(outcome: Outcome, *statuses: int) -> dict[int, Outcome]:
    """Return this outcome for each of these statuses."""
    return dict.fromkeys(statuses, outcome)


OVERLOADED = each(Outcome.SEND_UNAVAILABLE, 429, 502, 503, 504)
"""Failures of a send that can be shown, because they affect every address alike."""

REFUSED = {"send": Outcome.SEND_REFUSED, "check": Outcome.CHECK_REFUSED}
"""The outcome of each call if our key is refused."""
