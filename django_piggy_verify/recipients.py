"""
Give each recipient one spelling. No network, no database, no request.

A recipient is an e-mail address or a phone number. Limits count by recipient. If a
recipient had several spellings, each of them would have its own counts. So a text that
has no single spelling is refused. `phones` knows the spellings of numbers.
"""

import re

from django_piggy_verify import phones
from django_piggy_verify.conf import conf
from django_piggy_verify.invisible import trim
from django_piggy_verify.traits import Channel

MAX_LENGTH = 254
"""Characters of an address (RFC 5321 section 4.5.3.1.3, without the brackets)."""

_LONGEST_TYPED = 2 * MAX_LENGTH
_AT_SIGNS = {
    ord("\N{FULLWIDTH COMMERCIAL AT}"): "@",
    ord("\N{SMALL COMMERCIAL AT}"): "@",
}
_NAMED = re.compile(r"[^@<>\x00-\x1f\x7f-\x9f]*<(?P<address>[^<>]*)>")
_MAILTO = "mailto:"
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"({_LABEL}\.)+(?!\d+\Z){_LABEL}")
_HIDDEN = re.compile(r"(?<=...).(?=..)", re.DOTALL)


def normalise(typed: str) -> str:
    """
    Return `typed` in the spelling that is sent and shown.

    A text with an at sign is an address, and any other text is a number. A number is
    returned in E.164 form, such as ``+31612345678``. Only mobile numbers of
    ``PIGGY_VERIFY_SMS_COUNTRIES`` are accepted. The rest is about addresses.

    White space and invisible characters around the address are removed. So are the
    name of ``Ann <ann@example.com>`` and the scheme of ``mailto:ann@example.com``. A
    full-width at sign becomes a plain one. The domain becomes lower-case ASCII
    (UTS 46). The local part keeps its case, because only the server of the mailbox may
    change it (RFC 5321 section 2.4).

    Raises ValueError for quoted or non-ASCII local parts, IP literals, hosts without a
    dot, a second at sign and anything longer than `MAX_LENGTH`.
    """
    # Checked first, because the rest would take seconds for a text of megabytes.
    if len(typed) > _LONGEST_TYPED:
        raise ValueError("too long for an address or a number")
    local, at, domain = _bare(typed).rpartition("@")
    if not at:
        return _number(typed)
    address = f"{local}@{_ascii_domain(domain)}"
    if not _LOCAL.fullmatch(local) or len(local) > 64 or len(address) > MAX_LENGTH:  # noqa: PLR2004
        raise ValueError("not a plain local part")
    return address


def identify(typed: str) -> str:
    """
    Return `typed` like `normalise`, but accept the numbers of all countries.

    Codes may have been sent to a country before it has left the settings. Raises
    ValueError for numbers if the settings name no country at all.
    """
    try:
        return normalise(typed)
    except ValueError:
        if not conf.sms_countries or "@" in typed:
            raise
        every = list(phones.known_countries())
        return phones.normalise(typed, countries=every, region=conf.phone_region)


def key(recipient: str) -> str:
    """Return the key that all spellings of `recipient` share. Limits count by it."""
    return recipient.lower()


def is_spelling(text: str, recipient: str) -> bool:
    """Return whether `text`, which a vendor has written, is `recipient` in any case."""
    # The lower-case form of the Kelvin sign is an ASCII letter.
    return text.isascii() and key(text) == key(recipient)


def channel_of(recipient: str) -> Channel:
    """Return the way on which a code reaches `recipient`."""
    return Channel.EMAIL if "@" in recipient else Channel.SMS


def is_served(recipient: str) -> bool:
    """
    Return whether codes may be sent to `recipient`.

    Codes may be sent to every address. They may be sent to the numbers that `normalise`
    returns now. Since an earlier send, a country may have left the settings.
    """
    if channel_of(recipient) is Channel.EMAIL:
        return True
    try:
        return _number(recipient) == recipient
    except ValueError:
        return False


def masked(recipient: str) -> str:
    """
    Return a part of `recipient`, for log lines.

    Of an address, the part is the first character and the domain. Of a number, the part
    is the first three and the last two characters.
    """
    if channel_of(recipient) is Channel.SMS:
        return _HIDDEN.sub("*", recipient)
    local, _, domain = recipient.rpartition("@")
    return f"{local[:1]}***@{domain}"


def _number(typed: str) -> str:
    if not conf.sms_countries:
        raise ValueError("no address, and no country is served")
    countries, region = conf.sms_countries, conf.phone_region
    return phones.normalise(typed, countries=countries, region=region)


def _bare(typed: str) -> str:
    """
    Return the address without the text that phones and mail programs put around it.

    A name must not contain an at sign or a control character. In
    ``a@example.com <b@example.org>``, for example, either address may be meant.
    """
    text = trim(typed.translate(_AT_SIGNS))
    if found := _NAMED.fullmatch(text):
        text = trim(found["address"])
    if text[: len(_MAILTO)].lower() == _MAILTO:
        text = trim(text[len(_MAILTO) :])
        # Percent-encoding is not decoded (RFC 6068 section 2). A header after the
        # question mark may name other recipients.
        if "%" in text or "?" in text:
            raise ValueError("more than an address in the link")
    return text


def _ascii_domain(domain: str) -> str:
    if not domain.isascii():
        import idna  # noqa: PLC0415  its tables cost more than most processes need

        domain = idna.encode(domain, uts46=True).decode()
    domain = domain.lower()
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("not a public domain")
    return domain
