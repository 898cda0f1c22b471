"""Providers that send text messages and call no API."""

from django_piggy_verify.exceptions import (
    ConsentMissing,
    ContactUnknown,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.providers.base import Identity
from django_piggy_verify.traits import Channel, Traits

CODE = "123456"


class Texter:
    """A provider that sends everything, by email and by text message."""

    name = "texter"
    traits = Traits(channels=frozenset(Channel))

    def send_code(self, challenge):
        return challenge

    def check_code(self, challenge, code):
        return Identity.of(challenge.recipient, provider=self.name, uid="1")


class Mailer(Texter):
    """A provider that sends everything by email only."""

    traits = Traits()


class Unreachable(Texter):
    """A provider whose failures are told to everybody."""

    def send_code(self, challenge):
        raise ProviderUnavailable("no connection", may_depend_on_contact=False)


class Blocking(Texter):
    """A provider whose vendor blocks the visitor, but perhaps nobody else."""

    def send_code(self, challenge):
        raise ProviderUnavailable(
            "blocked", may_depend_on_contact=False, may_depend_on_visitor=True
        )


class Unsure(Texter):
    """A provider that does not know whether the text has left."""

    def send_code(self, challenge):
        raise ProviderUnavailable("no answer", may_depend_on_contact=True)


class Exclusive(Texter):
    """A provider that sends to contacts only, and has none."""

    def send_code(self, challenge):
        raise ContactUnknown


class Picky(Texter):
    """A provider that refuses numbers that end with 0 or 5."""

    traits = Traits(channels=frozenset(Channel), knows_members=False)

    def send_code(self, challenge):
        if challenge.recipient[-1] in "05":
            raise RecipientRefused
        return challenge


class Unagreed(Texter):
    """A provider that misses a consent of everybody."""

    def send_code(self, challenge):
        raise ConsentMissing(["terms"])
