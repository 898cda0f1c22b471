"""
The options of a provider: their defaults, and what is wrong with their values.

A provider that uses this module accepts every keyword argument. So the check E013 can
name a misspelt option, and say which options there are. It also names settings that the
provider needs, but that other providers do not need.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from django_piggy_verify import durations
from django_piggy_verify.conf import conf
from django_piggy_verify.http.client import is_header_name, is_header_value
from django_piggy_verify.providers import credentials, option_values
from django_piggy_verify.providers.base import Problem
from django_piggy_verify.secret import Secret

LONGEST_NAME: Final = 64
"""Characters of `Contact.provider`."""

_TAKEN: Final = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-type", "cookie"),
        *("expect", "te", "trailer", "upgrade", "user-agent"),
    }
)
"""Headers of HTTP that no option of a provider may name: RFC 9110."""

# No segment begins with a dot, because a client may remove "." and "..".
_PATH: Final = re.compile(r"[\w~-][\w.~-]*(/[\w~-][\w.~-]*)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a provider."""

    default: object
    """The value if the option is not given.

    It is None if the option is required, and if the option may stay without a value.
    """

    accepts: Callable[[Any], bool]
    """Return whether the option may have this value."""

    words: str
    """A description of valid values. It ends the sentence "The option must be ..."."""


def name(default: str) -> Option:
    """Return the option for the name that keeps accounts apart."""
    words = f"a text of 1 to {LONGEST_NAME} characters"
    return Option(default, lambda value: _is_text(value, LONGEST_NAME), words)


def text(default: str | None = None) -> Option:
    """Return an option for a text that is not blank."""
    return Option(default, _is_text, "a text that is not blank")


def header_value(default: str) -> Option:
    """Return an option for a text that is sent as the value of an HTTP header."""
    return Option(default, _is_header_value, "a text of ASCII characters")


def header_name(default: str, *, taken: Collection[str] = ()) -> Option:
    """
    Return an option for the name of an HTTP header. None switches the header off.

    `taken` are the names, in lower case, of the vendor's other headers.
    """
    others = {*_TAKEN, *taken}
    return Option(
        default,
        lambda value: value is None or _is_free(value, others),
        "the name of an HTTP header that has no other meaning, or None",
    )


def path(default: str) -> Option:
    """Return an option for the path of a call, which is added to the base URL."""
    return Option(
        default,
        lambda value: isinstance(value, str) and bool(_PATH.fullmatch(value)),
        "a path without a slash at its beginning or its end",
    )


def flag(*, default: bool) -> Option:
    """Return an option that is on or off."""
    return Option(default, lambda value: isinstance(value, bool), "True or False")


def choice(default: str, *others: str) -> Option:
    """Return an option for one of several words."""
    words = (default, *others)
    return Option(
        default,
        lambda value: value in words,
        " or ".join(repr(each) for each in words),
    )


def matching(pattern: str, words: str, *, is_required: bool = False) -> Option:
    """
    Return an option for a printable text that matches a regular expression as a whole.

    If the option is not required, it may be None.
    """
    expression = re.compile(pattern)
    return Option(
        None,
        lambda value: (
            not is_required
            if value is None
            else _is_text(value) and bool(expression.fullmatch(value))
        ),
        words if is_required else f"{words}, or None",
    )


def url() -> Option:
    """Return an option for an absolute https URL, or None. DEBUG allows http too."""
    return Option(
        None,
        lambda value: value is None or option_values.is_url(value),
        "an https URL without user info and fragment, or None",
    )


def json_object() -> Option:
    """Return an option for an object that is sent as JSON, or None."""
    return Option(
        None,
        lambda value: value is None or option_values.is_json_object(value),
        "a dict of what JSON can say, with texts as its keys, or None",
    )


def seconds(default: int) -> Option:
    """Return an option for a duration."""
    return Option(
        default,
        durations.is_believable,
        "a whole number of seconds above 0",
    )


def _is_free(name: object, others: Collection[str]) -> bool:
    if not _is_text(name):
        return False
    text = str(name)
    return is_header_name(text) and text.lower() not in others


def _is_text(value: object, longest: int = 1000) -> bool:
    is_shown = isinstance(value, str) and value.isprintable() and bool(value.strip())
    return is_shown and len(str(value)) <= longest


def _is_header_value(value: object) -> bool:
    return _is_text(value) and is_header_value(str(value))


def _hidden(value: object) -> Secret | None:
    """Wrap a text, because tracebacks show local variables. Anything else is None."""
    return Secret(value) if isinstance(value, str) else None


class Options:
    """
    The values of all options: those that were given, and the defaults.

    `settings` are the settings that the provider needs, such as "CLIENT_ID".
    """

    def __init__(
        self,
        known: Mapping[str, Option],
        given: Mapping[str, Any],
        *,
        settings: Collection[str] = (),
    ) -> None:
        self._known = known
        self._settings = settings
        self._values = {**{each: known[each].default for each in known}, **given}

    def __getitem__(self, key: str) -> Any:
        """Return the value of an option. Call `require` first if it must be valid."""
        return self._values[key]

    @property
    def name(self) -> str:
        """The option `name`, or a blank text if it is wrong. No contact has that."""
        name = self._values["name"]
        return str(name) if self._known["name"].accepts(name) else ""

    def problems(self) -> Iterator[Problem]:
        """Return what is wrong with the options and settings, without their values."""
        for setting in self._missing_settings():
            yield Problem(
                text=f"{setting} is missing, or is no text.",
                hint="This provider needs the setting.",
                id="E013",
            )
        for fault in self._faults():
            yield Problem(
                text=f"PIGGY_VERIFY_PROVIDER_OPTIONS cannot be used: {fault}.",
                hint=f"The options of this provider are {', '.join(self._known)}.",
                id="E013",
            )

    def require(self) -> Self:
        """
        Return these options.

        Raises ProviderRefused if anything is wrong with the options or the settings.
        """
        for setting in self._missing_settings():
            raise credentials.refusal(f"{setting} is missing")
        for fault in self._faults():
            raise credentials.refusal(f"the options cannot be used: {fault}")
        return self

    def _missing_settings(self) -> Iterator[str]:
        for name in self._settings:
            if not _is_text(_hidden(getattr(conf, name.lower()))):
                yield f"PIGGY_VERIFY_{name}"

    def _faults(self) -> Iterator[str]:
        for key, value in self._values.items():
            option = self._known.get(key)
            if option is None:
                yield f"there is no option {key!r}"
            elif value is None and not option.accepts(None):
                yield f"the option {key!r} is missing"
            elif not option.accepts(value):
                yield f"the option {key!r} must be {option.words}"
