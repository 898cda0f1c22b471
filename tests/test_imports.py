import os
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


@pytest.mark.parametrize(
    "package", ["cryptography", "idna", "phonenumbers", "requests", "urllib3"]
)
def test_rarely_needed_packages_are_loaded_when_needed(loaded, package):
    assert "django_piggy_verify" in loaded
    assert package not in loaded


LOGIN = """
import sys, django
django.setup()
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client
from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.server import SandboxServer
call_command("migrate", verbosity=0)
with SandboxServer(Sandbox()) as server:
    settings.DEBUG, settings.PIGGY_VERIFY_BASE_URL = True, server.base_url
    settings.ALLOWED_HOSTS = ["testserver"]
    server.sandbox.add_contact("ann@example.com")
    browser = Client()
    browser.get("/login/")
    for typed in ("+31612345678", "ann@example.com"):
        browser.post("/login/", {"email": typed})
    code = server.sandbox.last_code("ann@example.com")
    print(browser.post("/login/code/", {"code": code}).url)
    run_checks()
print("phonenumbers" in sys.modules)
"""


def test_a_login_by_mail_and_the_checks_load_no_numbers():
    command = [sys.executable, "-c", LOGIN]
    in_memory = {**os.environ, "DATABASE": "sqlite"}
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, env=in_memory
    )

    assert run.stdout.splitlines() == ["/members/", "False"]
