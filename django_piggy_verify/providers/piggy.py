"""
Piggy (now Leat): its paths, fields and error numbers, and nothing else.

Source: Contact Verification and Contacts Portal, Piggy API v3,
https://docs.piggy.eu/v3/oauth/contact-verification
"""

import re
from collections.abc import Mapping
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
from django_piggy_verify.http import client
from django_piggy_verify.providers import credentials
from django_piggy_verify.providers.base import Challenge, Identity
from django_piggy_verify.secret import Secret

INVALID_INPUT: Final = 1003  # "Invalid input"
SECRET_INVALID: Final = 1053  # "Account secret is invalid"
TOKEN_EXPIRED: Final = 3000  # "The token is expired"
ACCOUNT_INACTIVE: Final = 7002
NO_ACCESS: Final = 7011
CODE_NOT_FOUND: Final = 13010  # "Passcode not found": wrong, used or expired
CONTACT_NOT_FOUND: Final = 55031  # "Contact not found"
PORTAL_NOT_FOUND: Final = 55032  # "User app not found"

# Of a code, when one was typed; out of place where none was.
_VERDICTS: Final[Mapping[int, str]] = {
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

# The documentation's own sample, 123abc-lmnopq-3242a-8899aa, is no RFC 4122 UUID. So
# an id is any text of the characters that a URL never escapes (RFC 3986 section 2.3).
# An id of dots alone would be a step up in the path (RFC 3986 section 5.2.4).
_UID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~-]{1,64}")

# Opaque, but printable: a lone surrogate, say, could not even be stored. The
# vendor's are base64 of about 300 to 400 characters.
_TOKEN = re.compile(r"[!-~]{1,8192}")

# No user info, and no backslash: browsers read a slash there, and so another host.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:[/?#][!-\[\]-~]*)?"
)
_LONGEST_URL: Final = 4000  # servers and proxies pass on as much in one header

_SEND: Final = "contact-verification/send"
_VERIFY: Final = "contact-verification/verify"
_AUTH_TOKEN: Final = "contact-verification/auth-token/{uid}"  # noqa: S105 - a path
_PORTAL_URL: Final = "contacts-portal/auth-url?contact_uuid={uid}"


class PiggyProvider:
    """
    The Contact Verification calls of the Piggy API, and the way to its portal.

    `name` keeps the contacts of several accounts apart: give each account its
    own through ``PIGGY_VERIFY_PROVIDER_OPTIONS``.
    """

    def __init__(self, *, name: str = "piggy") -> None:
        self.name = name

    def send_code(self, recipient: str) -> Challenge:
        """
        Have a code mailed to the contact with this address.

        Raises ContactUnknown for API error 55031, ProviderUnavailable or
        ProviderRefused when no mail can have been ordered.

        Source: POST contact-verification/send, Piggy API v3.
        """
        data = _data(self._call("POST", _SEND, json={"email": recipient}))
        if not isinstance(data, dict):
            raise _unreadable("data is no object")
        return Challenge(recipient=recipient)

    def check_code(self, challenge: Challenge, code: str) -> Identity:
        """
        Trade a code for the identity it was mailed to.

        `code` is as typed, stripped. `Identity.uid` is the contact's UUID, opaque.
        Raises CodeRejected for API errors 13010 and 1003: the API does not tell
        a wrong code from a used or expired one.
        Raises ProviderUnavailable or ProviderRefused when nobody was judged.

        Source: POST contact-verification/verify, Piggy API v3.
        """
        payload = {"code": code, "email": challenge.recipient}
        answer = self._call("POST", _VERIFY, json=payload)
        try:
            data = _data(answer)
        except ContactUnknown:
            raise CodeRejected from None
        except ProviderRefused as error:
            if error.api_code in _VERDICTS:
                raise CodeRejected from None
            raise
        uid = data.get("uuid") if isinstance(data, dict) else None
        if not isinstance(uid, str) or not _UID.fullmatch(uid):
            raise _unreadable("the uuid is none that can be used")
        return Identity(provider=self.name, uid=str(uid), email=challenge.recipient)

    def fetch_auth_token(self, uid: str) -> Secret:
        """
        Answer a new auth token for the contact: opaque, without readable expiry.

        Repeated once, within the time-out, after a failed connection or, with
        client credentials, a refused bearer token.
        Raises ContactUnknown for API error 55031.

        Source: GET contact-verification/auth-token/{contact_uuid}, Piggy API v3.
        """
        return _auth_token(self._fetch(_AUTH_TOKEN, uid))

    def examine_auth_token(self, uid: str) -> str:
        """Fetch an auth token, and answer in a word how the API wraps it up."""
        data = self._fetch(_AUTH_TOKEN, uid)
        _auth_token(data)
        return "nested" if isinstance(data, dict) else "bare"

    def fetch_portal_url(self, uid: str) -> Secret:
        """
        Answer a link that opens the Contacts Portal with the contact logged in.

        Repeated like `fetch_auth_token`. Raises ContactUnknown for API error 55031.

        Source: GET contacts-portal/auth-url, Piggy API v3.
        """
        data = self._fetch(_PORTAL_URL, uid)
        url = data.get("url") if isinstance(data, dict) else None
        if not isinstance(url, str) or not _may_be_led_to(Secret(url)):
            raise _unreadable("there is no link to the portal in it")
        return Secret(url)

    def _fetch(self, path: str, uid: str) -> object:
        """
        Answer what `path` has for the contact `uid`, perhaps at the second try.

        Only for what may be asked for twice: a request whose answer is lost may
        have had its effect.
        """
        if not _UID.fullmatch(uid):
            raise ContactUnknown("no contact has such an id")
        path = path.format(uid=quote(uid, safe=""))
        deadline = monotonic() + conf.timeout
        try:
            return _data(self._call("GET", path))
        except ProviderError as error:
            left = deadline - monotonic()
            if left <= 0 or not _is_worth_another_try(error):
                raise
            return _data(self._call("GET", path, timeout=left))

    def _call(
        self,
        method: str,
        path: str,
        *,
        timeout: float | None = None,
        **body: Mapping[str, str],
    ) -> client.Answer:
        url = f"{conf.base_url.rstrip('/')}/{path}"
        credentials.require_https(url)
        deadline = monotonic() + (conf.timeout if timeout is None else timeout)
        bearer = credentials.bearer_token(timeout=deadline - monotonic())
        left = deadline - monotonic()
        answer = client.call(method, url, bearer=bearer, timeout=left, **body)
        if answer.status == 401:  # noqa: PLR2004
            credentials.forget(bearer, timeout=deadline - monotonic())
        return answer


