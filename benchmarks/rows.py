"""
What the measurements hand over to `run`: one JSON object a line on stdout.

Nearly every figure is a ratio of two things that were measured side by side in one
run, a share, or a count. No measurement compares itself with an earlier one.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    measure: str
    """What was measured, such as "login: CPU time"."""

    against: str
    """What it was held against, such as "hand-written floor"; blank for a count."""

    value: float
    """The median ratio, or the count."""

    unit: str = "times"
    """"times" for ratios, or what was counted."""

    goal: float | None = None
    """What the value is to be at most."""

    @property
    def is_missed(self) -> bool:
        """Whether there is a goal, and the value is beyond it."""
        return self.goal is not None and self.value > self.goal


def emit(row: Row) -> None:
    """Hand over one row."""
    print(json.dumps(asdict(row)), flush=True)


def read(lines: Iterable[str]) -> Iterator[Row]:
    """Read the rows that a measurement has emitted, whatever else it printed."""
    for line in lines:
        if line.startswith("{"):
            yield Row(**json.loads(line))
