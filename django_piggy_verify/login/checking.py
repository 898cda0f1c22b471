"""
Check a code that a visitor has typed, or a link that the visitor has followed.

`counted_checks` makes the call.
"""

from functools import partial
from typing import cast

from django.http import HttpRequest

from django_piggy_verify import events, recipients, signals
from django_piggy_verify.exceptions import CodeRejected
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.login import challenges, pending, rate_limits
from django_piggy_verify.login.counted_checks import (
    CheckedCode,
    Claims,
    CountedCheck,
)
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge, Identity, LinkProvider, Proof
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import traits_of


def check_code(
    recipient: str, code: Secret, *, request: HttpRequest | None = None
) -> CheckedCode:
    """
    Check a code that was sent to `recipient`. The caller has to settle a right code.

    A used code is refused for ``PIGGY_VERIFY_LOGIN_TTL`` seconds, even if the provider
    would accept it.

    Raises CodeRejected, CodeRepeated, CodeNotSent, LoginRefused, TooManyAttempts,
    ConsentMissing, LoginRequired, ContactTaken, ProviderUnavailable, ProviderRefused.
    On the code page, it also raises RecipientRefused, if the provider has sent no code.
    """
    provider = get_provider()
    if recipients.channel_of(recipient) not in traits_of(provider).channels:
        raise CodeRejected

    def check(challenge: Challenge) -> Identity | Proof:
        return provider.check_code(challenge, code)

    return CountedCheck(
        provider=provider,
        challenge=challenges.of(provider, recipient, request),
        request=request,
        claims=Claims.of_code(recipient, code, request),
        check=check,
        report=partial(_report_rejection, recipient, request),
    ).make()


def check_link(recipient: str, *, request: HttpRequest) -> CheckedCode:
    """
    Ask the provider whether the link to `recipient` was followed.

    Raises CodeRejected if not. Otherwise it is like `check_code`. A link has no code to
    guess, so a "no" counts for the login in progress and the client address only.
    After a "yes", the same link raises CodeRepeated.
    """
    provider = get_provider()
    return CountedCheck(
        provider=provider,
        challenge=challenges.of(provider, recipient, request),
        request=request,
        claims=Claims.of_link(recipient, request),
        check=cast("LinkProvider", provider).check_link,
        report=partial(events.LINK_NOT_FOLLOWED.log, recipient=recipient),
    ).make()


def require_attempts_left(request: HttpRequest) -> None:
    """
    Raise TooManyAttempts if the login in progress has no attempts left.

    Called after a wrong code, so that no page shows a form that cannot succeed. Called
    before a resend, because the new code could not be checked.
    """
    login = pending.attached_to(request)
    if login and (waits := fixed_windows.waits([rate_limits.of_login(login)])):
        raise rate_limits.reached(waits, login.recipient, request)


def _report_rejection(recipient: str, request: HttpRequest | None) -> None:
    events.CODE_REJECTED.log(recipient=recipient)
    signals.code_rejected.send_robust(
        type(get_provider()), recipient=recipient, request=request
    )
