"""
Store what the check of a code needs: the provider's state and the consents.

Each send has a row. The rows belong to the recipient, not to the browser. So a code can
be typed in another browser, and in another tab. The newest row counts. Providers
without state and consents have no rows, and cost no query.

A send that fails and a right code delete rows of one recipient. If they meet, MariaDB
may undo one of the statements, which is then made again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from typing import Final

from django.utils import timezone
from django.utils.crypto import salted_hmac

from django_piggy_verify import encryption, recipients
from django_piggy_verify.conf import conf
from django_piggy_verify.db import locking, retries
from django_piggy_verify.exceptions import CodeRejected
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.login import challenges
from django_piggy_verify.login.consents import GivenConsent
from django_piggy_verify.models import OpenChallenge
from django_piggy_verify.providers.base import Challenge, Provider, Stateful
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import traits_of

_SALT: Final = "django_piggy_verify.challenges"
_MOST: Final = 10
"""How many sends to one recipient are searched for one for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The newest challenge of a recipient."""

    challenge: Challenge
    """The challenge, with its state."""

    consents: Sequence[GivenConsent] = ()
    """The consents that were given at the send."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A challenge that was stored before its send."""

    challenge: Challenge
    """The challenge, with the state that the provider has made."""

    consents: Sequence[GivenConsent]
    """The consents that were given."""

    row: OpenChallenge | None
    """The row, or None if the provider needs none."""

    @retries.retry_on_conflict
    def complete(self, sent: Challenge) -> None:
        """Store the state that the vendor's answer has added, if any."""
        if self.row is None or sent.state == self.challenge.state:
            return
        sealed = _seal(sent.state, self.consents, key=self.row.key)
        OpenChallenge.objects.filter(pk=self.row.pk).update(ciphertext=sealed)

    @retries.retry_on_conflict
    def remove(self) -> None:
        """Delete the row, so that the code before this one can be typed."""
        if self.row is not None:
            OpenChallenge.objects.filter(pk=self.row.pk).delete()


@retries.retry_on_conflict
def store(
    provider: Provider, challenge: Challenge, consents: Sequence[GivenConsent]
) -> Stored:
    """Store a new challenge, before its send. The answer to the send may be lost."""
    if not _has_rows(provider):
        return Stored(challenge, consents, None)
    challenge = challenges.with_state(provider, challenge)
    key, *_older = _keys(provider.name, challenge.recipient)
    row = OpenChallenge.objects.create(
        key=key,
        ciphertext=_seal(challenge.state, consents, key=key),
        ends_at=timezone.now() + timedelta(seconds=_lifetime()),
    )
    return Stored(challenge, consents, row)


def open_newest(provider: Provider, challenge: Challenge) -> Opened:
    """
    Return `challenge` with the state and the consents of the newest send.

    With the access of a user, the newest send for this user comes first.

    Raises CodeRejected if no send is known, or if no key of the ring decrypts it. No
    code can be right then.
    """
    if not _has_rows(provider):
        return Opened(challenge=challenge)
    rows = locking.primary_rows(OpenChallenge).filter(
        key__in=_keys(provider.name, challenge.recipient), ends_at__gt=timezone.now()
    )
    newest = rows.order_by("-pk")[: _MOST if challenge.access else 1]
    opened = [each for row in newest if (each := _open(row, challenge))]
    # Another user may have asked for a code to the same address since.
    own = [each for each in opened if each.challenge.is_of_user]
    for each in own or opened:
        return each
    raise CodeRejected


def _open(row: OpenChallenge, challenge: Challenge) -> Opened | None:
    """Return the challenge of a row, or None if no key of the ring decrypts it."""
    text = encryption.decrypt(bytes(row.ciphertext), bound_to=_binding(row.key))
    if not text:
        return None
    consents, *state = map(Secret, text.split("\n"))
    given = [GivenConsent(*each) for each in json.loads(consents)]
    kinds = frozenset(each.kind for each in given)
    names, values = map(json.loads, state[::2]), map(_hidden, state[1::2])
    found = dict(zip(names, values, strict=True))
    opened = replace(challenge, state=found, consents=kinds)
    return Opened(challenge=opened, consents=given)


def forget(provider: Provider, recipient: str) -> None:
    """Delete all challenges of a recipient, after a right code."""
    if _has_rows(provider):
        forget_all(provider.name, [recipient])


@retries.retry_on_conflict
def forget_all(provider: str, addresses: Iterable[str]) -> None:
    """Delete the challenges of addresses and numbers at the provider of this name."""
    keys = chain.from_iterable(_keys(provider, each) for each in addresses if each)
    OpenChallenge.objects.filter(key__in=list(keys)).delete()


def _has_rows(provider: Provider) -> bool:
    return isinstance(provider, Stateful) or bool(traits_of(provider).consents)


def _lifetime() -> int:
    """
    Return the seconds for which the code of a send can be typed.

    A resend within the cooldown sends nothing, but gives the login a new deadline.
    """
    cooldown = fixed_windows.parse_rate(str(conf.rate_limits["send_cooldown"]))
    return conf.login_ttl + cooldown.period


def _seal(
    state: Mapping[str, Secret], consents: Sequence[GivenConsent], *, key: str
) -> bytes:
    """
    Encrypt the consents and the state: one line of JSON for each name and value.

    So each value can be wrapped as soon as it is read. If all were one JSON text, they
    would be plain texts in the frames that read it.
    """
    parts = chain([list(consents)], *state.items())
    text = Secret("\n".join(map(json.dumps, parts)))
    return encryption.encrypt(text, bound_to=_binding(key))


def _hidden(line: Secret) -> Secret:
    return Secret(json.loads(line))


def _keys(provider: str, recipient: str) -> list[str]:
    """
    Return the keyed hashes of the recipient: one for each secret key, newest first.

    So a code can be typed after the secret key was changed.
    """
    text = f"{provider}\0{recipients.key(recipient)}"
    return [
        salted_hmac(_SALT, text, secret=secret, algorithm="sha256").hexdigest()
        for secret in encryption.secret_keys()
    ]


def _binding(key: str) -> str:
    return f"challenge\0{key}"
