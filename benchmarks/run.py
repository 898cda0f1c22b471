"""
Run all measurements, and write the results into ``benchmarks/results.rst``.

Install the dependency groups `benchmarks`, `postgresql` and `mariadb`, and start the
database servers of the tests. Then run ``python benchmarks/run.py``. With ``--quick``
it only shows that each measurement works, and writes nothing. To run only some
measurements, give their names, such as ``login``. The exit status is 1 if a measurement
failed. A missed goal is no failure.
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
    "strangers",
    "connecting",
    "crowd",
    "cached_read",
    "stampede",
    "startup",
    "purging",
    "admin",
    "profiles",
    "texts",
)
PACKAGES: Final = (
    "Django",
    "cryptography",
    "gunicorn",
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
    """Run one measurement in its own process, and return its rows."""
    command = [sys.executable, str(HERE / f"{name}.py"), *["--quick"] * is_quick]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    rows = list(read(run.stdout.splitlines()))
    if run.returncode or not rows:
        raise Failed(f"{name} has ended with {run.returncode}")
    return rows


def page(results: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Return the results as lines of reStructuredText."""
    yield from ("Results", "=======", "")
    yield f"Taken on {datetime.now(UTC):%Y-%m-%d} by ``python benchmarks/run.py``:"
    yield "a figure without a unit is the median of the ratios of one run. A goal is"
    yield "the highest value that we want. README.rst explains the measurements."
    yield ""
    yield from (f"* {each}" for each in surroundings())
    for name, rows in results.items():
        yield from ("", f"``{name}.py``", "-" * (len(name) + 7), "")
        yield from table(rows)


def surroundings() -> Iterator[str]:
    """Return the versions, the number of cores and the load of this run."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    yield f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load}"
    yield ", ".join(f"{each} {version(each)}" for each in PACKAGES)
    yield f"SQLite {sqlite3.sqlite_version}, {', '.join(map(server, SERVERS))}"


def server(name: str) -> str:
    """Return the name and version of a database server of the tests."""
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
    """Return the rows as a table in reStructuredText."""
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
    """Run the chosen measurements, and print or write the results."""
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
