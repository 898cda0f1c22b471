"""Import every name that the documentation mentions."""

import re
from inspect import cleandoc

import pytest
from django.utils.module_loading import import_string

from tests.documentation.pages import DOCS, ROOT

PAGES = [ROOT / "README.rst", *sorted(DOCS.rglob("*.rst"))]
DOTTED = re.compile(r"\bdjango_piggy_verify(?:\.[a-z]\w*)*\.[A-Za-z]\w*")
IMPORT = re.compile(
    r"^\s*from (django_piggy_verify[\w.]*) import (?:\(([^)]*)\)|([\w, ]+))",
    re.MULTILINE,
)
DIRECTIVE = re.compile(
    r"^\.\. (py:module|auto\w+|py:class|py:data|py:function):: ([\w.]+)", re.MULTILINE
)


def imported(text):
    for module, block, line in IMPORT.findall(text):
        for name in (block or line).split(","):
            if name.strip():
                yield f"{module}.{name.split()[0]}"


def described(text):
    module = ""
    for kind, name in DIRECTIVE.findall(text):
        if kind in {"py:module", "automodule"}:
            module = name
        else:
            yield name if name.startswith("django_piggy_verify") else f"{module}.{name}"


def names():
    found = set()
    for page in PAGES:
        text = page.read_text()
        found |= {*DOTTED.findall(text), *imported(text), *described(text)}
    return sorted(found)


def is_importable(name):
    try:
        import_string(name)
    except ImportError:
        __import__(name)
    return True


@pytest.mark.parametrize("name", names())
def test_a_name_of_the_documentation_can_be_imported(name):
    assert is_importable(name)


def test_the_names_are_found_in_texts_imports_and_directives():
    text = cleandoc(
        """
        .. py:module:: django_piggy_verify.views

        .. autoclass:: EmailView

        ``django_piggy_verify.flow.FlowView``::

            from django_piggy_verify.testing import (
                login_contact,
            )
        """
    )

    assert {*DOTTED.findall(text), *imported(text), *described(text)} == {
        "django_piggy_verify.views",
        "django_piggy_verify.views.EmailView",
        "django_piggy_verify.flow.FlowView",
        "django_piggy_verify.testing",
        "django_piggy_verify.testing.login_contact",
    }


@pytest.mark.parametrize(
    "module",
    [
        *("backends", "conf", "exceptions", "forms", "models", "providers", "sandbox"),
        *("signals", "testing", "tokens", "loyalty", "portal", "urls", "views"),
    ],
)
def test_a_module_that_users_import_from_stays(module):
    assert is_importable(f"django_piggy_verify.{module}")
