"""
The consents that a visitor gives before a code is sent.

The provider decides which consents are needed, and ``PIGGY_VERIFY_CONSENTS`` has the
texts to agree to. A consent is recorded when the code was right.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.utils import timezone

from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import ConsentMissing
from django_piggy_verify.models import Consent, Contact
from django_piggy_verify.traits import Traits

_LONGEST_VERSION: Final = 64
"""Characters of `Consent.version`."""


class GivenConsent(NamedTuple):
    """A consent that a visitor has given."""

    kind: str
    """The kind of the text, such as "terms"."""

    version: str
    """The version of the text, from the settings."""

    given_at: int
    """When it was given, in seconds since the epoch."""


def given_now(kinds: Iterable[str]) -> list[GivenConsent]:
    """Return the consents of these kinds, to the current versions of the texts."""
    now = int(time.time())
    return [GivenConsent(each, _version(each), now) for each in sorted(set(kinds))]


def require(traits: Traits, given: Iterable[GivenConsent]) -> None:
    """Raise ConsentMissing unless every consent that the provider wants is given."""
    if missing := set(traits.consents) - {each.kind for each in given}:
        raise ConsentMissing(missing)


def record(contact: Contact, given: Sequence[GivenConsent]) -> None:
    """Store the consents of a contact, unless it has given them before."""
    zone = timezone.now().tzinfo  # None if ``USE_TZ`` is off
    rows = [
        Consent(
            contact=contact,
            kind=each.kind,
            version=each.version,
            given_at=datetime.fromtimestamp(each.given_at, zone),
        )
        for each in given
    ]
    Consent.objects.bulk_create(rows, ignore_conflicts=True)


def _version(kind: str) -> str:
    text = conf.consents.get(kind, {})
    return str(text.get("version", ""))[:_LONGEST_VERSION]
