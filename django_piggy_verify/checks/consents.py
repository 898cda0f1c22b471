"""The check of the texts that a visitor must agree to."""

from collections.abc import Iterator, Mapping
from typing import Final

from django.core.checks import CheckMessage, Error
from django.urls import NoReverseMatch
from django.utils.functional import Promise

from django_piggy_verify.checks.accounts import usable_providers
from django_piggy_verify.conf import conf
from django_piggy_verify.consent_fields import is_web_page
from django_piggy_verify.models import Consent
from django_piggy_verify.traits import traits_of

_ID = "piggy_verify."
_LONGEST_KIND: Final = Consent._meta.get_field("kind").max_length or 0
_LONGEST_VERSION: Final = Consent._meta.get_field("version").max_length or 0


def check_consents() -> Iterator[CheckMessage]:
    """
    E014: Each text to agree to must have a URL and a version.

    The setting must have a text of each kind that the provider wants. The version is
    stored with the consent, so it has at most 64 characters.
    """
    texts: object = conf.consents
    if not isinstance(texts, Mapping):
        yield _error("not a dictionary")
        return
    for kind, text in texts.items():
        if fault := _fault_of(kind, text):
            yield _error(f"{kind!r} {fault}")
    for account, provider in usable_providers():
        for kind in traits_of(provider).consents:
            if kind not in texts:
                yield _error(f"the provider wants {kind!r}", account)


def _fault_of(kind: object, text: object) -> str:
    """Return what is wrong with one text, or a blank text."""
    if not (_is_text(kind) and len(str(kind)) <= _LONGEST_KIND):
        return "is not the kind of a text"
    if not isinstance(text, Mapping):
        return "is not a dictionary"
    url, version = text.get("url"), text.get("version")
    if fault := _fault_of_url(url):
        return fault
    if not (_is_text(version) and len(str(version)) <= _LONGEST_VERSION):
        return "has no version, or one that is too long"
    return ""


def _fault_of_url(url: object) -> str:
    if not (_is_text(url) or isinstance(url, Promise)):
        return "has no URL"
    try:
        text = str(url)
    except NoReverseMatch:
        return "has a URL with an unknown name"
    return "" if is_web_page(text) else "has a URL that is no web page"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _error(reason: str, account: str = "") -> Error:
    return Error(
        f"PIGGY_VERIFY_CONSENTS cannot be used: {reason}.",
        hint="Set it to a dictionary like {'terms': {'url': '/terms/', 'version': "
        "'2026-01'}}, with a text of each kind that the provider wants.",
        obj=account or None,
        id=f"{_ID}E014",
    )
