"""
Read the README and the pages in docs/ without Sphinx.

``tox run -e docs`` checks the pages with Sphinx. This module replaces its directives
and roles, so that the tests find the code and the tables with every Python.
"""

import re
from functools import cache
from inspect import isfunction
from pathlib import Path
from typing import Any

import from_the_code
import pytest
from django.dispatch import Signal
from django.test.utils import isolate_apps
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.directives.body import CodeBlock

from django_piggy_verify import signals

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
STRICT = {"halt_level": 2, "report_level": 2, "syntax_highlight": "none"}


class Described(Directive):
    """The name of an object and its description."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = dict.fromkeys(
        (
            "members",
            "show-inheritance",
            "inherited-members",
            "exclude-members",
            "no-index",
            "noindex",
        ),
        directives.unchanged,
    )

    def run(self):
        said = nodes.container(names=self.arguments)
        self.state.nested_parse(self.content, self.content_offset, said)
        return [said]


class Contents(Described):
    """The pages below this one. Each must exist."""

    option_spec = dict.fromkeys(
        ("caption", "maxdepth", "hidden", "titlesonly"), directives.unchanged
    )

    def run(self):
        folder = Path(self.state.document["source"]).parent
        for name in self.content:
            assert not name or (folder / f"{name}.rst").is_file(), name
        return []


class Code(CodeBlock):
    """A block of code with its caption."""

    option_spec = {**(CodeBlock.option_spec or {}), "caption": directives.unchanged}

    def run(self):
        [block] = found = super().run()
        block["caption"] = self.options.get("caption", "")
        return found


def referred(name, rawtext, text, *_where, **_options):
    """Return the text that Sphinx shows for a reference."""
    words = re.sub(r"\s*<[^>]*>$", "", text).removeprefix("~").removeprefix("!")
    return [nodes.literal(rawtext, words)], []


def _stand_in():
    described = (
        *from_the_code.OBJECTS,
        *(f"auto{kind}" for kind in ("module", "class", "exception", "function")),
        *(f"py:{kind}" for kind in ("module", "data", "class", "function")),
    )
    for name in described:
        directives.register_directive(name, Described)
    for name, each in from_the_code.DIRECTIVES.items():
        directives.register_directive(name, each)
    directives.register_directive("toctree", Contents)
    directives.register_directive("code-block", Code)
    python = ("class", "exc", "func", "meth", "attr", "data", "mod")
    for name in (*from_the_code.OBJECTS, *python, "doc", "ref", "download"):
        roles.register_canonical_role(name, referred)


_stand_in()


def paths() -> list[Path]:
    """Return the README first, and then every page of the documentation."""
    return [ROOT / "README.rst", *sorted(DOCS.rglob("*.rst"))]


@cache
def parsed(path: Path) -> nodes.document:
    """Return the parsed page. A warning is an error."""
    return publish_doctree(
        path.read_text(), source_path=str(path), settings_overrides=STRICT
    )


def all_parsed() -> list[nodes.document]:
    return [parsed(path) for path in paths()]


def blocks_of(page: nodes.Element, language: str) -> list[str]:
    """Return the code blocks of a page, or of a section, in this language."""
    found = page.findall(nodes.literal_block)
    return [block.astext() for block in found if language in block["classes"]]


def blocks(guide: str, folder: str = "howto", of: str = "python") -> list[str]:
    """Return the code blocks of a guide."""
    return blocks_of(parsed(DOCS / folder / f"{guide}.rst"), of)


def table(pages: list[nodes.document], title: str) -> dict[str, list[str]]:
    """Return the rows of the table whose first column has this title, by first cell."""
    for each in (each for page in pages for each in page.findall(nodes.table)):
        head, *rows = [
            [cell.astext() for cell in row.findall(nodes.entry)]
            for row in each.findall(nodes.row)
        ]
        if head[0] == title:
            return {row[0]: row[1:] for row in rows}
    return pytest.fail(f"no table of {title}")


def descriptions(page: str) -> dict[str, str]:
    """Return what a page of the reference says of each object, by the object's name."""
    found = parsed(DOCS / "reference" / f"{page}.rst").findall(nodes.container)
    return {name: each.astext() for each in found for name in each["names"][:1]}


def run(source: str) -> dict[str, Any]:
    """
    Run a block of Python and return the names that it defines.

    Models of the block belong to an app of the tests. They are not registered.
    Receivers of our signals are not connected.
    """
    names: dict[str, Any] = {"__name__": "tests.people.models"}
    with isolate_apps("tests.people"):
        exec(compile(source, "a page", "exec"), names)
    # Otherwise receivers would stay connected during other tests.
    ours = (each for each in vars(signals).values() if isinstance(each, Signal))
    for signal in ours:
        for receiver in filter(isfunction, names.values()):
            signal.disconnect(receiver)
    return names
