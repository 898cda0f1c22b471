"""Run the suite, and print a table of each kind of pages: vendor by case."""

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest


class Table:
    """How each case has ended with each vendor, on one kind of pages."""

    def __init__(self) -> None:
        self.cells: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def note(self, case: str, vendor: str, outcome: str) -> None:
        """Keep an outcome. One test that has failed makes the cell fail."""
        row = self.cells[case]
        row[vendor] = "FAILED" if row.get(vendor) == "FAILED" else outcome

    def lines(self, pages: str) -> Iterable[str]:
        """Return the lines of the table. A dash means that there is no such case."""
        vendors = [*dict.fromkeys(each for row in self.cells.values() for each in row)]
        yield self._line(f"case on the {pages} pages", vendors)
        yield self._line("=" * 40, ["=" * 22] * len(vendors))
        for case, row in self.cells.items():
            yield self._line(case, [row.get(each, "-") for each in vendors])

    def _line(self, case: str, cells: Iterable[str]) -> str:
        return " ".join([f"{case:40}", *(f"{each:22}" for each in cells)]).rstrip()


class Tables:
    """A plugin of pytest that collects how each case has ended."""

    def __init__(self) -> None:
        self.by_pages: defaultdict[str, Table] = defaultdict(Table)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test, or that the test has failed."""
        told = {name: str(value) for name, value in report.user_properties}
        if outcome := told.get("outcome"):
            table = self.by_pages[told["pages"]]
            outcome = "FAILED" if report.failed else outcome
            table.note(told["case"], told["vendor"], outcome)

    def lines(self) -> Iterable[str]:
        """Return the lines of all tables."""
        for pages, table in self.by_pages.items():
            yield ""
            yield from table.lines(pages)


def main() -> int:
    """Return the exit code of pytest."""
    tables = Tables()
    folder = str(Path(__file__).parent)
    status = pytest.main(["-q", "-p", "no:randomly", folder], plugins=[tables])
    print(*tables.lines(), sep="\n")  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main())
