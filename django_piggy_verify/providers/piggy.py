"""
The provider for Piggy (now Leat), with the vendor's paths, fields and error numbers.

Source: Contact Verification, Contacts Portal and Contacts, Piggy API v3,
https://docs.piggy.eu/v3/oauth/contact-verification
"""

import re
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Final
from urllib.parse import quote

from django.conf import settings

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    CodeRejected,
    ContactUnknown,
    PiggyVerifyError,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.http.client import Answer
from django_piggy_verify.providers import calls, credentials
from django_piggy_verify.providers.base import Challenge, Identity, Problem
from django_piggy_verify.secret import Secret

INVALID_INPUT: Final = 1003  # "Invalid input"
SECRET_INVALID: Final = 1053  # "Account secret is invalid"
TOKEN_EXPIRED: Final = 3000  # "The token is expired"
ACCOUNT_INACTIVE: Final = 7002
NO_ACCESS: Final = 7011
CODE_NOT_FOUND: Final = 13010  # "Passcode not found": wrong, used or expired
CONTACT_NOT_FOUND: Final = 55031  # "Contact not found"
PORTAL_NOT_FOUND: Final = 55032  # "User app not found"

# Errors about a code. In a call without a code, they are refusals.
_CODE_ERRORS: Final[Mapping[int, str]] = {
    INVALID_INPUT: "the input is invalid",
    CODE_NOT_FOUND: "the code is not found",
}

_REFUSALS: Final[Mapping[int, str]] = {
    SECRET_INVALID: "the account secret is invalid",
    TOKEN_EXPIRED: "the token is expired",
    ACCOUNT_INACTIVE: "the account is inactive",
    NO_ACCESS: "the key has no access to this account",
    PORTAL_NOT_FOUND: "the account has no Contacts Portal",
}

# The sample in the documentation, 123abc-lmnopq-3242a-8899aa, is no RFC 4122 UUID. So
# an id is any text of the characters that a URL never escapes (RFC 3986 section 2.3).
# An id of dots alone would change the path (RFC 3986 section 5.2.4).
_UID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~-]{1,64}")

# No user info, and no backslash: browsers read a backslash as a slash, and may then
# find another host in the URL.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:[/?#][!-\[\]-~]*)?"
)
_LONGEST_URL: Final = 4000  # servers and proxies accept headers of this length

_KEY_REFUSED: Final = frozenset({401, 403})

_SEND: Final = "contact-verification/send"
_VERIFY: Final = "contact-verification/verify"
_AUTH_TOKEN: Final = "contact-verification/auth-token/{uid}"  # noqa: S105 - a path
_PORTAL_URL: Final = "contacts-portal/auth-url?contact_uuid={uid}"
_CONTACT: Final = "contacts/{uid}"


