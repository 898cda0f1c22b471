"""The pages on which a case is played."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.conformance.outcomes import Outcome


@dataclass(frozen=True, kw_only=True)
class Pages:
    """A first page, and the page that follows it."""

    name: str
    """A word for the table, and for the ids of the tests."""

    start: str
    """The URL of the first page."""

    code: str
    """The URL of the page for the code, or of the page for the link."""

    cookie: str
    """The cookie with the login in progress."""

    done: str
    """The URL that a right code leads to."""

    templates: Mapping[str, str] = field(default_factory=dict)
    """The names of the templates that differ from those of the login pages."""

    outcomes: Mapping[Outcome, Outcome] = field(default_factory=dict)
    """The outcomes that differ from those of the login pages."""

    is_connecting: bool = True
    """Whether the visitor is logged in already, and connects a contact."""

    is_link: bool = False
    """Whether the visitor follows a link, and then presses a button."""


_FAILURES = {
    "unavailable.html": "connect_unavailable.html",
    "unsent.html": "connect_unsent.html",
}
LOGIN = Pages(
    name="login",
    start="/login/",
    code="/login/code/",
    cookie="piggy_verify_login",
    done="/members/",
    is_connecting=False,
)
CONNECT = Pages(
    name="connect",
    start="/login/connect/",
    code="/login/connect/code/",
    cookie="piggy_verify_connect",
    done="/login/connect/",
    templates={
        "email.html": "connect.html",
        "code.html": "connect_code.html",
        "refused.html": "connect_refused.html",
        "spent.html": "connect_spent.html",
        **_FAILURES,
    },
    outcomes={Outcome.LOGGED_IN: Outcome.CONNECTED},
)
BY_LINK = replace(
    CONNECT,
    code="/login/connect/link/",
    templates=_FAILURES,
    outcomes={
        Outcome.LOGGED_IN: Outcome.CONNECTED,
        Outcome.REJECTED: Outcome.NOT_FOLLOWED,
        Outcome.REJECTED_HERE: Outcome.NOT_FOLLOWED_HERE,
    },
    is_link=True,
)
