"""
Give each mobile number one spelling: E.164. No network, no database, no request.

The package ``phonenumbers`` knows the numbers of all countries. It is imported at the
first number, because it takes much memory. It comes with ``django-piggy-verify[sms]``.
"""

from collections.abc import Collection


def normalise(typed: str, *, countries: Collection[str], region: str | None) -> str:
    """
    Return the number in E.164 form, such as ``+31612345678``.

    `countries` are the ISO 3166 codes of the countries whose numbers are accepted.
    `region` is the country of numbers without ``+``.

    Raises ValueError for everything that is no mobile number of these countries.
    """
    raise NotImplementedError
