"""
The live API: asked only when the operator wants it.

It is asked to mail nobody who exists, but for `mail_to`; of a member who does, the
last one, an auth token is fetched, and neither shown nor kept.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from django.utils.crypto import get_random_string

from django_piggy_verify.conf import conf
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
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import each_account, get_provider
from django_piggy_verify.providers.base import Challenge, TokenExaminer, TokenProvider
from django_piggy_verify.secret import Secret

_HINTS: Final = {
    404: "Nothing is there: leave PIGGY_VERIFY_BASE_URL out, or mend it.",
    429: "It limits how often we ask: wait.",
}
PORTAL_UNKNOWN: Final = "Whether the account has a Contacts Portal is not known yet."
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def live(recipient: str | None = None) -> Examination:
    """
    Return the examination of the API, which ends with the first problem.

    If the provider has several accounts, each account is examined. With a `recipient`,
    each account mails a real code to that address at the end.
    """
    steps = (codes, auth_tokens, mail_to(recipient) if recipient else portal)

    def ask() -> Iterator[Finding]:
        """Ask the API."""
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
    """Ask the API to mail a code to nobody, and about a code that nobody was mailed."""
    began = monotonic()
    outcome = _outcome_of(lambda: get_provider().send_code(_nobody()))
    took = monotonic() - began
    if isinstance(outcome, ProviderError):
        yield _failure(outcome)
        return
    way = "over TLS" if urlsplit(conf.base_url).scheme == "https" else "in clear"
    yield good(f"The API answers after {took:.2f} s, {way}, and takes the key.")
    if not isinstance(outcome, ContactUnknown):
        yield warning(
            "The API says that it has mailed a code to nobody.",
            "Is this the API, or something in front of it?",
        )
    yield from _judgement()


def _judgement() -> Iterator[Finding]:
    challenge = Challenge(recipient=_nobody())
    code = Secret(get_random_string(6, "0123456789"))
    outcome = _outcome_of(lambda: get_provider().check_code(challenge, code))
    if isinstance(outcome, ProviderError):
        yield _failure(outcome)
    elif isinstance(outcome, CodeRejected):
        yield good("A wrong code is called wrong.")
    else:
        yield problem("The API calls a code right that nobody was mailed.")


def auth_tokens() -> Iterator[Finding]:
    """Ask the API for the auth token of the member who logged in last."""
    provider = get_provider()
    if not isinstance(provider, TokenProvider):
        yield note("The provider hands out no auth tokens.")
        return
    rows = locking.primary_rows(Contact).filter(provider=provider.name)
    contact = rows.order_by("-verified_at").first()
    if contact is None:
        yield unknown("Nobody has logged in yet, so no auth token was asked for.")
        return
    outcome = _outcome_of(lambda: _shape_of_token(provider, contact.uid))
    if isinstance(outcome, ProviderError):
        yield warning(
            f"The last member's auth token cannot be had: {_told(outcome)}.",
            "Members log in all the same, without one.",
        )
    elif isinstance(outcome, ContactUnknown):
        yield warning(
            "The API does not know the member who logged in last.",
            "Is the key another account's? Give each account a name of its own in "
            "PIGGY_VERIFY_PROVIDER_OPTIONS.",
        )
    else:
        yield good(f"The last member's auth token can be read{outcome}.")


def portal() -> Iterator[Finding]:
    """Say that only a mail to a member shows whether there is a Contacts Portal."""
    yield note(
        PORTAL_UNKNOWN,
        "Without one no code is mailed: --send ADDRESS, a member's, finds out.",
    )


def mail_to(recipient: str) -> Examination:
    """Answer the examination that has a real code mailed to `recipient`."""

    def mailing() -> Iterator[Finding]:
        """Have a code mailed."""
        outcome = _outcome_of(lambda: get_provider().send_code(recipient))
        if isinstance(outcome, ProviderError):
            yield _failure(outcome)
        elif isinstance(outcome, ContactUnknown):
            yield warning(
                "No contact has that address, so nothing was mailed.",
                "Take the address of a member of this account's programme.",
            )
            yield from portal()
        else:
            yield good("The API says that a code is on its way: look into the mailbox.")

    return mailing


def _shape_of_token(provider: TokenProvider, uid: str) -> str:
    if isinstance(provider, TokenExaminer):
        return f": the API writes it {provider.examine_auth_token(uid)}"
    provider.fetch_auth_token(uid)
    return ""


def _outcome_of(call: Callable[[], object]) -> object:
    try:
        return call()
    except PiggyVerifyError as error:
        return error


def _failure(error: ProviderError) -> Finding:
    """Tell a refusal, which is ours to mend, from a failure of theirs."""
    if isinstance(error, ProviderRefused):
        return problem(
            f"The API refuses us: {_told(error)}.",
            "Look at the key, the account and its Contacts Portal in the business "
            "dashboard.",
        )
    return problem(
        f"The API cannot be used: {_told(error)}.",
        _HINTS.get(
            error.status or 0,
            "Look at the network, the address, the proxy, the certificates and "
            "PIGGY_VERIFY_TIMEOUT; or it is down.",
        ),
    )


def _told(error: ProviderError) -> str:
    known = {"status": error.status, "code": error.api_code}
    numbers = ", ".join(f"{name} {each}" for name, each in known.items() if each)
    return f"{error} ({numbers})" if numbers else str(error)


def _nobody() -> str:
    """Answer an address that can be nobody's: RFC 2606 section 3."""
    return f"piggy-verify-doctor-{get_random_string(12, _LETTERS)}@example.com"
