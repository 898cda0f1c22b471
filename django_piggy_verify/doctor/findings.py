"""Define findings, and run examinations. This module knows no area."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Outcome(StrEnum):
    """How good or bad a finding is."""

    GOOD = "good"
    """All is well."""

    NOTE = "note"
    """Nothing is wrong. The operator may want to know this."""

    WARNING = "warning"
    """Members can log in, but something is unsafe or will cause trouble."""

    PROBLEM = "problem"
    """Nobody can log in, or the login does not work as the settings say."""

    UNKNOWN = "unknown"
    """The doctor could not find this out."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about this installation."""

    outcome: Outcome
    text: str
    """The fact. It contains no secret."""

    hint: str = ""
    """What the operator can do."""

    @property
    def is_problem(self) -> bool:
        """Whether members cannot log in because of this."""
        return self.outcome is Outcome.PROBLEM


Examination: TypeAlias = Callable[[], Iterator[Finding]]


def good(text: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(Outcome.GOOD, text)


def note(text: str, hint: str = "") -> Finding:
    """Return a finding that the operator may want to know."""
    return Finding(Outcome.NOTE, text, hint)


def warning(text: str, hint: str = "") -> Finding:
    """Return a finding about something unsafe or troublesome."""
    return Finding(Outcome.WARNING, text, hint)


def problem(text: str, hint: str = "") -> Finding:
    """Return a finding about something that keeps members from logging in."""
    return Finding(Outcome.PROBLEM, text, hint)


def unknown(text: str, hint: str = "") -> Finding:
    """Return a finding that the doctor could not find something out."""
    return Finding(Outcome.UNKNOWN, text, hint)


def examine(
    areas: Mapping[str, Sequence[Examination]],
) -> Iterator[tuple[str, Finding]]:
    """
    Run all examinations. Yield each finding with the name of its area.

    An examination that raises an exception is a problem. After an earlier problem it is
    only unknown, because the reason is most likely the same.
    """
    has_problem = False
    for area, examination in _flat(areas):
        try:
            for finding in examination():
                has_problem = has_problem or finding.is_problem
                yield area, finding
        except Exception as error:  # noqa: BLE001  any error is a finding
            make = unknown if has_problem else problem
            has_problem = True
            yield (
                area,
                make(f"Could not {_task(examination)}: {type(error).__name__}."),
            )


def _flat(
    areas: Mapping[str, Sequence[Examination]],
) -> Iterator[tuple[str, Examination]]:
    for area, examinations in areas.items():
        for each in examinations:
            yield area, each


def _task(examination: Examination) -> str:
    """Return what the examination does: the first line of its docstring."""
    summary = str(examination.__doc__).strip().splitlines()[0].rstrip(".")
    return summary[:1].lower() + summary[1:]
