"""Check that the page of each vendor agrees with its provider."""

import ast
import re

import pytest

from django_piggy_verify.providers import piggy, verifik
from tests.documentation import pages

NUMBERS = {
    value
    for name, value in vars(piggy).items()
    if name.isupper() and isinstance(value, int) and not name.startswith("_")
}
OF_PIGGY = {"piggy.rst", "testing.rst"}
"""The page of Piggy, and the one that shows a switch of its sandbox."""


def guide(name):
    return (pages.DOCS / "howto" / f"{name}.rst").read_text()


def test_the_page_of_piggy_lists_its_error_numbers():
    listed = pages.table([pages.parsed(pages.DOCS / "howto/piggy.rst")], "Number")

    assert {int(number) for number in listed} == NUMBERS


@pytest.mark.parametrize("path", pages.paths(), ids=lambda path: path.name)
def test_only_the_page_of_piggy_has_its_error_numbers(path):
    found = {int(each) for each in re.findall(r"\b\d{4,5}\b", path.read_text())}

    assert not found & NUMBERS or path.name in OF_PIGGY


def test_the_page_of_piggy_names_its_url():
    assert f"``{piggy.PiggyProvider.base_url}``" in guide("piggy")


def test_the_page_of_verifik_lists_its_options():
    page = [pages.parsed(pages.DOCS / "howto/verifik.rst")]
    listed = {name: row[0] for name, row in pages.table(page, "Option").items()}

    defaults = {name: each.default for name, each in verifik._OPTIONS.items()}
    required = {name for name, default in defaults.items() if default is None}
    assert {name for name, said in listed.items() if said == "required"} == required
    assert {
        name: ast.literal_eval(said)
        for name, said in listed.items()
        if said != "required"
    } == {name: defaults[name] for name in defaults.keys() - required}


@pytest.mark.parametrize("word", verifik._REJECTIONS)
def test_the_page_of_verifik_lists_the_words_for_a_wrong_code(word):
    assert f"``{word}``" in guide("verifik")