def _auth_token(data: object) -> Secret:
    # The documentation nests the token, the vendor's PHP SDK has it bare.
    token = data.get("auth_token") if isinstance(data, dict) else data
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise _unreadable("there is no auth token in it")
    return Secret(token)


def _may_be_led_to(url: Secret) -> bool:
    """Whether a browser may be led to `url`: https, and nothing before the host."""
    # Not with `urlsplit`: its parts, in a cache as well, would show themselves.
    found = _URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
    return bool(found and (found["scheme"] == "https" or settings.DEBUG))


def _is_worth_another_try(error: ProviderError) -> bool:
    if isinstance(error, ProviderUnavailable):
        return error.status is None and not error.may_depend_on_contact
    return error.status == 401 and credentials.is_renewable()  # noqa: PLR2004


def _data(answer: client.Answer) -> object:
    """Answer the ``data`` of a success, or raise what the answer stands for."""
    body = answer.body if isinstance(answer.body, dict) else {}
    code = body.get("code")
    if isinstance(code, int):
        raise _error_for_code(code, answer.status)
    if not 200 <= answer.status < 300:  # noqa: PLR2004
        raise _error_for_status(answer.status)
    if "data" not in body:
        raise _unreadable("there is no data in it", status=answer.status)
    return body["data"]


def _error_for_code(code: int, status: int) -> PiggyVerifyError:
    """
    Sort an error by the vendor's number, which goes before the HTTP status.

    The vendor's texts are never used: they are Dutch or English, and repeat
    the address.
    """
    if code == CONTACT_NOT_FOUND:
        return ContactUnknown()
    if code in _VERDICTS:
        return ProviderRefused(_VERDICTS[code], status=status, api_code=code)
    if code in _REFUSALS:
        return ProviderRefused(
            _REFUSALS[code],
            status=status,
            api_code=code,
            may_depend_on_contact=False,
            voids_token=code in {SECRET_INVALID, TOKEN_EXPIRED},
        )
    return _error_for_status(status, code)


def _error_for_status(status: int, code: int | None = None) -> ProviderError:
    if status in {401, 403}:
        return credentials.refusal("the key is refused", status=status)
    return ProviderUnavailable(
        "no answer that can be used",
        status=status,
        api_code=code,
        may_depend_on_contact=status not in {429, 502, 503, 504},
    )


def _unreadable(what: str, *, status: int | None = None) -> ProviderUnavailable:
    return ProviderUnavailable(f"the answer cannot be read: {what}", status=status)
