import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"[\w-]+==[\w.]+")


def pins(name):
    return set(PIN.findall((ROOT / name).read_text()))


def test_pre_commit_pins_what_the_gates_pin():
    assert pins(".pre-commit-config.yaml") == pins("pyproject.toml")
