"""Decide whether the value of an option is a URL, or an object that JSON can say."""

import json
import re
from typing import Final

from django.conf import settings

# No user info, no backslash and no fragment. A vendor may add to the query.
_URL: Final = re.compile(
    r"http(?P<tls>s?)://"
    r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:[/?][!\"$-\[\]-~]*)?"
)


def is_url(value: object) -> bool:
    """Return whether `value` is an absolute https URL. DEBUG allows http too."""
    found = _URL.fullmatch(value) if isinstance(value, str) else None
    return found is not None and bool(found["tls"] or settings.DEBUG)


def is_json_object(value: object) -> bool:
    """
    Return whether `value` is a dict that is the same after a conversion to JSON.

    JSON would turn a tuple into a list, and the key 1 into a text.
    """
    try:
        return isinstance(value, dict) and _converted(value) == value
    except (TypeError, ValueError, RecursionError):
        return False


def _converted(value: object) -> object:
    return json.loads(json.dumps(value, allow_nan=False))
