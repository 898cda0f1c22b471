"""Visit the connect pages, and compare each outcome with the promise of the model."""

from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from django_piggy_verify.models import AuthToken, Contact
from tests.state_machine.browsing import Outcome, location, outcome
from tests.state_machine.visits import SESSION, Visits

CONNECTION = "piggy_verify_connect"
LIST = "/login/connect/"
NO_CONTACTS = ("", "0", "-1", "é", "9" * 30)
_DONE = {"code/": Outcome.SENT_ON, "disconnect/": Outcome.DISCONNECTED}


class ConnectVisits(Visits):
    """The browsers of some visits to the login pages, on the connect pages."""

    pages, cookie, home = "connect/", CONNECTION, LIST

    def __init__(self, visits):
        super().__init__(visits.upstream)
        self.model: Any = visits.model
        self.browsers = visits.browsers
        self.texts, self.log = visits.texts, visits.log
        self.other_tabs, visits.other_tabs = visits.tabs, self.tabs

    @property
    def logins(self):
        """Return the connections in progress, by their signed text."""
        return self.model.connections

    def user_to_connect(self, browser):
        return self.model.user(browser.cookie(SESSION))

    def find(self, browser, **named):
        """Return the connection that a page means, if it is one of the user."""
        user = self.user_to_connect(browser)
        mine = {text: each for text, each in self.logins.items() if each.user == user}
        return self.model.find(mine, browser.cookie(self.cookie), **named)

    def sent_on(self, browser):
        """Return the promise for a visitor who may not connect contacts, or None."""
        return self.model.kept_out(browser.cookie(SESSION))

    def have_checked(self, name, login, code, fields):
        browser = self.browsers[name]
        whom = self.whom(browser, login.key)
        uid = self.upstream.owner(login.key, code)
        promise = self.model.check(login, code, uid=uid, **whom)
        in_progress = browser.cookie(self.cookie)
        response = self.post(browser, "code/", fields, promise, login.recipient)
        self.goes_on(name, login, fields, response, promise)
        if promise.outcome in {Outcome.TAKEN, Outcome.SECOND}:
            assert browser.cookie(self.cookie) == in_progress

    def post(self, browser, path, fields, promise, recipient=""):
        """Post. Neither the user nor the session changes, whatever the outcome is."""
        is_in = self.user_to_connect(browser)
        with _users_and_sessions_stay():
            response = super().post(browser, path, fields, promise, recipient)
        assert response.status_code not in ({302} if browser.is_script else {202, 204})
        assert not (is_in and SESSION in response.cookies)
        assert promise.outcome is not Outcome.REFUSED or not browser.cookie(self.cookie)
        return response

    def open_a_tab(self, name):
        with _users_and_sessions_stay():
            super().open_a_tab(name)

    def outcome(self, response, path):
        """Return the outcome. A step that is done leads back to the list."""
        found = outcome(response)
        is_list = found is Outcome.CANCELLED and location(response) in {"", LIST}
        return _DONE.get(path, found) if is_list else found

    def look_at_the_list(self, name):
        """Look at the list, which shows the contacts of the user, and no others."""
        browser = self.browsers[name]
        response = browser.get(LIST)
        self.saw(response)
        if promise := self.sent_on(browser):
            assert self.outcome(response, "") is promise.outcome
            return
        rows = Contact.objects.in_bulk()
        if browser.is_script:
            listed = [rows[each["contact"]] for each in response.json()["contacts"]]
        else:
            listed = response.context["contacts"]
        mine = self.model.contacts_of(self.user_to_connect(browser))
        assert [(each.uid, each.email) for each in listed] == mine

    def disconnect(self, name, uid, written):
        """Disconnect a contact. Without a `uid`, post something else."""
        browser = self.browsers[name]
        key = Contact.objects.filter(uid=uid).values_list("pk", flat=True).first()
        fields = {"contact": written if key is None else str(key)}
        promise, user = self.sent_on(browser), self.user_to_connect(browser)
        promise = promise or self.model.disconnect(user, uid)
        self.post(browser, "disconnect/", fields, promise)
        if promise.outcome is Outcome.DISCONNECTED:
            assert not AuthToken.objects.filter(contact=key).exists()


@contextmanager
def _users_and_sessions_stay():
    before = _users_and_sessions()
    yield
    assert _users_and_sessions() == before


def _users_and_sessions():
    models = (User, Session)
    return [list(each.objects.order_by("pk").values_list()) for each in models]
