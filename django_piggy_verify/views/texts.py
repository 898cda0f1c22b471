"""
The texts of the login pages that depend on how codes are sent, and to whom.

The templates have all other texts.
"""

from dataclasses import dataclass, replace
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_piggy_verify.traits import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTexts:
    """The texts for one channel. Each is a whole sentence, or several."""

    promise: str | Promise
    """The sentence of the first page about the code."""

    other: str | Promise
    """The link to the page that asks for the other kind of recipient."""

    check: str | Promise
    """The heading and the title of the code page."""

    missing: str | Promise
    """The question of a visitor who has got no code."""

    advice: str | Promise
    """The answer to this question."""


_EMAIL: Final = PageTexts(
    promise=_("We email you a code. No password needed."),
    other=_("Use your mobile number instead"),
    check=_("Check your email"),
    missing=_("No email?"),
    advice=_(
        "The email can take a few minutes. Look in your spam folder, and check the"
        " address above."
    ),
)
_SMS: Final = PageTexts(
    promise=_("We text you a code. No password needed."),
    other=_("Use your email address instead"),
    check=_("Check your phone"),
    missing=_("No text message?"),
    advice=_(
        "The text message can take a few minutes. Check the number above, and whether"
        " your phone has a signal."
    ),
)
# The sender of the email is a stranger to the member. So the text explains the sender.
_EMAIL_TO_MEMBERS: Final = replace(
    _EMAIL,
    promise=_("We email members a code. No password needed."),
    advice=_(
        "The email comes from our loyalty programme and can take a few minutes. Look in"
        " your spam folder, and check that you joined with the address above."
    ),
)
_SMS_TO_MEMBERS: Final = replace(
    _SMS,
    promise=_("We text members a code. No password needed."),
    advice=_(
        "The text message can take a few minutes. Check whether your phone has a"
        " signal, and that you joined with the number above."
    ),
)


def texts_for(channel: Channel, *, knows_members: bool) -> PageTexts:
    """Return the texts for a channel. `knows_members`: only members get codes."""
    if channel is Channel.SMS:
        return _SMS_TO_MEMBERS if knows_members else _SMS
    return _EMAIL_TO_MEMBERS if knows_members else _EMAIL
