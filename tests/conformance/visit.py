"""A visitor of the pages with one vendor, and what is seen of the visit."""

import logging
from collections import Counter
from contextlib import suppress
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from django_piggy_verify.exceptions import PiggyVerifyError
from django_piggy_verify.limits.fixed_windows import limit_of
from django_piggy_verify.login import challenges
from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.providers import get_provider
from django_piggy_verify.secret import Secret
from tests.http.hostile import reply
from tests.secrecy.evidence import Browser, shapes


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
    person: str
    """The name of the person whose contact was stored for the user who is logged in, or
    a blank text."""
    is_new_session: bool
    """Whether the session, or its user, is another one than before."""


class Visit:
    """A visitor with a browser, who proves a contact with a code of the vendor."""

    def __init__(self, evidence, vendor, settings, pages, *, is_script):
        self.evidence = evidence
        self.vendor = vendor
        self.settings = settings
        self.pages = pages
        self.is_script = is_script
        self.adapter = vendor.adapter
        self.people = vendor.adapter.people
        self.events = EventLog()
        self.browser = self.new_browser()

    def new_browser(self, user="shopper"):
        """Return a new browser. To connect a contact, this user is logged in there."""
        browser = Browser(self.evidence)
        browser.is_script = self.is_script
        if self.pages.is_connecting:
            found, _ = get_user_model().objects.get_or_create(username=user)
            browser.force_login(found, _BACKEND)
        return browser

    def begin(self):
        """Let `seen` show only what happens from now on."""
        self.events.names.clear()
        self.vendor.begin()
        self.counted_before = counts()
        self.session_before = self.session
        self.contacts_before = {*self._contacts()}

    def ask(self, recipient=""):
        """Ask for a code. The response never says whether the code was sent."""
        self.post_first_page(recipient, self.adapter.consents)
        seen = self.response.status_code, page_of(self.response)
        assert seen in {(302, self.pages.code), (202, "")}

    def post_first_page(self, recipient="", consents=()):
        """Fill in the first page, and agree to these consents."""
        name = "phone" if self.adapter.is_by_phone else "email"
        boxes = [f"consent_{kind}" for kind in consents]
        ticks = dict.fromkeys(boxes, True if self.is_script else "on")
        fields = {name: recipient or self.people.ann, **ticks}
        self.response = self.browser.post(self.pages.start, fields)

    def look(self):
        """
        Look at the code page, or press the button of the page for the link.

        The latter page looks the same for everybody, until its button is pressed.
        """
        open_page = self.browser.post if self.pages.is_link else self.browser.get
        self.response = open_page(self.pages.code)

    def type(self, code, **fields):
        """Type a code on the code page, or follow a link and press the button."""
        if self.pages.is_link:
            self.vendor.follow(code)
        else:
            fields["code"] = code
        self.response = self.browser.post(self.pages.code, fields)

    def resend(self):
        """Ask for another code or link."""
        self.browser.post(f"{self.pages.start}code/resend/")

    @property
    def tab(self):
        """The field of an open tab that names its login in progress."""
        return {"login": self.browser.cookies[self.pages.cookie].value}

    def call_directly(self, verb):
        """Make a call without a page, and record the frames of its error."""
        provider: Any = get_provider()
        challenge, is_link = self._new_challenge(provider), self.pages.is_link
        if verb not in self.vendor.flow:
            status, content = self.adapter.proved(self.people.ann)
            self.vendor.answers["check"] = reply(content, status)
        try:
            if verb == "send":
                (provider.send_link if is_link else provider.send_code)(challenge)
            elif is_link:
                provider.check_link(challenge)
            else:
                provider.check_code(challenge, Secret(self.vendor.wrong_code))
        except PiggyVerifyError as error:
            self.evidence.error(error)

    def _new_challenge(self, provider):
        consents, request = self.adapter.consents, RequestFactory().get("/")
        request.user = get_user_model().objects.first() or AnonymousUser()
        recipient = self.people.ann
        challenge = challenges.of(provider, recipient, request, consents=consents)
        return challenges.with_state(provider, challenge)

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
            person=self._person(),
            is_new_session=self.session != self.session_before,
        )

    def _person(self):
        stored = {*self._contacts()} - self.contacts_before
        names = [self.people.name_of(email or phone) for email, phone, _ in stored]
        return " ".join(names)

    def _contacts(self):
        """Return the contacts of the user who is logged in, and when each was proved.

        A contact that is stored again has another time.
        """
        found = Contact.objects.filter(user_id=self.session.get("_auth_user_id"))
        return found.values_list("email", "phone", "verified_at")

    @property
    def session(self):
        """The content of the session, with its key and the last login of its user."""
        if "sessionid" not in self.browser.cookies:
            return {}
        session = self.browser.session
        user = get_user_model().objects.get(pk=session["_auth_user_id"])
        return {"key": session.session_key, "at": user.last_login, **session}


_BACKEND = f"{ModelBackend.__module__}.{ModelBackend.__qualname__}"


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
    if response.context.get("is_not_followed"):
        return f"{template} link_not_followed"
    with suppress(KeyError):
        errors = response.context["form"].errors.as_data()
        codes = [error.code for many in errors.values() for error in many]
        return " ".join([template, *codes])
    return template
