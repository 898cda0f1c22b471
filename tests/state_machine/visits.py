"""Visit the pages, and compare each outcome with the promise of the model."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from django_piggy_verify.auth_tokens import leases
from django_piggy_verify.models import AuthToken, Contact, Tally
from tests.state_machine.browsing import (
    Browser,
    Outcome,
    destination,
    location,
    outcome,
    shown,
)
from tests.state_machine.model import Model, Promise

LOGIN, SESSION, DEVICE = "piggy_verify_login", "sessionid", "piggy_verify_device"
IN_SESSION = {"_auth_user_id", "_auth_user_backend", "_auth_user_hash", "basket"}
ANN, BOB, EVE = ADDRESSES = (
    "ann@example.com",
    "bob@xn--bcher-kva.example",
    "eve@example.com",
)
SPELLINGS = {
    # as it is typed: as it is sent and shown
    ANN: ANN,
    BOB: BOB,
    " ANN@Example.COM\n": "ANN@example.com",
    "Ann@exam\u00adple。com": "Ann@example.com",
    "bob@ｂücher.example": BOB,
    "bob@XN--bcher-kva.example": BOB,
    EVE: EVE,
}
NO_ADDRESSES = ("", "vıctim@example.com", '"ann"@example.com')
NO_CODES = ("", " - ", "é", "1\x00")
WRITINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "pasted": lambda code: f"\u00a0{code[:2]} {code[2:]}\u200b ",
    "wide": lambda code: "".join(chr(ord(each) + 0xFEE0) for each in code),
}
MEMBERS = "/members/"
OWN = (MEMBERS, "/members/?a=1")


class Visits:
    """Three browsers that visit the pages, with the model of the pages."""

    pages, cookie, home = "", LOGIN, MEMBERS

    def __init__(self, upstream):
        super().__init__()
        self.upstream = upstream
        self.model = Model()
        self.asks_again = False
        self.browsers = {
            "ann's": Browser("203.0.113.1", is_script=False),
            "bob's": Browser("203.0.113.2", is_script=True),
            "thief's": Browser("203.0.113.3", is_script=False),
        }
        self.tabs: list[tuple[str, dict[str, str]]] = []
        self.other_tabs: list[tuple[str, dict[str, str]]] = []
        self.texts: list[object] = []
        self.log: list[Any] = []

    def ask_for_code(self, name, typed, next_url=""):
        browser, recipient = self.browsers[name], SPELLINGS.get(typed, "")
        earlier = self.find(browser)
        promise, send = self.sent_on(browser) or Promise(Outcome.INVALID), None
        key = recipient.lower()
        if recipient and not self.sent_on(browser):
            promise, send = self.model.send(key, **self.whom(browser, key))
        fields = {"email": typed, "next": next_url}
        response = self.post(browser, "", fields, promise, recipient)
        if promise.outcome is Outcome.SENT:
            kept = next_url if next_url in OWN else ""
            user = self.user_to_connect(browser)
            login = self.model.begin(recipient, kept, earlier, send, user)
            self.is_waiting(name, response, login)
        if promise.outcome is Outcome.LIMITED and earlier and earlier.key == key:
            self.is_limited(name, earlier)

    @property
    def logins(self):
        """Return the logins in progress of these pages, by their signed text."""
        return self.model.logins

    def user_to_connect(self, browser):
        """Return None: a visitor who logs in connects nobody."""

    def find(self, browser, **named):
        """Return the login in progress that a page means, or None."""
        return self.model.find(self.logins, browser.cookie(self.cookie), **named)

    def whom(self, browser, key):
        """Return the subject that a browser is counted under."""
        device = self.model.device(browser.cookie(DEVICE), key)
        return {"ip": browser.ip, "device": device}

    def type_code(self, name, tab, kind, writing="plain", next_url=""):
        browser, named = self.browsers[name], self.tab(name, tab)
        login = self.find(browser, **named)
        meant = login or self.model.signed(named.get("login", ""))
        code = self.code(meant.key if meant else ANN, kind)
        fields = {"code": WRITINGS[writing](code), "next": next_url, **named}
        if promise := self.turned_away(browser, login):
            self.post(browser, "code/", fields, promise)
        elif kind in NO_CODES:
            fields["code"] = kind
            is_unsent = self.model.is_unsent(login)
            promise = Promise(Outcome.UNAVAILABLE if is_unsent else Outcome.INVALID)
            self.shows(name, self.post(browser, "code/", fields, promise), login)
        else:
            self.have_checked(name, login, code, fields)

    def have_checked(self, name, login, code, fields):
        browser, before = self.browsers[name], self.browsers[name].cookie(SESSION)
        devices, whom = browser.cookie(DEVICE), self.whom(browser, login.key)
        uid = self.upstream.owner(login.key, code)
        promise = self.model.check(login, code, uid=uid, **whom)
        response = self.post(browser, "code/", fields, promise, login.recipient)
        self.goes_on(name, login, fields, response, promise)
        # The same code posted again leads on as well, but logs nobody in.
        if promise.outcome is Outcome.SENT_ON and promise.calls:
            self.is_logged_in(browser, uid, before)
            self.has_fetched_the_token(uid)
            self.model.remember(browser.cookie(DEVICE), login.key, devices)

    def goes_on(self, name, login, fields, response, promise):
        """Check where the response to a code leads, and what stays in progress."""
        browser = self.browsers[name]
        if promise.outcome is Outcome.REJECTED or self.model.is_unsent(login):
            self.shows(name, response, login)
        if promise.outcome is Outcome.LIMITED:
            self.is_limited(name, login, closes=bool(promise.calls))
        if promise.outcome is Outcome.REFUSED:
            assert not browser.cookie(self.cookie)
        if promise.outcome is Outcome.SENT_ON:
            posted = fields["next"] if fields["next"] in OWN else self.home
            assert location(response) == (login.next or posted)
            assert not (promise.calls and browser.cookie(self.cookie))

    def resend(self, name, tab):
        browser, named = self.browsers[name], self.tab(name, tab)
        login = self.find(browser, **named)
        promise, send = self.turned_away(browser, login), None
        if not promise:
            promise, send = self.model.resend(login, **self.whom(browser, login.key))
        recipient = login.recipient if login else ""
        response = self.post(browser, "code/resend/", named, promise, recipient)
        if promise.outcome is Outcome.SENT:
            self.is_waiting(name, response, self.model.asked(login, send))
        if promise.outcome is Outcome.LIMITED:
            self.is_limited(name, login)

    def cancel(self, name):
        browser = self.browsers[name]
        promise = self.sent_on(browser) or Promise(Outcome.CANCELLED)
        self.post(browser, "cancel/", {}, promise)
        is_cancelled = promise.outcome is Outcome.CANCELLED
        assert not (is_cancelled and browser.cookie(self.cookie))

    def log_out(self, name):
        browser = self.browsers[name]
        key = browser.cookie(SESSION)
        pk = self.model.user(key)
        browser.post("/logout/")
        self.model.sessions.pop(key, None)
        assert not AuthToken.objects.filter(contact__user=pk).exists()

    def open_a_tab(self, name):
        browser = self.browsers[name]
        login = self.find(browser)
        promise = self.turned_away(browser, login)
        response = browser.get(f"/login/{self.pages}code/")
        self.saw(response)
        if promise:
            assert self.outcome(response, "") is promise.outcome
        else:
            status = 503 if self.model.is_unsent(login) else 200
            assert response.status_code == status
            self.shows(name, response, login)

    def read(self, name, method, path, next_url, address):
        """Read a page. Reading sends, checks and counts nothing, with any query."""
        browser, before = self.browsers[name], deepcopy(self.state())
        code, login = self.code(address, "right"), browser.cookie(self.cookie)
        query = {"next": next_url, "email": address, "code": code, "login": login}
        url = f"/login/{self.pages}{path}?{urlencode(query)}"
        response = getattr(browser, method)(url)
        # The outcome is not recorded. The visitor has put the code into the address,
        # and Django logs the request of a method that is not allowed.
        self.log.clear()
        assert stays(response)
        assert self.state() == before

    def post(self, browser, path, fields, promise, recipient=""):
        """Post, and compare the outcome and the calls to the API with the promise."""
        done = len(self.upstream.calls)
        response = browser.send(f"{self.pages}{path}", fields)
        self.saw(response)
        calls = self.upstream.calls[done:]
        seen = self.outcome(response, path)
        assert Promise(seen, [each.name for each in calls]) == promise
        assert {each.body.get("email", recipient) for each in calls} <= {recipient}
        return response

    def outcome(self, response, path):
        """Return the outcome that the response of a page shows."""
        return outcome(response)

    def saw(self, response):
        self.texts += [response.text, response.headers, response.cookies]
        assert stays(response)

    def is_waiting(self, name, response, login):
        """Check that the cookie names this login, and open its code page."""
        browser = self.browsers[name]
        self.logins[browser.cookie(self.cookie)] = login
        if browser.is_script:
            assert response.json() == login.state
        self.open_a_tab(name)

    def is_limited(self, name, login, *, closes=False):
        """Check that the login is open, unless its own attempts are used up."""
        cookie = self.browsers[name].cookie(self.cookie)
        if cookie in self.logins:
            return
        page = self.browsers[name].get(f"/login/{self.pages}code/")
        if closes or page.status_code in {302, 409}:
            assert self.model.is_used_up(login)
            login = replace(login, sent_at=0)
        self.logins[cookie] = login
        self.open_a_tab(name)

    def shows(self, name, response, login):
        """Check that a page names the login, and shows its address and its state."""
        if not self.browsers[name].is_script:
            recipient, field = shown(response)
            # The page of a failed send has no address.
            assert recipient == ("" if response.status_code == 503 else login.recipient)
            self.logins[field] = login
            self.tabs.append((name, {"login": field}))
        elif response.status_code == 200:
            assert response.json() == login.state
            self.tabs.append((name, {"recipient": login.recipient}))

    def is_logged_in(self, browser, uid, before):
        """Check that the user is logged in, in a new session without the login."""
        pk, key = browser.user(), browser.cookie(SESSION)
        assert pk == self.model.users.get(uid, pk)
        assert uid in self.model.users or pk not in self.model.known
        assert key not in {before, *self.model.sessions}
        assert not Session.objects.filter(pk=before).exists()
        assert set(browser.session.keys()) <= IN_SESSION
        self.model.sessions.pop(before, None)
        self.model.log_in(uid, pk, key)

    def has_fetched_the_token(self, uid):
        """Check that the lease of the login is over, and that its token is stored."""
        assert not leases.is_busy(Contact.objects.get(uid=uid))
        if self.model.trouble.gives_token:
            tokens = AuthToken.objects.filter(contact__uid=uid)
            assert tokens.get().fetched_at == timezone.now()

    def sent_on(self, browser):
        """Return the promise of a redirect, if a user is logged in."""
        is_sent_on = self.model.user(browser.cookie(SESSION)) and not self.asks_again
        return Promise(Outcome.SENT_ON) if is_sent_on else None

    def turned_away(self, browser, login):
        is_open = login is not None and login.is_open
        return self.sent_on(browser) or (None if is_open else Promise(Outcome.EXPIRED))

    def tab(self, name, tab):
        """
        Return the fields of a code page that was opened earlier.

        Another one is a code page of the other kind, for logins or for connections.
        """
        whose, back = tab or ("", 0)
        is_own = {"own": True, "foreign": False, "other": True}.get(whose)
        tabs = self.other_tabs if whose == "other" else self.tabs
        found = [fields for owner, fields in tabs if (owner == name) is is_own]
        return found[-1 - back] if back < len(found) else {}

    def code(self, key, kind):
        """Return a code of that kind, or a wrong code if there is none."""
        mine, *older = self.upstream.codes(key) or ["wrong"]
        others = (self.upstream.codes(each) for each in ADDRESSES if each != key)
        foreign = next(filter(None, others), ["wrong"])[0]
        old = older[0] if older else "wrong"
        found = {"right": mine, "upper": mine.upper(), "old": old, "foreign": foreign}
        return found.get(kind, "wrong")

    def state(self):
        """Return all rows that the flow writes, and the number of calls."""
        models = (Tally, AuthToken, Contact, User, Session)
        rows = [list(each.objects.order_by("pk").values_list()) for each in models]
        return [*rows, len(self.upstream.calls)]


def stays(response):
    return destination(location(response)) == ("http", "testserver")
