"""Run the suite, and print a table: how each case ends with each vendor."""

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest


class Table:
    """A plugin of pytest that collects how each case has ended."""

    def __init__(self) -> None:
        self.cells: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test, or that the test has failed."""
        told = {name: str(value) for name, value in report.user_properties}
        if outcome := told.get("outcome"):
            row, vendor = self.cells[told["case"]], told["vendor"]
            has_failed = report.failed or row.get(vendor) == "FAILED"
            row[vendor] = "FAILED" if has_failed else outcome

    def lines(self) -> Iterable[str]:
        """Return the lines of the table. A dash means that there is no such case."""
        vendors = [*dict.fromkeys(each for row in self.cells.values() for each in row)]
        yield self._line("case", vendors)
        yield self._line("=" * 40, ["=" * 22] * len(vendors))
        for case, row in self.cells.items():
            yield self._line(case, [row.get(each, "-") for each in vendors])

    def _line(self, case: str, cells: Iterable[str]) -> str:
        return " ".join([f"{case:40}", *(f"{each:22}" for each in cells)]).rstrip()


def main() -> int:
    """Return the exit code of pytest."""
    table = Table()
    folder = str(Path(__file__).parent)
    status = pytest.main(["-q", "-p", "no:randomly", folder], plugins=[table])
    print(*table.lines(), sep="\n")  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main())
