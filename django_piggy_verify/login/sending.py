"""
Send a code, after the response to the request for it.

This module applies the limits and the circuit, and hides who is a member.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from secrets import token_urlsafe

from django.http import HttpRequest

from django_piggy_verify import events, recipients, signals
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    ConsentMissing,
    ContactUnknown,
    PiggyVerifyError,
    ProviderError,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Exhausted, Windows
from django_piggy_verify.login import (
    after_response,
    browsers,
    challenges,
    failed_sends,
    open_challenges,
    pending,
    rate_limits,
)
from django_piggy_verify.login.circuit import Circuit
from django_piggy_verify.login.consents import GivenConsent, given_now, require
from django_piggy_verify.login.failed_sends import SendFailure
from django_piggy_verify.login.pending import Login, SendResult
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge, Provider
from django_piggy_verify.providers.call_log import logged_call
from django_piggy_verify.traits import traits_of


def send_code(
    recipient: str,
    *,
    request: HttpRequest | None = None,
    consents: Iterable[str] = (),
) -> SendResult:
    """
    Send a code. Return whether it was sent, and when the next one may be sent.

    `consents` are the kinds of consents that the visitor has given now.

    With a request, the code is sent after the response. So the duration of the response
    does not depend on the provider. If the send fails then, the circuit opens, and
    `require_sent` raises CodeNotSent. Within the cooldown, no code is sent. The result
    for a stranger is the same as for a contact.

    Three kinds of sends are made at once: without a request, as the probe of an open
    circuit, and with ``PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False``.

    Raises TooManyAttempts. Raises ProviderUnavailable if the circuit is open, or if too
    many sends wait. Raises RecipientRefused if the provider cannot send codes to such a
    recipient. Raises ConsentMissing if it wants more consents. A send that is made at
    once also raises these two if the vendor says so. It raises ProviderError for a
    failure that affects every address in the same way. It raises ContactUnknown only
    with ``PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False``.
    """
    return _send_or_hold_back(recipient, request, given_now(consents))


def send_again(login: Login, *, request: HttpRequest) -> SendResult:
    """Send another code for a login in progress, with its consents, as `send_code`."""
    return _send_or_hold_back(login.recipient, request, login.consents)


def _send_or_hold_back(
    recipient: str, request: HttpRequest | None, given: Sequence[GivenConsent]
) -> SendResult:
    provider = get_provider()
    _require_sendable(provider, recipient, given)
    traits = traits_of(provider)
    if request and traits.wants_device:
        browsers.begin(request)
    cooldown, *_ = claims = rate_limits.of_send(recipient, request)
    refused = rate_limits.of_refused_send(recipient, request, traits)
    try:
        windows, is_probe = Circuit(provider.name).take(claims, unless=refused)
    except Exhausted as refusal:
        result = _held_back(recipient, request, refusal, cooldown)
        return replace(result, consents=given)
    except ProviderUnavailable:
        events.SEND_STOPPED.log(recipient=recipient)
        raise
    kinds = [each.kind for each in given]
    send = _CountedSend(
        provider=provider,
        challenge=challenges.of(provider, recipient, request, consents=kinds),
        consents=given,
        request=request,
        claims=claims,
        refused=refused,
        windows=windows,
        is_probe=is_probe,
    )
    send.begin()
    wait = _wait_after_send(cooldown)
    return SendResult(is_sent=True, resend_in=wait, send_id=send.id, consents=given)


def _require_sendable(
    provider: Provider, recipient: str, given: Sequence[GivenConsent]
) -> None:
    traits = traits_of(provider)
    if recipients.channel_of(recipient) not in traits.channels:
        raise RecipientRefused("the provider sends no codes on this way")
    if not recipients.is_served(recipient):
        # A resend of a login that began before the settings were changed.
        raise RecipientRefused("the country of the number is not served")
    require(traits, given)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CountedSend:
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
        with suppress(ProviderError, RecipientRefused, ConsentMissing):
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
        failed = failed_sends.claim(self.id, SendFailure.of(error))
        if isinstance(error, ProviderError) and not error.may_depend_on_visitor:
            self._circuit.open_after(failed, windows=windows, give_back=claims)
            return
        if isinstance(error, ContactUnknown):
            # The visitor is told at once, so the failure need not be stored.
            fixed_windows.settle(windows, give_back=claims[:1])
        elif isinstance(error, ProviderError):
            claims = rate_limits.without_visitor(
                claims, self.challenge.recipient, self.request
            )
            fixed_windows.exhaust([failed], windows=windows, give_back=claims)
        else:
            fixed_windows.exhaust([failed], windows=windows, give_back=claims)
            self._count_refusal()
        self._close_circuit()

    def _count_refusal(self) -> None:
        """Count a send that the vendor has refused, for the client address only."""
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

    Such a failure would show who is a contact. The mail may also have been sent.
    """
    recipient = challenge.recipient
    try:
        with logged_call("send"):
            sent = provider.send_code(challenge)
    except ContactUnknown:
        events.CONTACT_UNKNOWN.log(recipient=recipient)
        if not conf.hide_unknown_contacts:
            raise
    except RecipientRefused:
        events.RECIPIENT_REFUSED.log(recipient=recipient)
        raise
    except ConsentMissing:
        events.CONSENT_MISSING.log(recipient=recipient)
        raise
    except ProviderError as error:
        if not error.may_depend_on_contact:
            raise
    else:
        _announce(provider, challenge, request)
        return sent
    return challenge


def _announce(
    provider: Provider, challenge: Challenge, request: HttpRequest | None
) -> None:
    events.CODE_SENT.log(recipient=challenge.recipient)
    signals.code_sent.send_robust(
        type(provider),
        recipient=challenge.recipient,
        channel=str(challenge.channel),
        request=request,
    )


def _held_back(
    recipient: str, request: HttpRequest | None, refusal: Exhausted, cooldown: Claim
) -> SendResult:
    """
    Return the result of a request that came within the cooldown.

    Raises TooManyAttempts if another limit is reached.
    """
    wait = refusal.waits.get(cooldown.limit)
    if wait is None:
        rate_limits.report_cost_caps(refusal)
        raise rate_limits.reached(refusal.waits, recipient, request) from None
    events.SEND_HELD_BACK.log(recipient=recipient)
    send_id = _last_send(recipient, request)
    return SendResult(is_sent=False, resend_in=wait, send_id=send_id)


def _last_send(recipient: str, request: HttpRequest | None) -> str:
    """
    Return the id of the last send to `recipient` that this browser has asked for.

    Return a blank text if that send has failed. Its cooldown was given back, so the
    cooldown is the one of another send, whose code may be typed.
    """
    login = pending.attached_to(request) or (request and pending.find(request))
    if not login or recipients.key(login.recipient) != recipients.key(recipient):
        return ""
    has_failed = fixed_windows.waits(failed_sends.claims(login))
    return "" if has_failed else login.send_id


def _wait_after_send(cooldown: Claim) -> int:
    """Return the seconds until the cooldown allows another send."""
    if cooldown.rate.count == 1:
        return cooldown.rate.period
    return fixed_windows.waits([cooldown]).get(cooldown.limit, 0)
