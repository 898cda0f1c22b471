"""
The options of a provider: their defaults, and what is wrong with their values.

A provider that uses this module accepts every keyword argument. So the check E013 can
name a misspelt option, and say which options there are.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django_piggy_verify import durations
from django_piggy_verify.providers import credentials
from django_piggy_verify.providers.base import Problem

LONGEST_NAME: Final = 64
"""Characters of `Contact.provider`."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a provider."""

    default: object
    """The value if the option is not given, or None if the option is required."""

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


def flag(*, default: bool) -> Option:
    """Return an option that is on or off."""
    return Option(default, lambda value: isinstance(value, bool), "True or False")


def seconds(default: int) -> Option:
    """Return an option for a duration."""
    return Option(
        default,
        durations.is_believable,
        "a whole number of seconds above 0",
    )


def _is_text(value: object, longest: int = 1000) -> bool:
    is_shown = isinstance(value, str) and value.isprintable() and bool(value.strip())
    return is_shown and len(str(value)) <= longest


class Options:
    """The values of all options: those that were given, and the defaults."""

    def __init__(self, known: Mapping[str, Option], given: Mapping[str, Any]) -> None:
        self._known = known
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
        """Return what is wrong with the options, without their values."""
        for fault in self._faults():
            yield Problem(
                text=f"PIGGY_VERIFY_PROVIDER_OPTIONS cannot be used: {fault}.",
                hint=f"The options of this provider are {', '.join(self._known)}.",
                id="E013",
            )

    def require(self) -> None:
        """Raise ProviderRefused if anything is wrong with the options."""
        for fault in self._faults():
            raise credentials.refusal(f"the options cannot be used: {fault}")

    def _faults(self) -> Iterator[str]:
        for key, value in self._values.items():
            option = self._known.get(key)
            if option is None:
                yield f"there is no option {key!r}"
            elif value is None:
                yield f"the option {key!r} is missing"
            elif not option.accepts(value):
                yield f"the option {key!r} must be {option.words}"
