"""What an examination finds, and how examinations are run. No area's knowledge."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Outcome(StrEnum):
    """How good or bad a finding is."""

    GOOD = "good"
    """As it should be."""

    NOTE = "note"
    """Nothing is wrong, but whoever reads this may want to know."""

    WARNING = "warning"
    """Members can log in, and something is unsafe, or will trouble somebody."""

    PROBLEM = "problem"
    """Nobody can log in, or not as the settings mean it."""

    UNKNOWN = "unknown"
    """It could not be found out."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about this installation."""

    outcome: Outcome
    text: str
    """What is the case; never a secret."""

    hint: str = ""
    """What to do about it."""

    @property
    def is_problem(self) -> bool:
        """Whether it keeps members out."""
        return self.outcome is Outcome.PROBLEM


Examination: TypeAlias = Callable[[], Iterator[Finding]]


def good(text: str) -> Finding:
    """Answer a finding of something that is as it should be."""
    return Finding(Outcome.GOOD, text)


def note(text: str, hint: str = "") -> Finding:
    """Answer a finding to be aware of."""
    return Finding(Outcome.NOTE, text, hint)


def warning(text: str, hint: str = "") -> Finding:
    """Answer a finding of something unsafe or troublesome."""
    return Finding(Outcome.WARNING, text, hint)


def problem(text: str, hint: str = "") -> Finding:
    """Answer a finding that keeps members out."""
    return Finding(Outcome.PROBLEM, text, hint)


def unknown(text: str, hint: str = "") -> Finding:
    """Answer that something could not be found out."""
    return Finding(Outcome.UNKNOWN, text, hint)


def examine(
    areas: Mapping[str, Sequence[Examination]],
) -> Iterator[tuple[str, Finding]]:
    """
    Run all examinations, and yield what they find with the name of the area.

    One that fails is a problem, unless there was one before: then it most likely
    failed for the same reason.
    """
    has_problem = False
    for area, examination in _flat(areas):
        try:
            for finding in examination():
                has_problem = has_problem or finding.is_problem
                yield area, finding
        except Exception as error:  # noqa: BLE001  whatever is broken is a finding
            make = unknown if has_problem else problem
            has_problem = True
            yield area, make(f"Could not {_what(examination)}: {type(error).__name__}.")


def _flat(
    areas: Mapping[str, Sequence[Examination]],
) -> Iterator[tuple[str, Examination]]:
    for area, examinations in areas.items():
        for each in examinations:
            yield area, each


def _what(examination: Examination) -> str:
    """Answer what the examination does, as its docstring begins."""
    summary = str(examination.__doc__).strip().splitlines()[0].rstrip(".")
    return summary[:1].lower() + summary[1:]
