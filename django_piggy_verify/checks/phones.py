"""The check of the settings for text messages."""

from collections.abc import Collection, Iterator, Sequence

from django.core.checks import CheckMessage, Error

from django_piggy_verify import phones
from django_piggy_verify.checks.accounts import usable_providers
from django_piggy_verify.conf import conf
from django_piggy_verify.traits import Channel, traits_of

_ID = "piggy_verify."
_COUNTRIES = "SMS_COUNTRIES"


def check_phones() -> Iterator[CheckMessage]:
    """
    E015: Text messages need a provider that sends them, and countries that exist.

    They also need the package ``phonenumbers``, which ``django-piggy-verify[sms]``
    brings. The region of numbers without ``+`` must be one of the countries. Codes of
    countries have two capital letters. Without ``PIGGY_VERIFY_SMS_COUNTRIES``, only a
    provider that sends no e-mail is an error.
    """
    countries: object = conf.sms_countries
    if not countries:
        yield from _text_only()
        return
    if not isinstance(countries, (list, tuple)):
        yield _error(_COUNTRIES, "not a list of codes")
        return
    try:
        known = phones.known_countries()
    except ImportError:
        yield _error(_COUNTRIES, "the package phonenumbers is missing")
    else:
        yield from _wrong_codes(countries, known) or _wrong_region(countries)
    for account, provider in usable_providers():
        if traits_of(provider).way_to(Channel.SMS) is None:
            yield _error(_COUNTRIES, "the provider sends no text messages", account)


def _text_only() -> Iterator[CheckMessage]:
    for account, provider in usable_providers():
        if traits_of(provider).way_to(Channel.EMAIL) is None:
            reason = "it is empty, and the provider sends text messages only"
            yield _error(_COUNTRIES, reason, account)


def _wrong_codes(
    countries: Collection[object], known: Collection[str]
) -> Sequence[CheckMessage]:
    return [
        _error(_COUNTRIES, f"{each!r} is not the code of a country")
        for each in countries
        if not isinstance(each, str) or each not in known
    ]


def _wrong_region(countries: Collection[object]) -> Sequence[CheckMessage]:
    if conf.phone_region is None or conf.phone_region in countries:
        return []
    return [_error("PHONE_REGION", f"it is not one of PIGGY_VERIFY_{_COUNTRIES}")]


def _error(name: str, reason: str, account: str = "") -> Error:
    return Error(
        f"PIGGY_VERIFY_{name} cannot be used: {reason}.",
        hint="Set PIGGY_VERIFY_SMS_COUNTRIES to a list of ISO 3166 codes, such as "
        "['NL', 'GB'], and PIGGY_VERIFY_PHONE_REGION to one of them or to None. "
        "Install django-piggy-verify[sms]. To send no texts, remove the settings.",
        obj=account or None,
        id=f"{_ID}E015",
    )
