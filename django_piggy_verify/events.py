"""
Log the events of this package under stable names.

Each event is one record of the logger ``django_piggy_verify``. The attribute
``event_name`` of the record is the name of the event. Each field in the text of the
event is an attribute too. No field contains a secret or a whole address.
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
    """A kind of event, with its level and its message."""

    name: str
    """The `event_name` of the records. It does not change between releases."""

    level: int
    """DEBUG: durations. INFO: why a login succeeded or not. Higher: who must act."""

    text: str
    """The message. The fields of the event are the names in it."""

    def log(self, *, exc_info: bool = False, **fields: object) -> None:
        """Log the event. A field `recipient` is masked with `recipients.masked`."""
        if not _logger.isEnabledFor(self.level):
            return
        if "recipient" in fields:
            fields["recipient"] = recipients.masked(str(fields["recipient"]))
        fields = {name: _in_one_line(each) for name, each in fields.items()}
        extra = {"event_name": self.name, **fields}
        # `logging` refuses an empty dictionary for a text without fields.
        args = [fields] if fields else []
        _logger.log(
            self.level, self.text, *args, exc_info=exc_info, extra=extra, stacklevel=2
        )


def _in_one_line(value: object) -> object:
    """Return `value`. In a text, replace the characters that could start a new line."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(each if each.isprintable() else "?" for each in value)


CODE_SENT = Event("code_sent", INFO, "A code was sent to %(recipient)s")
SEND_HELD_BACK = Event(
    "send_held_back", INFO, "No code was sent to %(recipient)s because of the cooldown"
)
SEND_STOPPED = Event(
    "send_stopped", INFO, "No code was sent to %(recipient)s: the circuit is open"
)
CIRCUIT_OPENED = Event(
    "circuit_opened", WARNING, "No codes are sent for %(seconds)s s after a failed send"
)
CIRCUIT_CLOSED = Event("circuit_closed", INFO, "Codes are sent again")
BACKLOG_FULL = Event(
    "backlog_full",
    WARNING,
    "The limit of %(maximum)d jobs after responses is reached. Is the provider slow?",
)
JOB_FAILED = Event("job_failed", ERROR, "A job after a response has failed")
THREADS_MISSING = Event(
    "threads_missing",
    WARNING,
    "uWSGI runs no threads, so work after a response holds up the worker."
    " Set enable-threads.",
)
CONTACT_UNKNOWN = Event(
    "contact_unknown", INFO, "No contact has the address %(recipient)s"
)
CODE_REJECTED = Event("code_rejected", INFO, "The code for %(recipient)s was wrong")
LINK_NOT_FOLLOWED = Event(
    "link_not_followed", INFO, "The provider says that %(recipient)s is not proved yet"
)
CONTACT_VERIFIED = Event(
    "contact_verified",
    INFO,
    "The code for %(recipient)s was right: user %(user_id)s (new: %(is_new)s)",
)
STEP_UP_RECOMMENDED = Event(
    "step_up_recommended",
    INFO,
    "The provider recommends a further check of user %(user_id)s: %(hint)s",
)
CONTACT_CONNECTED = Event(
    "contact_connected",
    INFO,
    "User %(user_id)s has connected the contact %(recipient)s (new: %(is_new)s)",
)
CONTACT_DISCONNECTED = Event(
    "contact_disconnected",
    INFO,
    "User %(user_id)s has disconnected the contact %(uid)s of %(provider)s",
)
ALREADY_CONNECTED = Event(
    "already_connected",
    INFO,
    "User %(user_id)s has another contact, so %(recipient)s is not connected",
)
CONTACT_TAKEN = Event(
    "contact_taken", INFO, "The contact %(recipient)s belongs to another user"
)
USER_ACCESS_FAILED = Event(
    "user_access_failed",
    ERROR,
    "PIGGY_VERIFY_USER_ACCESS returned no usable access: %(found)s",
)
USER_ACCESS_MISSING = Event(
    "user_access_missing",
    INFO,
    "PIGGY_VERIFY_USER_ACCESS returned None, so the user must log in again",
)
LOGIN_REQUIRED = Event(
    "login_required",
    INFO,
    "For %(recipient)s, the user must log in at the provider again: %(reason)s",
)
LIMIT_REACHED = Event(
    "limit_reached",
    WARNING,
    "The limit %(limit)s stops %(recipient)s for another %(retry_after)s s",
)
COST_CAP_REACHED = Event(
    "cost_cap_reached",
    ERROR,
    "The limit %(limit)s, which all visitors share, is reached. It refuses every send"
    " that it counts, for another %(retry_after)s s",
)
RECIPIENT_REFUSED = Event(
    "recipient_refused", INFO, "The provider sends no code to %(recipient)s"
)
CONSENT_MISSING = Event(
    "consent_missing", INFO, "The provider misses a consent of %(recipient)s"
)
CLIENT_ADDRESS_UNKNOWN = Event(
    "client_address_unknown",
    WARNING,
    "No client address can be read from %(source)s: %(found)r",
)
LOGO_MISSING = Event(
    "logo_missing",
    WARNING,
    "The pages show no logo, because %(path)s is no static file: %(cause)s",
)
NEXT_TOO_LONG = Event(
    "next_too_long",
    WARNING,
    "A next of %(length)d characters was dropped: the maximum is %(maximum)d",
)
LOGIN_REFUSED = Event(
    "login_refused", WARNING, "The login of %(recipient)s was refused: %(reason)s"
)

PROVIDER_ANSWERED = Event(
    "provider_answered",
    DEBUG,
    "The provider answered the call %(verb)s after %(duration).3f s",
)
PROVIDER_UNAVAILABLE = Event("provider_unavailable", WARNING, _FAILED)
PROVIDER_REFUSED = Event("provider_refused", ERROR, _FAILED)
SEND_UNCERTAIN = Event("send_uncertain", ERROR, _FAILED)

AUTH_TOKEN_FETCHED = Event(
    "auth_token_fetched", DEBUG, "An auth token was fetched. It is used until %(until)s"
)
AUTH_TOKEN_KEPT = Event(
    "auth_token_kept", INFO, "The old auth token is used until %(until)s"
)
REFRESH_REFUSED = Event(
    "refresh_refused", INFO, "The refresh token of user %(user_id)s was refused"
)
CONTACT_GONE = Event(
    "contact_gone",
    WARNING,
    "User %(user_id)s got no auth token at login: the API does not know the contact",
)
AUTH_TOKEN_FAILED = Event(
    "auth_token_failed", ERROR, "User %(user_id)s got no auth token at login"
)
