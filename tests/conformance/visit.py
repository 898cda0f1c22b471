"""A visitor of the login pages of one vendor, and what is seen of the visit."""

import logging
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from django_piggy_verify.exceptions import PiggyVerifyError
from django_piggy_verify.limits.fixed_windows import limit_of
from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge, Stateful
from django_piggy_verify.secret import Secret
from tests.http.hostile import reply
from tests.secrecy.evidence import Browser, shapes
from tests.steps import is_logged_in, type_code


class Seen(NamedTuple):
    """All that can be seen of the steps after `Visit.begin`."""

    status: int
    """The status of the last response."""
    page: str
    """Its template and the error of its form, the target of a redirect, or the error
    code of JSON."""
    events: list[str]
    """The level and the name of each event that is logged at INFO or higher."""
    counted: dict[str, int]
    """By limit, how much more is counted than before."""
    calls: list[str]
    """The calls that the vendor received."""
    user: str
    """The name of the person who is logged in, or a blank text."""


class Visit:
    """A visitor with a browser, who logs in with a code of the vendor."""

    def __init__(self, evidence, vendor, settings, *, is_script):
        self.evidence = evidence
        self.vendor = vendor
        self.settings = settings
        self.is_script = is_script
        self.adapter = vendor.adapter
        self.people = vendor.adapter.people
        self.events = EventLog()
        self.browser = self.new_browser()

    def new_browser(self):
        browser = Browser(self.evidence)
        browser.is_script = self.is_script
        return browser

    def begin(self):
        """Let `seen` show only what happens from now on."""
        self.events.names.clear()
        self.vendor.begin()
        self.counted_before = counts()

    def ask(self, recipient=""):
        """Ask for a code. The response never says whether the code was sent."""
        self.post_first_page(recipient, self.adapter.consents)
        seen = self.response.status_code, page_of(self.response)
        assert seen in {(302, "/login/code/"), (202, "")}

    def post_first_page(self, recipient="", consents=()):
        """Fill in the first page, and agree to these consents."""
        name = "phone" if self.adapter.is_by_phone else "email"
        boxes = [f"consent_{kind}" for kind in consents]
        ticks = dict.fromkeys(boxes, True if self.is_script else "on")
        fields = {name: recipient or self.people.ann, **ticks}
        self.response = self.browser.post("/login/", fields)

    def look(self):
        """Look at the code page."""
        self.response = self.browser.get("/login/code/")

    def type(self, code, **fields):
        """Type a code on the code page."""
        self.response = type_code(self.browser, code, **fields)

    @property
    def tab(self):
        """The field of an open tab that names its login in progress."""
        return {"login": self.browser.cookies["piggy_verify_login"].value}

    def call_directly(self, verb):
        """Make a call without a page, and record the frames of its error."""
        provider, challenge = get_provider(), self._new_challenge()
        if verb not in self.vendor.flow:
            status, content = self.adapter.proved(self.people.ann)
            self.vendor.answers["check"] = reply(content, status)
        try:
            if verb == "send":
                provider.send_code(challenge)
            else:
                provider.check_code(challenge, Secret(self.vendor.wrong_code))
        except PiggyVerifyError as error:
            self.evidence.error(error)

    def _new_challenge(self):
        consents = frozenset(self.adapter.consents)
        challenge = Challenge(recipient=self.people.ann, consents=consents)
        provider = get_provider()
        if isinstance(provider, Stateful):
            return replace(challenge, state=provider.new_state(challenge))
        return challenge

    @property
    def leaks(self):
        """Pairs of a sink and a secret in its texts."""
        found = self.evidence.leaks
        sinks = [(each, self.evidence.of(each)) for each in self.evidence.sinks]
        return found | {
            (sink, name)
            for name, secret in self.vendor.hidden
            for sink, text in sinks
            if any(shape in text for shape in shapes(secret))
        }

    @property
    def seen(self):
        counted = Counter(counts())
        counted.subtract(self.counted_before)
        return Seen(
            status=self.response.status_code,
            page=page_of(self.response),
            events=[*self.events.names],
            counted={limit: number for limit, number in counted.items() if number},
            calls=self.vendor.calls,
            user=self._user(),
        )

    def _user(self):
        if not is_logged_in(self.browser):
            return ""
        contact = Contact.objects.get(user_id=self.browser.session["_auth_user_id"])
        return self.people.name_of(contact.email or contact.phone)


class EventLog(logging.Handler):
    """Records the events of the package."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.names = []

    def emit(self, record):
        self.names.append(f"{record.levelname} {vars(record).get('event_name')}")


def counts():
    """Return what is counted, by limit."""
    counted: Counter[str] = Counter()
    for row in Tally.objects.all():
        counted[limit_of(row.key)] += row.count
    return counted


def page_of(response):
    """Return what tells one page from another."""
    if "Location" in response:
        return response["Location"]
    if response["Content-Type"] == "application/json":
        content = response.json()
        return content.get("redirect_to") or content.get("error", {}).get("code", "")
    template = response.templates[0].name.removeprefix("piggy_verify/")
    with suppress(KeyError):
        errors = response.context["form"].errors.as_data()
        codes = [error.code for many in errors.values() for error in many]
        return " ".join([template, *codes])
    return template
