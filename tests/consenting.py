"""A provider that mails and texts codes to anybody, and wants two consents."""

from typing import Any, ClassVar

from django.test import override_settings

from django_piggy_verify.exceptions import (
    CodeRejected,
    ConsentMissing,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.providers.base import Identity
from django_piggy_verify.traits import Channel, Traits
from tests.steps import ADDRESS, NUMBER

RIGHT = "246810"
CONSENTS = {"consent_terms": "on", "consent_privacy": "on"}
TEXTS = {
    "terms": {"url": "/terms/", "version": "2026-01"},
    "privacy": {"url": "https://shop.example/privacy/", "version": "7"},
}


class ConsentingProvider:
    """Its options are the traits and the errors. `sent` has what it got."""

    def __init__(
        self, *, sent, send_error=None, check_error=None, knows_members=False, **traits
    ):
        self.name = "texting"
        self.sent = sent
        self.errors = {"send": send_error, "check": check_error}
        wanted: dict[str, Any] = {
            "channels": frozenset(Channel),
            "consents": ("terms", "privacy"),
            "wants_device": True,
        }
        self.traits = Traits(**wanted | traits, knows_members=knows_members)

    def send_code(self, challenge):
        self.fail("send", challenge.recipient)
        self.sent.append(challenge)
        return challenge

    def check_code(self, challenge, code):
        self.fail("check", challenge.recipient)
        if code != RIGHT:
            raise CodeRejected
        who = challenge.recipient
        return Identity.of(who, provider=self.name, uid=who)

    def fail(self, call, recipient):
        if error := self.errors[call]:
            raise error


class FussyProvider(ConsentingProvider):
    """Refuses some addresses, by their first word, in a process of its own."""

    ERRORS: ClassVar[dict[tuple[str, str], Exception]] = {
        ("send", "refused"): RecipientRefused(),
        ("send", "unasked"): ConsentMissing({"terms"}),
        ("check", "late"): ConsentMissing({"terms"}),
        ("check", "spent"): ProviderUnavailable("no profile", spends_code=True),
    }
    known: ClassVar[set[str]] = set()

    def __init__(self, **options):
        super().__init__(sent=[], **options)

    def fail(self, call, recipient):
        """Refuse "once" and "twice" at the second send."""
        first = recipient.partition(".")[0]
        second = {"once": RecipientRefused(), "twice": ConsentMissing({"terms"})}
        if call == "send" and recipient in self.known and first in second:
            raise second[first]
        self.known.add(recipient)
        if error := self.ERRORS.get((call, first)):
            raise error


SETTINGS = {
    "PIGGY_VERIFY_SMS_COUNTRIES": ["NL"],
    "PIGGY_VERIFY_PHONE_REGION": "NL",
    "PIGGY_VERIFY_CONSENTS": TEXTS,
}
FUSSY = {**SETTINGS, "PIGGY_VERIFY_PROVIDER": "tests.consenting.FussyProvider"}


def settings_of(**options):
    return {
        **SETTINGS,
        "PIGGY_VERIFY_PROVIDER": "tests.consenting.ConsentingProvider",
        "PIGGY_VERIFY_PROVIDER_OPTIONS": {"sent": [], **options},
    }


def use(settings, **options):
    """Use the provider, and return the challenges that it gets at its sends."""
    for name, value in settings_of(**options).items():
        setattr(settings, name, value)
    return settings.PIGGY_VERIFY_PROVIDER_OPTIONS["sent"]


def used(**options):
    """Return a context manager that uses the provider meanwhile."""
    return override_settings(**settings_of(**options))


def misbehave(settings, **errors):
    """Let the provider raise these errors from now on."""
    options = settings.PIGGY_VERIFY_PROVIDER_OPTIONS
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options | errors


def ask(browser, **fields):
    """Ask for a code: by text message, unless the fields have an address."""
    recipient = {} if "email" in fields else {"phone": NUMBER}
    return browser.post("/login/", {**CONSENTS, **recipient, **fields})


def ask_by_mail(browser, **fields):
    return ask(browser, email=ADDRESS, **fields)
