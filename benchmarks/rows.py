"""
The format of the results: one JSON object in each line of stdout, which `run` reads.

Nearly all figures are ratios, shares or counts. Both sides of a ratio are measured in
the same run. No measurement compares its figures with those of an earlier run.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    measure: str
    """The name of the measurement, such as "login: CPU time"."""

    against: str
    """The other side of the comparison, such as "hand-written floor", or blank."""

    value: float
    """The median ratio, or the count."""

    unit: str = "times"
    """"times" for a ratio, or the name of the counted things."""

    goal: float | None = None
    """The highest value that we want."""

    @property
    def is_missed(self) -> bool:
        """Whether the row has a goal, and its value is above the goal."""
        return self.goal is not None and self.value > self.goal


def emit(row: Row) -> None:
    """Print one row for `run`."""
    print(json.dumps(asdict(row)), flush=True)


def read(lines: Iterable[str]) -> Iterator[Row]:
    """Return the rows in the output of a measurement. Skip all other lines."""
    for line in lines:
        if line.startswith("{"):
            yield Row(**json.loads(line))
