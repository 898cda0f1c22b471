"""
The log: what happened, under names that stay, for whoever counts or searches it.

All goes to the logger ``django_piggy_verify``, one record an event. Each record has
the event's name as ``event_name``, and every field that its text names as an
attribute of that name. No secret is ever among them, nor a whole address.
"""

import logging
from dataclasses import dataclass
from logging import DEBUG, ERROR, INFO, WARNING

from django_piggy_verify import recipients

_logger = logging.getLogger("django_piggy_verify")

_FAILED = (
    "%(verb)s failed: %(cause)s"
    " (status %(status)s, code %(api_code)s, after %(duration).3f s)"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens, and how it is told."""

    name: str
    """What `event_name` of its records is; it stays from release to release."""

    level: int
    """DEBUG tells durations, INFO why a login came about or not, the rest who acts."""

    text: str
    """The message; the fields of the event are those that it names."""

    def log(self, *, exc_info: bool = False, **fields: object) -> None:
        """Tell it; of a `recipient` no more is told than `recipients.masked` leaves."""
        if not _logger.isEnabledFor(self.level):
            return
        if "recipient" in fields:
            fields["recipient"] = recipients.masked(str(fields["recipient"]))
        fields = {name: _in_one_line(each) for name, each in fields.items()}
        extra = {"event_name": self.name, **fields}
        _logger.log(
            self.level, self.text, fields, exc_info=exc_info, extra=extra, stacklevel=2
        )


def _in_one_line(value: object) -> object:
    """Answer `value` as it is, but a text without what could begin another record."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(each if each.isprintable() else "?" for each in value)


CODE_SENT = Event("code_sent", INFO, "A code was sent to %(recipient)s")
SEND_HELD_BACK = Event(
    "send_held_back", INFO, "Nothing sent to %(recipient)s: cooldown"
)
CONTACT_UNKNOWN = Event(
    "contact_unknown", INFO, "No contact has the address %(recipient)s"
)
CODE_REJECTED = Event("code_rejected", INFO, "Code for %(recipient)s rejected")
CONTACT_VERIFIED = Event(
    "contact_verified",
    INFO,
    "The code for %(recipient)s was right: user %(user_id)s (new: %(is_new)s)",
)
LIMIT_REACHED = Event(
    "limit_reached",
    WARNING,
    "%(limit)s is reached for another %(retry_after)s s for %(recipient)s",
)
CLIENT_ADDRESS_UNKNOWN = Event(
    "client_address_unknown",
    WARNING,
    "No client address can be read from %(source)s: %(found)r",
)
NEXT_TOO_LONG = Event(
    "next_too_long",
    WARNING,
    "Dropped a next of %(length)d characters: at most %(maximum)d are kept",
)
LOGIN_REFUSED = Event(
    "login_refused", WARNING, "Login refused to %(recipient)s: %(reason)s"
)

PROVIDER_ANSWERED = Event(
    "provider_answered", DEBUG, "%(verb)s was answered after %(duration).3f s"
)
PROVIDER_UNAVAILABLE = Event("provider_unavailable", WARNING, _FAILED)
PROVIDER_REFUSED = Event("provider_refused", ERROR, _FAILED)
SEND_UNCERTAIN = Event("send_uncertain", ERROR, _FAILED)

AUTH_TOKEN_FETCHED = Event(
    "auth_token_fetched", DEBUG, "An auth token was fetched, to serve until %(until)s"
)
AUTH_TOKEN_KEPT = Event(
    "auth_token_kept", INFO, "The old auth token serves until %(until)s"
)
CONTACT_GONE = Event(
    "contact_gone",
    WARNING,
    "No auth token at login: the contact of user %(user_id)s is not found any more",
)
AUTH_TOKEN_FAILED = Event(
    "auth_token_failed", ERROR, "No auth token at login of user %(user_id)s"
)
