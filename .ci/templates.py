"""Run a command on every template: ``templates.py djade --check``."""

import subprocess
import sys
from pathlib import Path

FOLDERS = ("django_piggy_verify", "example_project", "tests")

found = sorted(
    str(path)
    for folder in FOLDERS
    for path in Path(folder).rglob("templates/**/*.html")
)
if not found:
    sys.exit("no templates found: run this at the top of the repository")
sys.exit(subprocess.run([*sys.argv[1:], *found], check=False).returncode)
