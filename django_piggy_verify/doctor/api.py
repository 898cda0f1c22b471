"""
Examine the live API. This happens only with ``--live`` or ``--send``.

Only `mail_to` sends a mail to a real address. `auth_tokens` fetches an auth token of
the member who logged in last. It neither shows nor stores the token.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from django.utils.crypto import get_random_string

from django_piggy_verify import recipients
from django_piggy_verify.db import locking
from django_piggy_verify.doctor.findings import (
    Examination,
    Finding,
    good,
    note,
    problem,
    unknown,
    warning,
)
from django_piggy_verify.exceptions import (
    CodeRejected,
    ContactUnknown,
    PiggyVerifyError,
    ProviderError,
    ProviderRefused,
)
from django_piggy_verify.login import challenges
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import base_url, each_account, get_provider
from django_piggy_verify.providers.base import Challenge, TokenExaminer, TokenProvider
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, traits_of

_HINTS: Final = {
    404: "PIGGY_VERIFY_BASE_URL is wrong. Correct or remove it.",
    429: "The API limits the number of calls. Try again later.",
}
UNKNOWN_BEGINS: Final = "It is not known yet whether"
_REFUSAL_HINT: Final = "Look at the key and the account at the vendor."
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def live(recipient: str | None = None) -> Examination:
    """
    Return the examination of the API, which ends with the first problem.

    If the provider has several accounts, each account is examined. With a `recipient`,
    each account mails a real code to that address at the end.
    """
    steps = (codes, auth_tokens, mail_to(recipient) if recipient else unsent)

    def ask() -> Iterator[Finding]:
        """Call the API."""
        for account in each_account():
            for finding in _until_a_problem(steps):
                text = f"{account}: {finding.text}" if account else finding.text
                yield replace(finding, text=text)

    return ask


def _until_a_problem(steps: Iterable[Examination]) -> Iterator[Finding]:
    for step in steps:
        findings = list(step())
        yield from findings
        if any(each.is_problem for each in findings):
            return


def codes() -> Iterator[Finding]:
    """
    Check a code that is wrong.

    Before that, send a code to an address that cannot exist, unless the provider mails
    to anybody.
    """
    if traits_of(get_provider()).knows_members:
        yield from _until_a_problem((_send_to_nobody, _check_wrong_code))
    else:
        yield note(
            "No code was sent to an address that cannot exist, because the provider "
            "sends to anybody."
        )
        yield from _check_wrong_code()


def _send_to_nobody() -> Iterator[Finding]:
    outcome, took = _timed(lambda: get_provider().send_code(_to(_nobody())))
    if isinstance(outcome, ProviderError):
        yield _failure(outcome)
        return
    yield _accepted(took)
    if not isinstance(outcome, ContactUnknown):
        yield warning(
            "The API says that it mailed a code to an address that cannot exist.",
            "Find out whether another server answers in place of the API.",
        )


def _check_wrong_code() -> Iterator[Finding]:
    code = Secret(get_random_string(6, "0123456789"))
    outcome, took = _timed(lambda: get_provider().check_code(_to(_nobody()), code))
    if isinstance(outcome, ProviderError):
        yield _failure(outcome)
    elif isinstance(outcome, CodeRejected):
        if not traits_of(get_provider()).knows_members:
            yield _accepted(took)
        yield good("The API rejects a wrong code.")
    else:
        yield problem("The API accepts a code that it never mailed.")


def _accepted(took: float) -> Finding:
    way = "with" if urlsplit(base_url()).scheme == "https" else "without"
    return good(f"The API accepts the calls. It answered in {took:.2f} s, {way} TLS.")


def auth_tokens() -> Iterator[Finding]:
    """Fetch the auth token of the member who logged in last."""
    provider = get_provider()
    if not isinstance(provider, TokenProvider):
        yield note(_why_no_token(provider))
        return
    rows = locking.primary_rows(Contact).filter(provider=provider.name)
    contact = rows.order_by("-verified_at").first()
    if contact is None:
        yield unknown("No auth token was fetched, because nobody has logged in yet.")
        return
    outcome = _outcome_of(lambda: _shape_of_token(provider, contact.uid))
    if isinstance(outcome, ProviderError):
        yield warning(
            f"The auth token of the last member cannot be fetched: {_cause(outcome)}.",
            "Members can log in, but get no auth token.",
        )
    elif isinstance(outcome, ContactUnknown):
        yield warning(
            "The API does not know the member who logged in last.",
            "Perhaps the key belongs to another account. Give each account its own "
            "name in PIGGY_VERIFY_PROVIDER_OPTIONS.",
        )
    else:
        yield good(f"The auth token of the last member can be read{outcome}.")


def _why_no_token(provider: object) -> str:
    if traits_of(provider).issues_tokens:
        return "No auth token was fetched, because tokens come with a login."
    return "The provider has no auth tokens."


def unsent() -> Iterator[Finding]:
    """Say what only a mail to a person can show."""
    is_closed = traits_of(get_provider()).knows_members
    whose = "of a member" if is_closed else "of yours"
    yield note(
        f"{UNKNOWN_BEGINS} {send_condition()}.",
        f"To find out, use --send with an address {whose}.",
    )


def send_condition() -> str:
    """Return what must be true before codes are mailed, as the end of a sentence."""
    return str(getattr(get_provider(), "send_condition", "")) or "codes arrive"


def mail_to(recipient: str) -> Examination:
    """Return the examination that mails a real code to `recipient`."""

    def mailing() -> Iterator[Finding]:
        """Mail a code."""
        outcome = _outcome_of(lambda: get_provider().send_code(_to(recipient)))
        if isinstance(outcome, ProviderError):
            yield _failure(outcome)
        elif isinstance(outcome, ContactUnknown):
            yield warning(
                "No contact has this address, so no code was mailed.",
                "Use the address of somebody whom the vendor knows.",
            )
            yield from unsent()
        elif isinstance(outcome, PiggyVerifyError):
            yield problem(
                f"The API sends no code there: {type(outcome).__name__}.",
                "Use the address or the number of a person.",
            )
        else:
            yield good(
                f"The API says that it sent a code. Look into {_inbox(recipient)}."
            )

    return mailing


def _shape_of_token(provider: TokenProvider, uid: str) -> str:
    if isinstance(provider, TokenExaminer):
        return f". Its shape is {provider.examine_auth_token(uid)}"
    provider.fetch_auth_token(uid)
    return ""


def _timed(call: Callable[[], object]) -> tuple[object, float]:
    """Return the outcome of a call, and the seconds that it took."""
    began = monotonic()
    return _outcome_of(call), monotonic() - began


def _outcome_of(call: Callable[[], object]) -> object:
    try:
        return call()
    except PiggyVerifyError as error:
        return error


def _failure(error: ProviderError) -> Finding:
    """Return the problem. The hint depends on who must fix it."""
    if isinstance(error, ProviderRefused):
        return problem(
            f"The API refuses the call: {_cause(error)}.",
            str(getattr(get_provider(), "refusal_hint", "")) or _REFUSAL_HINT,
        )
    return problem(
        f"The API cannot be used: {_cause(error)}.",
        _HINTS.get(
            error.status or 0,
            "Look at the network, the URL, the proxy, the certificates and "
            "PIGGY_VERIFY_TIMEOUT. The API may also be down.",
        ),
    )


def _cause(error: ProviderError) -> str:
    known = {"status": error.status, "code": error.api_code}
    numbers = ", ".join(f"{name} {each}" for name, each in known.items() if each)
    return f"{error} ({numbers})" if numbers else str(error)


def _to(recipient: str) -> Challenge:
    """Return a challenge with all consents, so that the API looks at the rest."""
    provider = get_provider()
    given = traits_of(provider).consents
    challenge = challenges.of(provider, recipient, None, consents=given)
    return challenges.with_state(provider, challenge)


def _inbox(recipient: str) -> str:
    is_text = recipients.channel_of(recipient) == Channel.SMS
    return "the text messages" if is_text else "the mailbox"


def _nobody() -> str:
    """Return an address that nobody can have (RFC 2606 section 3)."""
    return f"piggy-verify-doctor-{get_random_string(12, _LETTERS)}@example.com"