class PiggyProvider:
    """
    Calls Contact Verification, the Contacts Portal and Contacts of the Piggy API.

    `name` keeps the contacts of several accounts apart. Give each account its own name
    in ``PIGGY_VERIFY_PROVIDER_OPTIONS``.
    """

    base_url = "https://api.piggy.eu/api/v3/oauth/clients"
    refusal_hint = (
        "Look at the key, the account and its Contacts Portal in the business "
        "dashboard."
    )
    send_condition = "there is a Contacts Portal"

    def __init__(self, *, name: str = "piggy") -> None:
        self.name = name

    def problems(self) -> Iterator[Problem]:
        """Return what is wrong with the key. Client credentials stand in for a key."""
        return credentials.key_problems(
            "Use a personal access token of the business dashboard (Apps > "
            "Integrations > Personal Access Tokens).",
            or_client=True,
        )

    def send_code(self, challenge: Challenge) -> Challenge:
        """
        Ask the API to mail a code to the contact with this address.

        Raises ContactUnknown for API error 55031. Raises ProviderUnavailable or
        ProviderRefused if the API did not confirm the mail.

        Source: POST contact-verification/send, Piggy API v3.
        """
        payload = {"email": challenge.recipient}
        data = _data(self._call("POST", _SEND, json=payload))
        if not isinstance(data, dict):
            raise calls.unreadable("data is no object")
        return challenge

    def check_code(self, challenge: Challenge, code: str) -> Identity:
        """
        Exchange a code for the identity of the contact that it was mailed to.

        `code` is the cleaned code. `Identity.uid` is the contact's UUID. Raises
        CodeRejected for API errors 13010 and 1003. The API does not say whether a
        code is wrong, used or expired. Raises ProviderUnavailable or ProviderRefused
        if the code was not checked.

        Source: POST contact-verification/verify, Piggy API v3.
        """
        payload = {"code": code, "email": challenge.recipient}
        answer = self._call("POST", _VERIFY, json=payload)
        try:
            data = _data(answer)
        except ContactUnknown:
            raise CodeRejected from None
        except ProviderRefused as error:
            if error.api_code in _CODE_ERRORS:
                raise CodeRejected from None
            raise
        uid = data.get("uuid") if isinstance(data, dict) else None
        if not isinstance(uid, str) or not _UID.fullmatch(uid):
            raise calls.unreadable("it has no valid uuid")
        return Identity(provider=self.name, uid=str(uid), email=challenge.recipient)

    def fetch_auth_token(self, uid: str) -> Secret:
        """
        Return a new auth token of the contact. The API does not say when it expires.

        The call is repeated once, within the time-out, if the connection failed. With
        client credentials, it is also repeated if the bearer token was refused.
        Raises ContactUnknown for API error 55031.

        Source: GET contact-verification/auth-token/{contact_uuid}, Piggy API v3.
        """
        return _auth_token(self._fetch(_AUTH_TOKEN, uid))

    def examine_auth_token(self, uid: str) -> str:
        """Fetch an auth token, and return the shape of the response in one word."""
        data = self._fetch(_AUTH_TOKEN, uid)
        _auth_token(data)
        return "nested" if isinstance(data, dict) else "bare"

    def fetch_portal_url(self, uid: str) -> Secret:
        """
        Return a link that opens the Contacts Portal with the contact logged in.

        The call is repeated as in `fetch_auth_token`. Raises ContactUnknown for API
        error 55031.

        Source: GET contacts-portal/auth-url, Piggy API v3.
        """
        data = self._fetch(_PORTAL_URL, uid)
        url = data.get("url") if isinstance(data, dict) else None
        if not isinstance(url, str) or not _is_safe_target(Secret(url)):
            raise calls.unreadable("it has no link to the portal")
        return Secret(url)

    def fetch_contact(self, uid: str) -> dict[str, object]:
        """
        Return what the API knows of the contact, with hidden texts and numbers.

        The call is repeated as in `fetch_auth_token`. Raises ContactUnknown for API
        error 55031.

        Source: GET contacts/{uuid}, Piggy API v3.
        """
        data = self._fetch(_CONTACT, uid)
        if not isinstance(data, dict):
            raise calls.unreadable("data is no object")
        return data

    def _fetch(self, path: str, uid: str) -> object:
        """Return the data at `path` for the contact `uid`, in at most two requests."""
        if not _UID.fullmatch(uid):
            raise ContactUnknown("this is not the id of a contact")
        path = path.format(uid=quote(uid, safe=""))
        return calls.repeated_once(
            lambda timeout: _data(self._call("GET", path, timeout=timeout)),
            deadline=monotonic() + conf.timeout,
            when=_can_be_repeated,
        )

    def _call(
        self,
        method: str,
        path: str,
        *,
        timeout: float | None = None,
        json: Mapping[str, str] | None = None,
    ) -> Answer:
        return calls.call(
            method, path, base_url=self.base_url, timeout=timeout, json=json
        )


def _auth_token(data: object) -> Secret:
    # In the documentation, the token is a member of `data`. In the vendor's PHP SDK,
    # `data` is the token.
    return calls.token_in(data.get("auth_token") if isinstance(data, dict) else data)


def _is_safe_target(url: Secret) -> bool:
    """Return whether a browser may be redirected to `url`: https, no user info."""
    # `urlsplit` would leave parts of the URL unhidden, in its cache too.
    found = _URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
    return bool(found and (found["scheme"] == "https" or settings.DEBUG))


def _can_be_repeated(error: ProviderError) -> bool:
    if isinstance(error, ProviderUnavailable):
        return error.status is None and not error.may_depend_on_contact
    return error.status == 401 and credentials.is_renewable()  # noqa: PLR2004


def _data(answer: Answer) -> object:
    """Return the ``data`` of a success, or raise the exception for an error."""
    body = answer.body if isinstance(answer.body, dict) else {}
    code = body.get("code")
    if isinstance(code, int):
        raise _error_for_code(int(code), answer.status)
    if not calls.is_success(answer):
        raise calls.failure(answer.status, refused=_KEY_REFUSED)
    if "data" not in body:
        raise calls.unreadable("it has no data", status=answer.status)
    return body["data"]


def _error_for_code(code: int, status: int) -> PiggyVerifyError:
    """
    Return the exception for an error number of the vendor.

    The number is more exact than the HTTP status. The vendor's texts are not used,
    because they are Dutch or English and contain the address.
    """
    if code == CONTACT_NOT_FOUND:
        return ContactUnknown()
    if code in _CODE_ERRORS:
        return ProviderRefused(_CODE_ERRORS[code], status=status, api_code=code)
    if code in _REFUSALS:
        return ProviderRefused(
            _REFUSALS[code],
            status=status,
            api_code=code,
            may_depend_on_contact=False,
            voids_token=code in {SECRET_INVALID, TOKEN_EXPIRED},
        )
    return calls.failure(status, code, refused=_KEY_REFUSED)
