import subprocess
import sys

import pytest

SETUP = """
import sys, django
django.setup()
import django_piggy_verify.urls
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def loaded():
    """Return the packages that a new process has loaded after `django.setup()`."""
    command = [sys.executable, "-c", SETUP]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stdout.split()


SERVING = """
import sys, django
django.setup()
assert "django_piggy_verify.models" in sys.modules
print(*sorted(name for name in sys.modules if "piggy_verify." in name))
"""


def test_django_setup_loads_neither_the_checks_nor_the_views():
    command = [sys.executable, "-c", SERVING]
    run = subprocess.run(command, capture_output=True, text=True, check=True)

    for module in ("backends", "checks", "tokens", "login.verification"):
        assert f"django_piggy_verify.{module}" not in run.stdout.split()


@pytest.mark.parametrize("package", ["cryptography", "idna", "requests", "urllib3"])
def test_rarely_needed_packages_are_loaded_when_needed(loaded, package):
    assert "django_piggy_verify" in loaded
    assert package not in loaded
