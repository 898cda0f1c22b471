"""The checks of the settings for the look of the pages."""

from collections.abc import Iterator, Mapping
from typing import Final

from django.apps import apps
from django.contrib.staticfiles import finders
from django.core.checks import CheckMessage, Error, Warning as Caution
from django.core.exceptions import SuspiciousFileOperation
from django.utils.functional import Promise

from django_piggy_verify.conf import conf
from django_piggy_verify.consent_fields import is_web_page

_ID = "piggy_verify."
_KEYS: Final = ("name", "logo", "url")
_INPUTMODES: Final = (
    *("none", "text", "decimal", "numeric", "tel", "search", "email", "url"),
)
"""Source: the attribute ``inputmode`` in the HTML standard, section 6.8.7."""


def check_brand() -> Iterator[CheckMessage]:
    """
    E019: The brand may have a name, a logo and a URL.

    Each one is a text. The URL is a path of this site, or begins with ``http(s)``.
    """
    brand: object = conf.brand
    if not isinstance(brand, Mapping):
        yield _bad_brand("is not a dictionary")
        return
    for key, text in brand.items():
        if key not in _KEYS:
            yield _bad_brand(f"has the unknown key {key!r}")
        elif not isinstance(text, (str, Promise)):
            yield _bad_brand(f"has a {key} that is not a text")
        elif key == "url" and text and not is_web_page(str(text)):
            yield _bad_brand("has a url that is no web page")


def check_logo() -> Iterator[CheckMessage]:
    """W010: The logo of the brand must be a static file. Without it, none is shown."""
    brand: object = conf.brand
    path = brand.get("logo") if isinstance(brand, Mapping) else None
    has_finders = apps.is_installed("django.contrib.staticfiles")
    if isinstance(path, str) and path and has_finders and not _is_found(path):
        yield Caution(
            f"PIGGY_VERIFY_BRAND names the logo {path!r}, which is no static file.",
            hint="Put the file into the folder static of an app, or into a folder of "
            "STATICFILES_DIRS. Write its path as in the tag static, such as "
            "'shop/logo.svg'.",
            id=f"{_ID}W010",
        )


def check_code_inputmode() -> Iterator[CheckMessage]:
    """E020: The keyboard of a phone needs a value of ``inputmode`` that HTML has."""
    if conf.code_inputmode not in _INPUTMODES:
        yield Error(
            "PIGGY_VERIFY_CODE_INPUTMODE is no value of the attribute inputmode.",
            hint=f"The values are: {', '.join(_INPUTMODES)}.",
            id=f"{_ID}E020",
        )


def _bad_brand(fault: str) -> Error:
    return Error(
        f"PIGGY_VERIFY_BRAND {fault}.",
        hint="An example is {'name': 'Our shop', 'logo': 'shop/logo.svg', 'url': '/'}.",
        id=f"{_ID}E019",
    )


def _is_found(path: str) -> bool:
    try:
        return finders.find(path) is not None
    except SuspiciousFileOperation:
        return False
