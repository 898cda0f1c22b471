"""
Take all measurements, and write them into one table.

Run ``python benchmarks/run.py`` where the dependency groups `benchmarks`,
`postgresql` and `mariadb` are installed, with the database servers of the tests.
It writes ``benchmarks/results.rst``; with ``--quick`` it takes little time, shows
that everything can be measured, and writes nothing. Names of measurements, such as
``login``, take only those. It exits with 1 if something could not be measured: a
goal that was missed is a figure like any other.
"""

import argparse
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.rows import Row, read

HERE: Final = Path(__file__).parent
MEASUREMENTS: Final = (
    "login",
    "cached_read",
    "stampede",
    "startup",
    "purging",
    "profiles",
)
PACKAGES: Final = (
    "Django",
    "cryptography",
    "requests",
    "urllib3",
    "psycopg",
    "mysqlclient",
    "django-allauth",
    "django-magiclink",
    "django-sesame",
    "djangorestframework",
    "drfpasswordless",
)

SERVERS: Final = ("postgresql", "mariadb")
ASK_FOR_VERSION: Final = """
import django
django.setup()
from django.db import connection
with connection._nodb_cursor() as cursor:
    cursor.execute("SELECT version()")
    version = cursor.fetchone()[0]
print(version.partition(" (")[0])
"""


class Failed(Exception):
    """A measurement could not be made."""


def measure(name: str, *, is_quick: bool) -> Sequence[Row]:
    """Run one measurement in a process of its own, and answer its rows."""
    command = [sys.executable, str(HERE / f"{name}.py"), *["--quick"] * is_quick]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    rows = list(read(run.stdout.splitlines()))
    if run.returncode or not rows:
        raise Failed(f"{name} has ended with {run.returncode}")
    return rows


def page(results: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Write the results as reStructuredText, line by line."""
    yield from ("Results", "=======", "")
    yield f"Taken on {datetime.now(UTC):%Y-%m-%d} by ``python benchmarks/run.py``:"
    yield "without a unit, a figure is the median of ratios within one run. A goal is"
    yield "what it is to be at most. README.rst says what is measured."
    yield ""
    yield from (f"* {each}" for each in surroundings())
    for name, rows in results.items():
        yield from ("", f"``{name}.py``", "-" * (len(name) + 7), "")
        yield from table(rows)


def surroundings() -> Iterator[str]:
    """Say where the figures were taken, and with what."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    yield f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load}"
    yield ", ".join(f"{each} {version(each)}" for each in PACKAGES)
    yield f"SQLite {sqlite3.sqlite_version}, {', '.join(map(server, SERVERS))}"


def server(name: str) -> str:
    """Answer the name and version of a database server of the tests."""
    environment = os.environ | {
        "DATABASE": name,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    command = [sys.executable, "-c", ASK_FOR_VERSION]
    run = subprocess.run(
        command,
        cwd=HERE.parent,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return run.stdout.strip() or f"no {name}"


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Write the rows as a table of reStructuredText."""
    cells = [("Measure", "Against", "Value", "Goal"), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    yield from (rule, lines[0], rule, *lines[1:], rule)


def _cells(row: Row) -> tuple[str, str, str, str]:
    unit = "" if row.unit == "times" else f" {row.unit}"
    goal = "" if row.goal is None else f"{row.goal:g}{', missed' * row.is_missed}"
    return row.measure, row.against, f"{_rounded(row.value)}{unit}", goal


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.2f}"  # noqa: PLR2004


def main() -> None:
    """Take the measurements that are asked for, and show or write the results."""
    parser = argparse.ArgumentParser(description="Take all measurements.")
    parser.add_argument("names", nargs="*", default=MEASUREMENTS)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    results = {}
    for name in options.names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        results[name] = measure(name, is_quick=options.quick)
        print("\n".join(table(results[name])), file=sys.stderr, flush=True)
    text = "\n".join(page(results)) + "\n"
    if options.quick or tuple(options.names) != MEASUREMENTS:
        print(text)
    else:
        (HERE / "results.rst").write_text(text)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(str(failure))
