"""
Begin a site as the README says, with nothing but the installed wheel, and log in.

``python probe.py README.rst``, in an empty folder. The sandbox plays the API.
"""

import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import unescape
from http.cookiejar import CookieJar
from importlib.metadata import version
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import django_piggy_verify
from django_piggy_verify.sandbox import Sandbox
from django_piggy_verify.sandbox.server import SandboxServer

ADDRESS = "ann@example.com"
PATIENCE = 30  # seconds
MANAGE = (sys.executable, "-X", "dev", "-W", "error", "manage.py")


def begin_site(readme: str, api: str) -> None:
    """Write what ``startproject`` does, and below it the README's first block."""
    run(sys.executable, "-m", "django", "startproject", "shop", ".")
    settings, _, urls = first_block(readme).partition("# urls.py\n")
    append("shop/settings.py", settings.replace("[...,", "[*INSTALLED_APPS,"))
    append("shop/settings.py", f'PIGGY_VERIFY_BASE_URL = "{api}"\n')
    append("shop/urls.py", urls.replace("[...,", "[*urlpatterns,"))


def first_block(readme: str) -> str:
    """Answer the first block of Python, without its indentation."""
    rest = readme.partition(".. code-block:: python\n\n")[2]
    return "".join(
        line.removeprefix("    ") + "\n"
        for line in re.split(r"\n(?=\S)", rest)[0].splitlines()
    )


def append(path: str, text: str) -> None:
    """Write `text` below what is there."""
    with Path(path).open("a") as file:
        file.write(f"\n{text}")


def run(*command: str) -> str:
    """Run a command that must not fail, and answer what it says."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"failed: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def manage(*words: str) -> str:
    """Run a command of the site, where any warning is an error."""
    return run(*MANAGE, *words)


@contextmanager
def served() -> Iterator[str]:
    """Run the site's own server, and answer its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    with Path("server.log").open("w") as log:
        server = subprocess.Popen(
            [*MANAGE, "runserver", "--noreload", place],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield f"http://{place}/"
        except BaseException:
            print(Path("server.log").read_text())
            raise
        finally:
            server.terminate()
            server.wait()


class Browser:
    """Keeps cookies, follows redirects and fills in forms."""

    def __init__(self) -> None:
        # Without what the environment says of proxies: the site is on this machine.
        self._opener = build_opener(
            ProxyHandler({}), HTTPCookieProcessor(CookieJar())
        ).open
        self.url = self.text = ""

    def go(self, url: str, data: bytes | None = None) -> None:
        """Open an address."""
        with self._opener(url, data, timeout=PATIENCE) as page:
            self.url, self.text = page.url, page.read().decode()

    def go_when_there(self, url: str) -> None:
        """Open an address of a server that may still be starting."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.go(url)
            except URLError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def submit(self, **typed: str) -> None:
        """Fill in the form with these fields, and send it."""
        forms = (each.partition("</form>")[0] for each in self.text.split("<form")[1:])
        [form] = (
            each for each in forms if all(f'name="{name}"' in each for name in typed)
        )
        [action] = re.findall(r'^[^>]*action="([^"]*)"', form)
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
        fields = {name: unescape(value) for name, value in hidden} | typed
        self.go(urljoin(self.url, action), urlencode(fields).encode())


def mailed_code(sandbox: Sandbox) -> str:
    """Wait for a code that was not used. The site sends it after its answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for mail in sandbox.mails:
            if not mail.used:
                return mail.code
        time.sleep(0.05)
    sys.exit("no code was mailed")


def log_in(site: str, sandbox: Sandbox) -> str:
    """Log in with a new browser, on the way to a page that names its user."""
    browser = Browser()
    browser.go_when_there(f"{site}login/?next=/admin/")
    browser.submit(email=ADDRESS)
    browser.submit(code=mailed_code(sandbox))
    [name] = re.findall(r"You are authenticated as ([\w.@+-]+),", browser.text)
    return str(name)


def main(readme: Path) -> None:
    """Begin the site, check it, and log the same member in twice."""
    assert "site-packages" in django_piggy_verify.__file__
    assert version("django-piggy-verify") == django_piggy_verify.__version__
    os.environ["PIGGY_VERIFY_API_KEY"] = "no-real-key"
    sandbox = Sandbox(api_key="no-real-key")
    sandbox.add_contact(ADDRESS)
    with SandboxServer(sandbox) as api:
        begin_site(readme.read_text(), api.base_url)
        manage("check", "--fail-level", "WARNING")
        manage("makemigrations", "--check", "--dry-run")
        manage("migrate")
        manage("findstatic", "piggy_verify/piggy_verify.css")
        with served() as site:
            first = log_in(site, sandbox)
            # Or the next code could be asked for in a minute only.
            manage("piggy_verify_unlock", ADDRESS)
            assert log_in(site, sandbox) == first
        manage("piggy_verify_purge")
    with closing(sqlite3.connect("db.sqlite3")) as database:
        [users] = database.execute("SELECT username, email FROM auth_user")
    assert users == (first, ADDRESS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
