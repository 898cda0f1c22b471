"""
Give each mobile number one spelling: E.164. No network, no database, no request.

The package ``phonenumbers`` knows the numbers of all countries. It is imported at the
first number, because the import takes about 0.1 seconds, and most projects do not need
it. It comes with ``django-piggy-verify[sms]``.
"""

import re
import unicodedata
from collections.abc import Collection
from typing import Final

from django_piggy_verify.invisible import trim

_LONGEST: Final = 32
"""Characters of a typed number: 15 digits (E.164), with something between them."""

_EXAMPLE: Final = "+31 6 12345678"

_NUMBER: Final = re.compile(r"\+?[0-9]+")

# White space, dashes and brackets. Every other separator is named.
_SEPARATING: Final = {"Zs", "Pd", "Ps", "Pe"}
_SEPARATORS: Final = frozenset("./．／−\u00ad\u200b\u2060")  # noqa: RUF001  full width


def known_countries() -> Collection[str]:
    """
    Return the ISO 3166 codes of all countries whose numbers are known.

    Raises ImportError without the package ``phonenumbers``.
    """
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415  see above

    return SUPPORTED_REGIONS


def normalise(typed: str, *, countries: Collection[str], region: str | None) -> str:
    """
    Return the number in E.164 form, such as ``+31612345678``.

    `countries` are the ISO 3166 codes of the countries whose numbers are accepted. The
    calling code is not enough: 25 countries share ``+1``. `region` is the country of
    numbers without ``+``. It must be one of `countries`.

    Raises ValueError for everything that is no mobile number of these countries. Texts
    with letters are refused, also extensions and ``tel:``. Without the package
    ``phonenumbers``, every number is refused: the check E015 names that.
    """
    number = _digits(trim(typed))
    try:
        served = _served(countries)
        return _in_e164(number, served, region if region in served else None)
    except ImportError:
        # An exception of another type would be a 500 on a page that takes addresses
        # as well.
        raise ValueError("the package phonenumbers is missing") from None


def parts_of(number: str) -> tuple[str, str]:
    """
    Return the calling code, such as ``31``, and the rest of a number in E.164 form.

    The rest is the national significant number. In Italy, it may begin with a zero.
    """
    from phonenumbers import national_significant_number, parse  # noqa: PLC0415

    parsed = parse(number)
    return str(parsed.country_code), national_significant_number(parsed)


def example(*, countries: Collection[str], region: str | None) -> str:
    """
    Return a mobile number that nobody has, such as ``+31 6 12345678``.

    It is a number of `region`, or of the first one of the `countries`.
    """
    try:
        import phonenumbers  # noqa: PLC0415  see above
        from phonenumbers import PhoneNumberFormat, PhoneNumberType  # noqa: PLC0415

        country = region or next(iter(_served(countries)), "NL")
    except ImportError:
        return _EXAMPLE
    found = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    if found is None:
        return _EXAMPLE
    return phonenumbers.format_number(found, PhoneNumberFormat.INTERNATIONAL)


def _digits(text: str) -> str:
    """
    Return the digits of a number in ASCII, perhaps with a plus sign before them.

    The parser of ``phonenumbers`` accepts much more, such as letters, extensions and a
    second number, and drops some of it. So it gets digits only.
    """
    if len(text) > _LONGEST:
        raise ValueError("too long for a number")
    number = "".join(map(_digit, text))
    if not _NUMBER.fullmatch(number):
        raise ValueError("no number")
    return number


def _digit(character: str) -> str:
    """Return the digit in ASCII, the plus sign, or a blank text for a separator."""
    if character in {"+", "\N{FULLWIDTH PLUS SIGN}"}:
        return "+"
    if character in _SEPARATORS or unicodedata.category(character) in _SEPARATING:
        return ""
    # Raises ValueError if the character is no digit of any script.
    return str(unicodedata.decimal(character))


def _served(countries: Collection[str]) -> list[str]:
    """
    Return the `countries` whose numbers are known. A setting that is no list has none.

    Otherwise each character of a text such as "NL,BE" would be a code.
    """
    known = known_countries()
    codes = countries if isinstance(countries, (list, tuple)) else ()
    return [each for each in codes if isinstance(each, str) and each in known]


def _in_e164(number: str, served: Collection[str], region: str | None) -> str:
    import phonenumbers  # noqa: PLC0415  see above
    from phonenumbers import PhoneNumberFormat, PhoneNumberType  # noqa: PLC0415

    try:
        # After a plus sign, a number of the region would be one that was not typed.
        parsed = phonenumbers.parse(number, None if number[0] == "+" else region)
    except phonenumbers.NumberParseException:
        raise ValueError("no number of any country") from None
    if phonenumbers.region_code_for_number(parsed) not in served:
        raise ValueError("a number of a country that is not served")
    # In some countries, the number does not show whether it is mobile. The type of an
    # invalid number is unknown.
    mobile = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
    if phonenumbers.number_type(parsed) not in mobile:
        raise ValueError("no mobile number")
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
