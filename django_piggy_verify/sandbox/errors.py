"""
The error codes that the API documents.

Source: "Possible errors" of the contact verification, the Contacts Portal and the
contacts pages, Piggy API v3.
"""

from typing import Final

SEND: Final = "send"
VERIFY: Final = "verify"
AUTH_TOKEN: Final = "auth-token"  # noqa: S105 - a name
PORTAL: Final = "portal"
CONTACT: Final = "contact"
TOKEN: Final = "token"  # noqa: S105 - a name
REFRESH: Final = "refresh"
PROFILE: Final = "profile"
USER: Final = "user"
LINK: Final = "link"
CALLS: Final = (
    SEND,
    VERIFY,
    AUTH_TOKEN,
    PORTAL,
    CONTACT,
    TOKEN,
    REFRESH,
    PROFILE,
    USER,
    LINK,
)

INVALID_INPUT: Final = 1003
CONTACT_NOT_FOUND: Final = 55031
PASSCODE_NOT_FOUND: Final = 13010

_ALL = frozenset({SEND, VERIFY, AUTH_TOKEN, PORTAL, CONTACT})
_OF_A_CONTACT = frozenset({SEND, AUTH_TOKEN, PORTAL, CONTACT})

DOCUMENTED: Final[dict[int, tuple[str, frozenset[str]]]] = {
    INVALID_INPUT: ("Invalid input.", frozenset({SEND, VERIFY, PORTAL, CONTACT})),
    CONTACT_NOT_FOUND: ("Contact not found.", _OF_A_CONTACT),
    # The page does not list it for the portal, but the reason is the same there.
    55032: ("User app not found.", frozenset({SEND, VERIFY, PORTAL})),
    PASSCODE_NOT_FOUND: ("Passcode not found.", frozenset({VERIFY})),
    1053: ("Account secret is invalid", frozenset({AUTH_TOKEN})),
    3000: ("The token is expired", frozenset({AUTH_TOKEN})),
    7002: ("Account inactive.", _ALL),
    7011: ("User has no access to this account.", _ALL),
}
"""For each code: its message, and the calls that return it."""

_UNDOCUMENTED = ("Something went wrong.", _ALL)


class ApiError(Exception):
    """An error for which the API has a code."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.message, self.calls = DOCUMENTED.get(code, _UNDOCUMENTED)
        super().__init__(f"{code}: {self.message}")
