"""
Examine the live API. This happens only with ``--live`` or ``--send``.

Only `mail_to` sends a mail to a real address. `auth_tokens` fetches an auth token of
the member who logged in last. It neither shows nor stores the token.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from django.utils.crypto import get_random_string

from django_piggy_verify import recipients
from django_piggy_verify.db import locking
from django_piggy_verify.doctor import calls
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
)
from django_piggy_verify.login import challenges
from django_piggy_verify.models import Contact
from django_piggy_verify.providers import each_account, get_provider
from django_piggy_verify.providers.base import (
    Challenge,
    LinkProvider,
    TokenExaminer,
    TokenProvider,
    UserAccess,
)
from django_piggy_verify.secret import Secret
from django_piggy_verify.traits import Channel, traits_of

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
UNKNOWN_BEGINS: Final = "It is not known yet whether"
_NEEDS_A_USER: Final = (
    "No code was sent or checked, because that needs a user who is logged in at the "
    "vendor."
)


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
    to anybody. Without the access of a user, only a link can be checked.
    """
    if not can_send():
        yield note(_NEEDS_A_USER)
        yield from _check_link_of_nobody()
    elif traits_of(get_provider()).knows_members:
        yield from _until_a_problem((_send_to_nobody, _check_wrong_code))
    else:
        yield note(
            "No code was sent to an address that cannot exist, because the provider "
            "sends to anybody."
        )
        yield from _check_wrong_code()


def _send_to_nobody() -> Iterator[Finding]:
    outcome, took = calls.timed(lambda: get_provider().send_code(_to(_nobody())))
    if isinstance(outcome, ProviderError):
        yield calls.failure(outcome)
        return
    yield calls.accepted(took)
    if not isinstance(outcome, ContactUnknown):
        yield warning(
            "The API says that it mailed a code to an address that cannot exist.",
            "Find out whether another server answers in place of the API.",
        )


def _check_wrong_code() -> Iterator[Finding]:
    code = Secret(get_random_string(6, "0123456789"))
    outcome, took = calls.timed(lambda: get_provider().check_code(_to(_nobody()), code))
    if isinstance(outcome, ProviderError):
        yield calls.failure(outcome)
    elif isinstance(outcome, CodeRejected):
        if not traits_of(get_provider()).knows_members:
            yield calls.accepted(took)
        yield good("The API rejects a wrong code.")
    else:
        yield problem("The API accepts a code that it never mailed.")


def _check_link_of_nobody() -> Iterator[Finding]:
    """Ask about an address of a user who cannot exist. This needs our key only."""
    provider = get_provider()
    is_mailed = traits_of(provider).way_to(Channel.EMAIL) is Channel.LINK
    if not (is_mailed and isinstance(provider, LinkProvider)):
        return
    challenge = _of_nobody(provider)
    outcome, took = calls.timed(lambda: provider.check_link(challenge))
    if isinstance(outcome, ProviderError):
        yield calls.failure(outcome)
    elif isinstance(outcome, CodeRejected | ContactUnknown):
        yield calls.accepted(took)
        yield good("The API knows no link of a user who cannot exist.")
    elif isinstance(outcome, PiggyVerifyError):
        yield unknown("Only a user can show whether the API accepts the calls.")
    else:
        yield problem("The API accepts a link that it never mailed.")


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
    outcome = calls.outcome_of(lambda: _shape_of_token(provider, contact.uid))
    if isinstance(outcome, ProviderError):
        yield warning(
            "The auth token of the last member cannot be fetched: "
            f"{calls.cause(outcome)}.",
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
    traits = traits_of(get_provider())
    whose = "of a member" if traits.knows_members else "of yours"
    way = f"use --send with an address {whose}"
    if traits.wants_user_access:
        way = "connect a contact as a user who is logged in at the vendor"
    yield note(f"{UNKNOWN_BEGINS} {send_condition()}.", f"To find out, {way}.")


def can_send() -> bool:
    """Return whether ``--send`` can send a code, without the access of a user."""
    return not traits_of(get_provider()).wants_user_access


def send_condition() -> str:
    """Return what must be true before codes are mailed, as the end of a sentence."""
    return str(getattr(get_provider(), "send_condition", "")) or "codes arrive"


def mail_to(recipient: str) -> Examination:
    """Return the examination that mails a real code to `recipient`."""

    def mailing() -> Iterator[Finding]:
        """Mail a code."""
        if not can_send():
            yield from unsent()
            return
        outcome = calls.outcome_of(lambda: get_provider().send_code(_to(recipient)))
        if isinstance(outcome, ProviderError):
            yield calls.failure(outcome)
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


def _to(recipient: str) -> Challenge:
    """Return a challenge with all consents, so that the API looks at the rest."""
    provider = get_provider()
    given = traits_of(provider).consents
    challenge = challenges.of(provider, recipient, None, consents=given)
    return challenges.with_state(provider, challenge)


def _of_nobody(provider: object) -> Challenge:
    """Return a challenge of a user who cannot exist, with a token of nobody."""
    uid = f"piggy-verify-doctor-{get_random_string(12, _LETTERS)}"
    access = UserAccess(uid=uid, token=Secret("nobody"))
    challenge = Challenge(recipient=_nobody(), access=access)
    return challenges.with_state(provider, challenge)


def _inbox(recipient: str) -> str:
    is_text = recipients.channel_of(recipient) == Channel.SMS
    return "the text messages" if is_text else "the mailbox"


def _nobody() -> str:
    """Return an address that nobody can have (RFC 2606 section 3)."""
    return f"piggy-verify-doctor-{get_random_string(12, _LETTERS)}@example.com"
