"""
The README and the pages in docs/, as the tests read them: without Sphinx.

Whether Sphinx is content with them is the business of ``tox run -e docs``. Here its
directives and roles are stood in for, so that every Python finds the code, the
tables and the files that the pages are about.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import from_the_code
import pytest
from django.test.utils import isolate_apps
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.directives.body import CodeBlock

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
STRICT = {"halt_level": 2, "report_level": 2, "syntax_highlight": "none"}


class Described(Directive):
    """What an object is called, and what is said of it."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = dict.fromkeys(
        ("members", "show-inheritance", "exclude-members", "no-index", "noindex"),
        directives.unchanged,
    )

    def run(self):
        said = nodes.container(names=self.arguments)
        self.state.nested_parse(self.content, self.content_offset, said)
        return [said]


class Contents(Described):
    """The pages below this one; they have to be there."""

    option_spec = dict.fromkeys(
        ("caption", "maxdepth", "hidden", "titlesonly"), directives.unchanged
    )

    def run(self):
        folder = Path(self.state.document["source"]).parent
        for name in self.content:
            assert not name or (folder / f"{name}.rst").is_file(), name
        return []


class Code(CodeBlock):
    """A block of code, with the caption that Sphinx puts above it."""

    option_spec = {**(CodeBlock.option_spec or {}), "caption": directives.unchanged}

    def run(self):
        [block] = found = super().run()
        block["caption"] = self.options.get("caption", "")
        return found


def referred(name, rawtext, text, *_where, **_options):
    """Answer a reference as the words that Sphinx would show for it."""
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
    """Answer the README first, and then every page of the documentation."""
    return [ROOT / "README.rst", *sorted(DOCS.rglob("*.rst"))]


@cache
def parsed(path: Path) -> nodes.document:
    """Answer a page; a warning is an error."""
    return publish_doctree(
        path.read_text(), source_path=str(path), settings_overrides=STRICT
    )


def all_parsed() -> list[nodes.document]:
    return [parsed(path) for path in paths()]


def blocks_of(page: nodes.document, language: str) -> list[str]:
    """Answer the blocks of code that a page has in this language."""
    found = page.findall(nodes.literal_block)
    return [block.astext() for block in found if language in block["classes"]]


def table(pages: list[nodes.document], title: str) -> dict[str, list[str]]:
    """The rows of the table whose first column has this title, by their first cell."""
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
    Answer the names that a block of Python defines.

    Its models, if it has any, belong to an app of the tests, and to no registry.
    """
    names: dict[str, Any] = {"__name__": "tests.people.models"}
    with isolate_apps("tests.people"):
        exec(compile(source, "a page", "exec"), names)
    return names
