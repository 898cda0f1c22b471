"""Install the modules that a guide shows."""

import re
import sys
from types import ModuleType

import pytest

from tests.documentation import pages

FILE = re.compile(r"# ((?:shop|members)/\w+)\.py\n")


@pytest.fixture
def modules(monkeypatch):
    """Return a function that writes the modules of a guide."""

    def put(guide):
        for block in pages.blocks(guide):
            if match := FILE.match(block):
                package, name = match[1].split("/")
                module = ModuleType(f"{package}.{name}")
                found = pages.run(block)
                vars(module).update({n: found[n] for n in found if n[:2] != "__"})
                parent = sys.modules.get(package) or ModuleType(package)
                monkeypatch.setattr(parent, name, module, raising=False)
                monkeypatch.setitem(sys.modules, package, parent)
                monkeypatch.setitem(sys.modules, module.__name__, module)

    return put
