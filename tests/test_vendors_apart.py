"""The words of a vendor stand in the module of this vendor only."""

import re
from pathlib import Path

import pytest

import django_piggy_verify

PACKAGE = Path(django_piggy_verify.__file__).parent
ALLOWED = {"providers", "sandbox", "locale"}
SUFFIXES = {".py", ".html", ".txt", ".js"}
WORDS = re.compile(
    "verifik|punchh|transmit|appLogin"
    "|55031|55032|13010|1053|7002|7011|contact-verification|api.piggy.eu",
    re.IGNORECASE,
)


def modules():
    """Return the files of the package that every vendor shares."""
    for path in PACKAGE.rglob("*.*"):
        folder = path.relative_to(PACKAGE).parts[0]
        if folder not in ALLOWED and path.suffix in SUFFIXES:
            yield path


def test_the_shared_files_are_found():
    names = {each.name for each in modules()}

    assert {"checking.py", "code.html", "api.py", "0001_initial.py"} <= names


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: path.name)
def test_a_shared_file_has_no_word_of_a_vendor(path):
    assert WORDS.findall(path.read_text()) == []
