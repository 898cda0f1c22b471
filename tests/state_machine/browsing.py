"""Send the requests of browsers and scripts, and read the responses."""

import html
import json
import re
from enum import Enum, auto

from django.test import Client

from tests.steps import JSON

_HIERARCHICAL = {"http", "https", "ws", "wss", "ftp"}
_TRIMMED = "".join(map(chr, range(0x21)))


class Outcome(Enum):
    """The outcome that a visitor sees."""

    SENT = auto()
    SENT_ON = auto()
    CANCELLED = auto()
    INVALID = auto()
    REJECTED = auto()
    EXPIRED = auto()
    LIMITED = auto()
    UNAVAILABLE = auto()
    REFUSED = auto()
    NO_RECIPIENT = auto()
    NO_CONSENT = auto()
    LOGGED_OUT = auto()
    TAKEN = auto()
    SECOND = auto()
    ONLY_WAY_IN = auto()
    NOT_FOUND = auto()
    DISCONNECTED = auto()


_ANSWERS = {202: Outcome.SENT, 204: Outcome.CANCELLED, 200: Outcome.SENT_ON}
_ERRORS = {
    (400, "consent_required"): Outcome.NO_CONSENT,
    (400, "invalid"): Outcome.INVALID,
    (400, "code_rejected"): Outcome.REJECTED,
    (409, "login_expired"): Outcome.EXPIRED,
    (429, "too_many_attempts"): Outcome.LIMITED,
    (503, "provider_unavailable"): Outcome.UNAVAILABLE,
    (403, "login_refused"): Outcome.REFUSED,
    (404, "not_found"): Outcome.NOT_FOUND,
}
_CONFLICTS = {
    "contact_taken": Outcome.TAKEN,
    "already_connected": Outcome.SECOND,
    "only_way_in": Outcome.ONLY_WAY_IN,
}
_OF_SCRIPTS = {
    **_ERRORS,
    **{(409, code): found for code, found in _CONFLICTS.items()},
    (403, "login_required"): Outcome.LOGGED_OUT,
}
_OF_FIELDS = {
    "code_rejected": Outcome.REJECTED,
    "consent_required": Outcome.NO_CONSENT,
    "recipient_refused": Outcome.NO_RECIPIENT,
}
_OF_QUERY = {
    "expired": Outcome.EXPIRED,
    "missing": Outcome.NO_CONSENT,
    "refused": Outcome.NO_RECIPIENT,
}
_PAGES = {status: outcome for (status, _), outcome in _ERRORS.items()}


class Browser(Client):
    """A browser without JavaScript, or a script, with one client address."""

    def __init__(self, ip, *, is_script):
        super().__init__(headers=JSON if is_script else None, REMOTE_ADDR=ip)
        self.ip = ip
        self.is_script = is_script

    def send(self, path, fields):
        if not self.is_script:
            return self.post(f"/login/{path}", fields)
        body = json.dumps(fields)
        return self.post(f"/login/{path}", body, content_type="application/json")

    def cookie(self, name):
        return self.cookies[name].value if name in self.cookies else ""

    def user(self):
        """Return the primary key of the user whom this browser is logged in as."""
        pk = self.get("/members/").text.removeprefix("user ")
        return None if pk == "None" else int(pk)


def outcome(response):
    if response.get("Content-Type") == "application/json":
        if response.status_code in _ANSWERS:
            return _ANSWERS[response.status_code]
        return _OF_SCRIPTS[response.status_code, response.json()["error"]["code"]]
    if response.status_code == 302:
        return _outcome_of_redirect(response["Location"])
    if response.status_code == 200:
        errors = response.context["form"].errors.as_data().values()
        [code] = {each.code for field in errors for each in field}
        return _OF_FIELDS.get(code, Outcome.INVALID)
    if response.status_code == 409:
        return _CONFLICTS[response.context["conflict"]]
    return _ANSWERS.get(response.status_code) or _PAGES[response.status_code]


def _outcome_of_redirect(location):
    if location in {"/login/code/", "/login/connect/code/"}:
        return Outcome.SENT
    if location.startswith("/login/?next=/login/connect/"):
        return Outcome.LOGGED_OUT
    if not location.startswith("/login/"):
        return Outcome.SENT_ON
    query = location.partition("?")[2]
    for field, found in _OF_QUERY.items():
        if f"{field}=" in query:
            return found
    return Outcome.CANCELLED


def location(response):
    """Return where a response leads by redirect or `redirect_to`, or a blank text."""
    if response.get("Content-Type") == "application/json" and response.content:
        return response.json().get("redirect_to", "")
    return response.get("Location", "")


def shown(response):
    """Return the address that a code page shows and the login in its forms."""
    [field] = set(re.findall(r'name="login" value="([^"]+)"', response.text))
    address = re.search(r'<bdi dir="ltr"><strong>(.*?)</strong>', response.text)
    return html.unescape(address[1] if address else ""), html.unescape(field)


def destination(address, *, base="http://testserver/login/code/"):
    """
    Return the scheme and host that `address` leads to from the page at `base`.

    The address is read as browsers do: URL Standard, section 4.4, up to the authority.
    """
    own_scheme, _, own_host, *_ = base.split("/")
    own = own_scheme.removesuffix(":"), own_host
    address = re.sub(r"[\t\r\n]", "", address.strip(_TRIMMED))
    found = re.match(r"(?s)([A-Za-z][A-Za-z0-9+.-]*):(.*)", address)
    scheme, rest = (found[1].lower(), found[2]) if found else ("", address)
    if scheme and scheme not in _HIERARCHICAL:
        return scheme, ""
    rest = rest.replace("\\", "/")
    if scheme in {"", own[0]} and not rest.startswith("//"):
        return own
    authority = re.split(r"[/?#]", rest.lstrip("/"), maxsplit=1)[0]
    host = authority.rpartition("@")[2].lower()
    return (scheme or own[0], host) if host else own  # no address: nothing happens
