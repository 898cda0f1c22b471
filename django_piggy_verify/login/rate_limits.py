"""
Choose the rate limits and the subjects that a send or a check counts under.

`limits` counts. `sending`, `counted_sends` and `checking` decide when to count.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from math import ceil
from typing import Final

from django.http import HttpRequest

from django_piggy_verify import events, recipients, signals
from django_piggy_verify.conf import conf
from django_piggy_verify.exceptions import TooManyAttempts
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.limits.fixed_windows import Claim, Exhausted, Rate, Usage
from django_piggy_verify.login import client_address, devices, pending
from django_piggy_verify.login.logins import Login
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, Traits

_DAY: Final = 86400
EVERYBODY: Final = "everybody"
"""The one subject of the limits that count all sends together."""

REFUSED: Final = Rate(20, 3600)
"""How many sends the vendor may refuse for one client address."""

_RANGE_DIGITS: Final = 4
"""How many last digits differ between the numbers of one range."""


def of_send(recipient: str, request: HttpRequest | None) -> list[Claim]:
    """Return the claims of one send. The first one is the cooldown."""
    return [
        *_of_send_by_recipient(recipient, request),
        *_by_client_address("send_ip", recipient, request),
        *_of_text(recipient, request),
        *of_all_sends(),
    ]


def of_refused_send(
    recipient: str, request: HttpRequest | None, traits: Traits
) -> list[Claim]:
    """
    Return the claim of one send that the vendor refuses.

    Such a send is uncounted everywhere else, so that a visitor can correct the address.
    Without this claim, a visitor could cause calls without end. A provider that sends
    to members only and wants no consents shows no such refusals.
    """
    shows_none = traits.knows_members and not traits.consents
    if shows_none and conf.hide_unknown_contacts:
        return []
    return _by_client_address("send_refused_ip", recipient, request, rate=REFUSED)


def without_visitor(
    claims: Iterable[Claim], recipient: str, request: HttpRequest | None
) -> list[Claim]:
    """
    Return the claims of one send, without those that count its visitor.

    The vendor may have blocked this visitor only, so no circuit limits the calls. If no
    count of the visitor stayed, there would be no end to them.
    """
    is_known = devices.known(request, recipient) is not None
    own = {"send_recipient", "send_recipient_day"} if is_known else {"send_ip"}
    return [each for each in claims if each.limit not in own]


def of_check_by_recipient(recipient: str, request: HttpRequest | None) -> list[Claim]:
    """Return the claims of one check that count for the recipient."""
    names = ("check_recipient", "check_recipient_day")
    return _by_recipient(names, recipient, request)


def of_check_by_visitor(recipient: str, request: HttpRequest | None) -> list[Claim]:
    """Return the claims of one check for the login in progress and the address."""
    claims = _by_client_address("check_ip", recipient, request)
    login = pending.attached_to(request)
    return [of_login(login), *claims] if login else claims


def of_login(login: Login) -> Claim:
    """Return the claim of one check for a login in progress."""
    return fixed_windows.claim(
        "check_login",
        login.id,
        rate=Rate(int(str(conf.rate_limits["check_login"])), _DAY),
        # A visitor without attempts left can begin a new login at once.
        retry_after=login.resend_in,
    )


def of_code(
    recipient: str, code: Secret, request: HttpRequest | None
) -> tuple[Claim, list[Claim]]:
    """
    Return two claims of a code: for its single use, and for this login in progress.

    The first claim makes a code valid only once. Spellings of a code that differ in
    case and dashes share a claim, because the provider may accept all of them.

    The second claim is in a list, which is empty without a login in progress. Its
    count is the outcome of the code in this login.
    """
    spelling = Secret(code.replace("-", "").casefold())
    subject = Secret(f"{recipients.key(recipient)}\0{spelling}")
    # The claims are counted before the call, and must last for `login_ttl` after it.
    rate = Rate(1, conf.login_ttl + ceil(conf.timeout))
    use = fixed_windows.claim("code_use", subject, rate=rate)
    login = pending.attached_to(request)
    if login is None:
        return use, []
    subject = Secret(f"{login.id}\0{subject}")
    return use, [fixed_windows.claim("code_login", subject, rate=rate)]


def of_link(recipient: str, request: HttpRequest | None) -> tuple[Claim, list[Claim]]:
    """Return the claims of the link of the last send, as `of_code` does of a code."""
    login = pending.attached_to(request)
    link = f"{login.id} {login.send_id}" if login else ""
    return of_code(recipient, Secret(link), request)


def reached(
    waits: Mapping[str, int], recipient: str, request: HttpRequest | None
) -> TooManyAttempts:
    """Report the limit with the longest wait, and return the exception for it."""
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


def report_cost_caps(refusal: Exhausted) -> None:
    """
    Log that a limit of all sends together is reached, once in each of its windows.

    A row for each window stores that this was logged. So all processes together log one
    error. If staff delete the count, the new window has an error of its own.
    """
    for limit in refusal.rows.keys() & {"send_sms_day", "send_day"}:
        wait, window = refusal.waits[limit], refusal.rows[limit].ends_at
        subject = f"{limit}\0{window.isoformat()}"
        logged = fixed_windows.claim("cap_logged", subject, rate=Rate(1, wait))
        with suppress(Exhausted):
            fixed_windows.take([logged])
            events.COST_CAP_REACHED.log(limit=limit, retry_after=wait)


def unlock(recipient: str) -> int:
    """Delete the counts of `recipient`; return how many limits had a count."""
    return fixed_windows.forget(_of_recipient(recipient))


def usage_of(recipient: str) -> list[Usage]:
    """
    Return the counts of `recipient` under every limit that counts by address.

    Browsers that the member has logged in with before have their own counts. They are
    not included.
    """
    return fixed_windows.usage(_of_recipient(recipient))


def usage_of_unknown_visitor() -> list[Usage]:
    """Return the counts of all visitors whose address cannot be read."""
    names = ("send_ip", "check_ip", "send_sms_ip")
    claims = [fixed_windows.claim(name, client_address.UNKNOWN) for name in names]
    return fixed_windows.usage(claims)


def _of_recipient(recipient: str) -> list[Claim]:
    by_recipient = of_check_by_recipient(recipient, None)
    return [*_of_send_by_recipient(recipient, None), *by_recipient]


def _of_send_by_recipient(recipient: str, request: HttpRequest | None) -> list[Claim]:
    names = ("send_recipient", "send_recipient_day")
    return [
        # All browsers share the cooldown. It protects the mailbox from too many codes.
        fixed_windows.claim("send_cooldown", recipients.key(recipient)),
        *_by_recipient(names, recipient, request),
    ]


def _of_text(recipient: str, request: HttpRequest | None) -> list[Claim]:
    """
    Return the further claims of a text message, which costs money.

    Fraudsters have texts sent to whole ranges of numbers, and get a share of the price.
    """
    if recipients.channel_of(recipient) != Channel.SMS:
        return []
    return [
        *_by_client_address("send_sms_ip", recipient, request),
        fixed_windows.claim("send_sms_range", recipient[:-_RANGE_DIGITS]),
        fixed_windows.claim("send_sms_day", EVERYBODY),
    ]


def of_all_sends() -> list[Claim]:
    """Return the claim of every send, if the settings limit their number."""
    is_limited = conf.rate_limits["send_day"] is not None
    return [fixed_windows.claim("send_day", EVERYBODY)] if is_limited else []


def _by_recipient(
    names: Iterable[str], recipient: str, request: HttpRequest | None
) -> list[Claim]:
    """
    Return the claims of a known browser, or the claims that all other browsers share.

    Strangers cannot use up the counts of a browser that the member has logged in
    with before.
    """
    device = devices.known(request, recipient)
    subject = "\0".join(filter(None, (recipients.key(recipient), device)))
    return [fixed_windows.claim(name, subject) for name in names]


def _by_client_address(
    name: str,
    recipient: str,
    request: HttpRequest | None,
    *,
    rate: Rate | None = None,
) -> list[Claim]:
    """
    Return the claim of the client address, unless the member has used the browser.

    In a shop's Wi-Fi or behind a mobile carrier, hundreds of members share one address.
    """
    if request is None or devices.known(request, recipient):
        return []
    return [fixed_windows.claim(name, client_address.of(request), rate=rate)]
