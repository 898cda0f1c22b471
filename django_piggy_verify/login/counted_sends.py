"""
Make a send that is counted, now or after the response.

A failure that may depend on the contact is hidden. Any other failure uncounts the send.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from secrets import token_urlsafe
from typing import Final, cast

from django.http import HttpRequest

from django_piggy_verify import events, signals
from django_piggy_verify.conf import conf
from django_piggy_verify.events import Event
from django_piggy_verify.exceptions import (
    ConsentMissing,
    ContactTaken,
    ContactUnknown,
    LoginRequired,
    PiggyVerifyError,
    ProviderError,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Exhausted, Windows
from django_piggy_verify.login import (
    after_response,
    challenges,
    failed_sends,
    open_challenges,
    rate_limits,
)
from django_piggy_verify.login.circuit import Circuit
from django_piggy_verify.login.consents import GivenConsent
from django_piggy_verify.providers.base import Challenge, LinkProvider, Provider
from django_piggy_verify.providers.call_log import logged_call
from django_piggy_verify.traits import Channel, traits_of

_ANSWERS: Final[Mapping[type[PiggyVerifyError], Event]] = {
    ContactUnknown: events.CONTACT_UNKNOWN,
    ContactTaken: events.CONTACT_TAKEN,
    RecipientRefused: events.RECIPIENT_REFUSED,
    ConsentMissing: events.CONSENT_MISSING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedSend:
    """A send that is counted already, but not made."""

    provider: Provider
    challenge: Challenge
    consents: Sequence[GivenConsent]
    request: HttpRequest | None
    claims: list[Claim]
    refused: list[Claim]
    """The claim to count if the vendor refuses the send."""

    windows: Windows
    is_probe: bool
    id: str = field(default_factory=partial(token_urlsafe, 16))

    def begin(self) -> None:
        """
        Send now, or after the response.

        Raises ProviderUnavailable if too many sends wait.
        """
        if self.request is None or self.is_probe or not conf.hide_unknown_contacts:
            self.make()
            return
        job, floor = self.make_as_job, conf.send_floor
        if not after_response.run(self.request, job, lasting=floor):
            fixed_windows.settle(self.windows, give_back=self.claims)
            raise ProviderUnavailable(
                "too many sends wait", may_depend_on_contact=False
            )

    def make_as_job(self) -> None:
        """Send. The log has the failure already, and the code page will show it."""
        with suppress(ProviderError, RecipientRefused, ConsentMissing, LoginRequired):
            self.make()

    def make(self) -> None:
        """Send. Uncount a failed send if a page shows the failure to the visitor."""
        stored = open_challenges.store(self.provider, self.challenge, self.consents)
        try:
            stored.complete(_send(self.provider, stored.challenge, self.request))
        except PiggyVerifyError as error:
            stored.remove()
            self._uncount(error)
            raise
        # Also after a failure that may depend on the contact. Otherwise the next
        # request for a code would show that failure.
        self._close_circuit()

    def _uncount(self, error: PiggyVerifyError) -> None:
        """Uncount a failed send, and store its failure for the code page."""
        windows, claims = self.windows, self.claims
        failed = failed_sends.claim(self.id, failed_sends.number_of(error))
        if isinstance(error, ContactUnknown):
            # The visitor is told at once, so the failure need not be stored.
            fixed_windows.settle(windows, give_back=claims[:1])
        elif not isinstance(error, ProviderError):
            fixed_windows.exhaust([failed], windows=windows, give_back=claims)
            self._count_refusal()
        elif error.may_depend_on_visitor:
            recipient = self.challenge.recipient
            claims = rate_limits.without_visitor(claims, recipient, self.request)
            fixed_windows.exhaust([failed], windows=windows, give_back=claims)
        else:
            self._circuit.open_after(failed, windows=windows, give_back=claims)
            return
        self._close_circuit()

    def _count_refusal(self) -> None:
        """Count a refused send for the client address only."""
        if self.refused:
            with suppress(Exhausted):
                fixed_windows.take(self.refused)

    def _close_circuit(self) -> None:
        if self.is_probe:
            self._circuit.close()

    @property
    def _circuit(self) -> Circuit:
        return Circuit(self.provider.name)


def _send(
    provider: Provider, challenge: Challenge, request: HttpRequest | None
) -> Challenge:
    """
    Have the provider send a code. Hide a failure that may depend on the contact.

    Such a failure would show who is a contact. The code may also have been sent.
    """
    try:
        with logged_call("send"):
            sent = _sender_of(provider, challenge)(challenge)
    except PiggyVerifyError as error:
        for kind, event in _ANSWERS.items():
            if isinstance(error, kind):
                event.log(recipient=challenge.recipient)
        if isinstance(error, LoginRequired):
            events.LOGIN_REQUIRED.log(recipient=challenge.recipient, reason=str(error))
        if _is_shown(error, provider):
            raise
        return challenge
    _announce(provider, challenge, request)
    return sent


def _sender_of(
    provider: Provider, challenge: Challenge
) -> Callable[[Challenge], Challenge]:
    """Return the method that sends a code, or the one that mails a link."""
    if _channel_of(provider, challenge) is Channel.LINK:
        return cast("LinkProvider", provider).send_link
    return provider.send_code


def _channel_of(provider: Provider, challenge: Challenge) -> Channel | None:
    return challenges.way_to(challenge.recipient, traits_of(provider))


def _is_shown(error: PiggyVerifyError, provider: Provider) -> bool:
    """Return whether a visitor may see this failure of a send."""
    if isinstance(error, ProviderError):
        return not error.may_depend_on_contact
    if isinstance(error, ContactTaken):
        return False
    # A vendor that sends to members only may refuse members only.
    shows_members = traits_of(provider).knows_members
    if isinstance(error, ContactUnknown):
        return shows_members and not conf.hide_unknown_contacts
    if isinstance(error, RecipientRefused) and shows_members:
        return not conf.hide_unknown_contacts
    return True


def _announce(
    provider: Provider, challenge: Challenge, request: HttpRequest | None
) -> None:
    events.CODE_SENT.log(recipient=challenge.recipient)
    signals.code_sent.send_robust(
        type(provider),
        recipient=challenge.recipient,
        channel=str(_channel_of(provider, challenge)),
        request=request,
    )
