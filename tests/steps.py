"""The steps of a visitor, such as asking for a code and typing it."""

from urllib.parse import parse_qs, urlsplit

from django_piggy_verify.conf import DEFAULT_RATE_LIMITS

ADDRESS = "ann@example.com"
STRANGER = "nobody@example.com"
BOB = "bob@example.com"
NUMBER = "+31612345678"
SPELLINGS = {
    "upper case": " ANN@Example.COM ",
    "byte-order mark": "\ufeffann@example.com",
    "invisible": "\u200bann@example.com\u2060",
    "full-width": "ann\uff20example.com",
    "link": "mailto:ann@example.com",
    "name": "Ann <ann@example.com>",
}
"""Other ways to write ADDRESS."""
JSON = {"accept": "application/json"}
UNLIMITED = dict.fromkeys(DEFAULT_RATE_LIMITS, "999/1h") | {
    "check_login": 999,
    "send_day": None,
}


def ask_for_code(browser, address=ADDRESS, **fields):
    return browser.post("/login/", {"email": address, **fields})


def type_code(browser, code, **fields):
    return browser.post("/login/code/", {"code": code, **fields})


def log_in(browser, sandbox, address=ADDRESS, **fields):
    ask_for_code(browser, address, **fields)
    return type_code(browser, sandbox.last_code(address))


def log_out(browser):
    """Delete the session cookie only; the client's `logout` deletes all cookies."""
    del browser.cookies["sessionid"]


def is_logged_in(browser):
    return "_auth_user_id" in browser.session


def calls(sandbox):
    return [call.name for call in sandbox.calls]


def portal_visitor(sandbox, url):
    """Return the contact whom the sandbox lets into the portal by this link."""
    [token] = parse_qs(urlsplit(url).query)["token"]
    return sandbox.visitor(token)
