"""
The two use cases: have a code sent, have a code checked.

Limits, replay and the silence about strangers are decided here. No template, no
view, no vendor's word.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil

from django.http import HttpRequest

from django_piggy_verify import (
    clients,
    devices,
    events,
    limits,
    pending,
    recipients,
    signals,
)
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    CodeRejected,
    ContactUnknown,
    ProviderError,
    TooManyAttempts,
)
from django_piggy_verify.limits import Claim, Exhausted, Rate, Standing, Windows
from django_piggy_verify.pending import Login
from django_piggy_verify.providers import get_provider, watched
from django_piggy_verify.providers.base import Challenge, Identity
from django_piggy_verify.secret import Secret

_DAY = 86400


def send_code(recipient: str, *, request: HttpRequest | None = None) -> int:
    """
    Have a code mailed, and answer in how many seconds the next one may be.

    Within the cooldown nothing is sent. A stranger, and a failure that may
    depend on the contact, end like a success, after the same time at least.

    Raises TooManyAttempts; ProviderError for failures that hit everybody alike;
    ContactUnknown with ``PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False`` only.
    """
    with _lasting_at_least(conf.send_floor):
        cooldown, *_ = claims = _send_claims(recipient, request)
        try:
            windows = limits.take(claims)
        except Exhausted as refusal:
            if cooldown.limit not in refusal.waits:
                raise _too_many(refusal.waits, recipient, request) from None
            events.SEND_HELD_BACK.log(recipient=recipient)
            return refusal.waits[cooldown.limit]
        try:
            _send(recipient, request)
        except ContactUnknown:
            limits.settle(windows, give_back=[cooldown])
            raise
        except ProviderError:
            limits.settle(windows, give_back=claims)
            raise
        return cooldown.rate.period


def check_code(
    recipient: str, code: Secret, *, request: HttpRequest | None = None
) -> Identity:
    """
    Have a code judged that was mailed to `recipient`, and answer whom it proved.

    A code that was right once is refused here for ``PIGGY_VERIFY_LOGIN_TTL``
    seconds, whatever the provider would say.

    Raises CodeRejected, TooManyAttempts, ProviderUnavailable, ProviderRefused.
    """
    by_recipient = _check_claims_of_recipient(recipient, request)
    by_visitor = _check_claims_of_visitor(request)
    use = _use_of(recipient, code)
    windows = _take_for_check([*by_recipient, *by_visitor], use, recipient, request)
    try:
        identity = _check(recipient, code, request)
    except CodeRejected:
        limits.settle(windows, give_back=[use])
        raise
    except ProviderError:
        limits.settle(windows, give_back=[*by_recipient, *by_visitor, use])
        raise
    limits.settle(windows, give_back=by_visitor, clear=by_recipient)
    return identity


def require_tries(request: HttpRequest) -> None:
    """
    Raise TooManyAttempts if the login in progress has no tries left.

    A code that is sent to it could not be checked.
    """
    login = pending.attached_to(request)
    if login and (waits := limits.waits([_login_claim(login)])):
        raise _too_many(waits, login.recipient, request)


def unlock(recipient: str) -> int:
    """Forget what was counted for `recipient`; answer how many limits that was."""
    return limits.forget(_claims_of_recipient(recipient))


def counts_of(recipient: str) -> list[Standing]:
    """
    Answer what was counted for `recipient`, under every limit of an address.

    Nothing of the browsers that the member has logged in with before, which count
    wrong codes of their own.
    """
    return limits.standings(_claims_of_recipient(recipient))


def _send(recipient: str, request: HttpRequest | None) -> None:
    provider = get_provider()
    try:
        with watched("send"):
            provider.send_code(recipient)
    except ContactUnknown:
        events.CONTACT_UNKNOWN.log(recipient=recipient)
        if not conf.hide_unknown_contacts:
            raise
    except ProviderError as error:
        # Telling the visitor of any other would tell contacts from strangers, and
        # the e-mail may well be on its way.
        if not error.may_depend_on_contact:
            raise
    else:
        events.CODE_SENT.log(recipient=recipient)
        signals.code_sent.send_robust(
            type(provider), recipient=recipient, request=request
        )


def _check(recipient: str, code: Secret, request: HttpRequest | None) -> Identity:
    try:
        with watched("check"):
            return get_provider().check_code(Challenge(recipient=recipient), code)
    except CodeRejected:
        _tell_rejection(recipient, request)
        raise


def _take_for_check(
    claims: list[Claim], use: Claim, recipient: str, request: HttpRequest | None
) -> Windows:
    try:
        return limits.take([*claims, use])
    except Exhausted as refusal:
        waits = refusal.waits
    if waits.pop(use.limit, None) is None or waits:
        raise _too_many(waits, recipient, request)
    # Right once before, so wrong now; whoever repeats it is counted all the same.
    with suppress(Exhausted):
        limits.take(claims)
    _tell_rejection(recipient, request)
    raise CodeRejected


def _send_claims(recipient: str, request: HttpRequest | None) -> list[Claim]:
    subject = recipients.key(recipient)
    names = ("send_cooldown", "send_recipient", "send_recipient_day")
    return [
        *(limits.claim(name, subject) for name in names),
        *_address_claims("send_ip", request),
    ]


def _claims_of_recipient(recipient: str) -> list[Claim]:
    """Answer the claims that need no request: not of one browser or client address."""
    return [
        *_send_claims(recipient, None),
        *_check_claims_of_recipient(recipient, None),
    ]


def _check_claims_of_recipient(
    recipient: str, request: HttpRequest | None
) -> list[Claim]:
    device = devices.known(request, recipient)
    subject = "\0".join(filter(None, (recipients.key(recipient), device)))
    names = ("check_recipient", "check_recipient_day")
    return [limits.claim(name, subject) for name in names]


def _check_claims_of_visitor(request: HttpRequest | None) -> list[Claim]:
    login = pending.attached_to(request)
    if login is None:
        return _address_claims("check_ip", request)
    return [_login_claim(login), *_address_claims("check_ip", request)]


def _login_claim(login: Login) -> Claim:
    return limits.claim(
        "check_login",
        login.id,
        rate=Rate(int(conf.rate_limits["check_login"]), _DAY),
        # A login with no tries left is replaced by a new one, not waited for.
        retry_after=login.resend_in,
    )


def _address_claims(name: str, request: HttpRequest | None) -> list[Claim]:
    if request is None:
        return []
    return [limits.claim(name, clients.address(request))]


def _use_of(recipient: str, code: Secret) -> Claim:
    """Answer the claim that lets a code be right once."""
    subject = Secret(f"{recipients.key(recipient)}\0{code.casefold()}")
    # Claimed before the call, but to be held for `login_ttl` after it.
    held = conf.login_ttl + ceil(conf.timeout)
    return limits.claim("code_use", subject, rate=Rate(1, held))


def _too_many(
    waits: dict[str, int], recipient: str, request: HttpRequest | None
) -> TooManyAttempts:
    limit = max(waits, key=lambda name: waits[name])
    refusal = TooManyAttempts(limit=limit, retry_after=waits[limit])
    events.LIMIT_REACHED.log(
        limit=limit, retry_after=refusal.retry_after, recipient=recipient
    )
    signals.limit_reached.send_robust(
        TooManyAttempts,
        limit=limit,
        recipient=recipient,
        retry_after=refusal.retry_after,
        request=request,
    )
    return refusal


def _tell_rejection(recipient: str, request: HttpRequest | None) -> None:
    events.CODE_REJECTED.log(recipient=recipient)
    signals.code_rejected.send_robust(
        type(get_provider()), recipient=recipient, request=request
    )


@contextmanager
def _lasting_at_least(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        time.sleep(max(0.0, seconds - (time.monotonic() - started)))
