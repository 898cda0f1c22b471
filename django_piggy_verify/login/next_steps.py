"""
Find out which steps a visitor can take after a limit is reached.

A page about a limit must not lead to a page that would be refused as well.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from django.http import HttpRequest

from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim
from django_piggy_verify.login import (
    challenges,
    client_address,
    failed_sends,
    rate_limits,
)
from django_piggy_verify.login.logins import Login
from django_piggy_verify.traits import Channel


class Step(StrEnum):
    """A step that a visitor can take after a limit is reached."""

    CODE = "code"
    """Enter the code that was sent before, or follow the link."""

    NEW_CODE = "new_code"
    """Begin again with the same address or number."""

    EMAIL = "email"
    """Give an address in place of a number."""

    OTHER = "other"
    """Give another address or number."""


def waits_for_steps(
    login: Login | None, channel: Channel, *, request: HttpRequest
) -> Mapping[Step, int]:
    """
    Return the seconds until no limit stops a step. They are 0 if the step works now.

    `channel` is the one of the recipient. Without a login in progress, there is no code
    to enter, and no recipient to begin again with. Makes one query.
    """
    claims = {
        Step.EMAIL: _of_any_recipient(Channel.EMAIL, request),
        Step.OTHER: _of_any_recipient(channel, request),
    }
    if login:
        claims[Step.CODE] = _of_code(login, request)
        claims[Step.NEW_CODE] = _of_new_code(login, request)
    return fixed_windows.longest_waits(claims)


def _of_any_recipient(channel: Channel, request: HttpRequest) -> Sequence[Claim]:
    """Return the claims of a send and a check that do not depend on the recipient."""
    visitor = client_address.of(request)
    claims = [
        fixed_windows.claim("send_ip", visitor),
        fixed_windows.claim("send_refused_ip", visitor, rate=rate_limits.REFUSED),
        fixed_windows.claim("check_ip", visitor),
        *rate_limits.of_all_sends(),
    ]
    if channel is Channel.SMS:
        claims.append(fixed_windows.claim("send_sms_ip", visitor))
        claims.append(fixed_windows.claim("send_sms_day", rate_limits.EVERYBODY))
    return claims


def _of_code(login: Login, request: HttpRequest) -> Sequence[Claim]:
    return [
        *failed_sends.claims(login),
        rate_limits.of_login(login),
        *_of_check(login, request),
    ]


def _of_new_code(login: Login, request: HttpRequest) -> Sequence[Claim]:
    """
    Return the claims of a send, without the cooldown, and those of a check.

    Within the cooldown, the visitor reaches the code page, too.
    """
    recipient = login.recipient
    _, *claims = rate_limits.of_send(recipient, request)
    traits = challenges.traits()
    refused = rate_limits.of_refused_send(recipient, request, traits)
    return [*claims, *refused, *_of_check(login, request)]


def _of_check(login: Login, request: HttpRequest) -> Sequence[Claim]:
    """Return the claims of a check in any login in progress of the same recipient."""
    recipient = login.recipient
    claims = rate_limits.of_check_by_visitor(recipient, request)
    if challenges.channel_to(recipient) is not Channel.LINK:
        # Nobody can guess a link.
        claims = [*claims, *rate_limits.of_check_by_recipient(recipient, request)]
    return [each for each in claims if each.limit != "check_login"]
