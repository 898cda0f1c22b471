"""
The two use cases: have a code sent, have a code checked.

Limits, replay and the silence about strangers are decided here. No template, no
view, no vendor's word.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest

from django_piggy_verify import limits, pending, recipients, signals
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import (
    CodeRejected,
    ContactUnknown,
    ProviderError,
    ProviderRefused,
    TooManyAttempts,
)
from django_piggy_verify.limits import Claim, Rate
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge, Identity, Provider
from django_piggy_verify.secret import Secret

logger = logging.getLogger("django_piggy_verify")

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
        cooldown = limits.claim("send_cooldown", recipients.key(recipient))
        try:
            limits.take([cooldown])
        except TooManyAttempts as held:
            logger.info("Nothing sent to %s: cooldown", recipients.masked(recipient))
            return held.retry_after
        _send(recipient, cooldown, request)
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
    provider = get_provider()
    by_recipient = _check_claims_of_recipient(recipient)
    by_visitor = _check_claims_of_visitor(request)
    _take([*by_recipient, *by_visitor], recipient, request)
    try:
        identity = _judge(provider, recipient, code)
    except CodeRejected:
        logger.info("Code for %s rejected", recipients.masked(recipient))
        signals.code_rejected.send_robust(
            type(provider), recipient=recipient, request=request
        )
        raise
    except ProviderError as error:
        limits.give_back([*by_recipient, *by_visitor])
        _log("check", error, at=_level(error))
        raise
    limits.clear(by_recipient)
    limits.give_back(by_visitor)
    return identity


def _send(recipient: str, cooldown: Claim, request: HttpRequest | None) -> None:
    provider = get_provider()
    claims = _send_claims(recipient, request)
    try:
        _take(claims, recipient, request)
    except TooManyAttempts:
        limits.give_back([cooldown])
        raise
    try:
        provider.send_code(recipient)
    except ContactUnknown:
        logger.info("No contact has the address %s", recipients.masked(recipient))
        if not conf.hide_unknown_contacts:
            limits.give_back([cooldown])
            raise
    except ProviderError as error:
        if error.may_depend_on_contact:
            # Saying so would tell contacts from strangers, and the e-mail may
            # well be on its way.
            _log("send", error, at=logging.ERROR)
            return
        limits.give_back([cooldown, *claims])
        _log("send", error, at=_level(error))
        raise
    else:
        signals.code_sent.send_robust(
            type(provider), recipient=recipient, request=request
        )


def _send_claims(recipient: str, request: HttpRequest | None) -> list[Claim]:
    subject = recipients.key(recipient)
    names = ("send_recipient", "send_recipient_day")
    return [
        *(limits.claim(name, subject) for name in names),
        *_address_claims("send_ip", request),
    ]


def _check_claims_of_recipient(recipient: str) -> list[Claim]:
    subject = recipients.key(recipient)
    names = ("check_recipient", "check_recipient_day")
    return [limits.claim(name, subject) for name in names]


def _check_claims_of_visitor(request: HttpRequest | None) -> list[Claim]:
    login = pending.attached_to(request)
    if login is None:
        return _address_claims("check_ip", request)
    rate = Rate(int(conf.rate_limits["check_login"]), _DAY)
    # A login with no tries left is replaced by a new one, not waited for.
    by_login = Claim(
        limit="check_login", subject=login.id, rate=rate, retry_after=login.resend_in
    )
    return [by_login, *_address_claims("check_ip", request)]


def _address_claims(name: str, request: HttpRequest | None) -> list[Claim]:
    if request is None:
        return []
    return [limits.claim(name, limits.client_address(request))]


def _take(claims: list[Claim], recipient: str, request: HttpRequest | None) -> None:
    try:
        limits.take(claims)
    except TooManyAttempts as refusal:
        logger.warning("%s for %s", refusal, recipients.masked(recipient))
        signals.limit_reached.send_robust(
            TooManyAttempts,
            limit=refusal.limit,
            recipient=recipient,
            retry_after=refusal.retry_after,
            request=request,
        )
        raise


def _judge(provider: Provider, recipient: str, code: Secret) -> Identity:
    """Ask the provider, unless the code was right before: each is right once."""
    use = _use_of(recipient, code)
    if limits.wait(use):
        raise CodeRejected
    identity = provider.check_code(Challenge(recipient=recipient), code)
    try:
        limits.take([use])
    except TooManyAttempts:
        # Somebody was faster with the same code, and upstream took it twice.
        raise CodeRejected from None
    return identity


def _level(error: ProviderError) -> int:
    return logging.ERROR if isinstance(error, ProviderRefused) else logging.WARNING


def _log(verb: str, error: ProviderError, *, at: int) -> None:
    logger.log(
        at,
        "%s failed: %s (status %s, code %s)",
        verb,
        error,
        error.status,
        error.api_code,
    )


def _use_of(recipient: str, code: Secret) -> Claim:
    """Answer the claim that lets a code be right once, without showing it."""
    subject = Secret(f"{recipients.key(recipient)}\0{code.casefold()}")
    return Claim(limit="code_use", subject=subject, rate=Rate(1, conf.login_ttl))


@contextmanager
def _lasting_at_least(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        time.sleep(max(0.0, seconds - (time.monotonic() - started)))
