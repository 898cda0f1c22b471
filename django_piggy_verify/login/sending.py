"""
Send a code, unless a limit is reached or the circuit is open.

`counted_sends` makes the call.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from django.http import HttpRequest

from django_piggy_verify import events, recipients
from django_piggy_verify.exceptions import (
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Exhausted
from django_piggy_verify.login import (
    browsers,
    challenges,
    failed_sends,
    pending,
    rate_limits,
)
from django_piggy_verify.login.circuit import Circuit
from django_piggy_verify.login.consents import GivenConsent, given_now, require
from django_piggy_verify.login.counted_sends import CountedSend
from django_piggy_verify.login.logins import Login, SendResult
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Provider
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
    recipient. Raises ConsentMissing if it wants more consents. Raises LoginRequired if
    it wants the access of a user, and there is none. A send that is made at once also
    raises these three if the vendor says so. It raises ProviderError for a
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
    kinds = [each.kind for each in given]
    challenge = challenges.of(provider, recipient, request, consents=kinds)
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
    send = CountedSend(
        provider=provider,
        challenge=challenge,
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
    if challenges.way_to(recipient, traits) is None:
        raise RecipientRefused("the provider sends no codes on this way")
    if not recipients.is_served(recipient):
        # A resend of a login that began before the settings were changed.
        raise RecipientRefused("the country of the number is not served")
    require(traits, given)


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
