"""
Follow docs/tutorial.rst: run its commands, write its files, log in.

The test differs in four points. Its virtual environment has no ``pip``, which takes
seconds to install. The test uses the installed packages instead of what ``pip`` would
install. It uses a free port. It restarts the server itself after each change.
"""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from docutils import nodes

from tests.documentation import pages
from tests.example import demo
from tests.processes import process

PORT = "127.0.0.1:8000"
VENV = "python3 -m venv .venv"
INSTALL = "pip install ../django-piggy-verify"
SERVE = "python manage.py runserver"
CODE = re.compile(r"code for ann@example\.com: (\d+)")
HIDDEN = re.compile(r'name="(csrfmiddlewaretoken|login)" value="([^"]+)"')


class Reader:
    """A reader who follows the page in a new folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"127.0.0.1:{demo.free_port()}"
        self.console = folder / "console.txt"
        self.is_to_serve = False
        self.shell = "set -e"

    def follow(self, title: str) -> None:
        """Run the commands and write the files of a section."""
        for block in section(title).findall(nodes.literal_block):
            if "console" in block["classes"]:
                for line in block.astext().splitlines():
                    self.type(line.removeprefix("$ "))
            elif block.get("caption"):
                self.write(block["caption"], block.astext())

    def type(self, command: str) -> None:
        if command == SERVE:
            self.is_to_serve = True
        elif command == VENV:
            self.run(f"{command} --without-pip")
        elif command == INSTALL:
            self.install()
        elif command.startswith(("cd ", ". ")):
            self.shell += f"; {command}"
        else:
            self.run(command)

    def run(self, command: str) -> None:
        done = subprocess.run(
            ["bash", "-c", f"{self.shell}; {command}"],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def install(self) -> None:
        """Let the new environment import the checkout and its dependencies."""
        [packages] = self.folder.glob("club/.venv/lib/python*/site-packages")
        found = [str(pages.ROOT), *(each for each in sys.path if "-packages" in each)]
        (packages / "all.pth").write_text("\n".join(found))
        script = self.folder / "club/.venv/bin/django-admin"
        script.write_text('#!/bin/sh\nexec python -m django "$@"\n')
        script.chmod(0o755)

    def write(self, caption: str, text: str) -> None:
        verb, name = caption.split(maxsplit=1)[0], caption.rsplit(maxsplit=1)[-1]
        path = self.folder / "club" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if verb == "add" else ""
        path.write_text(f"{before}\n{text}\n".replace(PORT, self.host))

    @contextmanager
    def site(self):
        """Yield a browser while the server runs."""
        assert self.is_to_serve
        serve = f"exec {SERVE} --noreload {self.host}"
        command = ["bash", "-c", f"{self.shell}; {serve}"]
        with process(
            command, self.console, cwd=self.folder, env=environment()
        ) as started:
            try:
                demo.Demo(started, self.console).wait_for(r"(Quit the server)")
                yield Browser(self)
            finally:
                started.kill()


class Browser:
    """The browser of the reader."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.session = requests.Session()
        self.session.trust_env = False

    def open(self, path: str, *, name: str = "127.0.0.1") -> requests.Response:
        # A browser finds such names by itself. The libraries of Python may not.
        headers = {"Host": self.reader.host.replace("127.0.0.1", name)}
        url = f"http://{self.reader.host}{path}"
        return self.session.get(url, headers=headers, timeout=60)

    def submit(self, page: requests.Response, **fields: str) -> requests.Response:
        hidden = dict(HIDDEN.findall(page.text))
        return self.session.post(page.url, hidden | fields, timeout=60)

    def log_in(self, path: str) -> requests.Response:
        """Open `path`, log in, and return the page that follows."""
        code_page = self.submit(self.open(path), email="ann@example.com")
        code = CODE.findall(self.reader.console.read_text())[-1]
        return self.submit(code_page, code=code)


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"}


def section(title: str) -> nodes.section:
    page = pages.parsed(pages.DOCS / "tutorial.rst")
    found = {each[0].astext(): each for each in page.findall(nodes.section)}
    return found[title]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The pages that the reader sees after each section of the tutorial."""
    reader = Reader(tmp_path_factory.mktemp("tutorial"))
    seen = {}
    for title in ("Install", "Set it up"):
        reader.follow(title)
    with reader.site() as browser:
        seen["home"] = browser.open("/")
        seen["other name"] = browser.open("/", name="club.localhost")
        seen["first login"] = browser.log_in("/login/")
        seen["mailbox"] = browser.open("/sandbox/")
        reader.follow("The first login")
    reader.follow("A page for members")
    with reader.site() as browser:
        seen["members"] = browser.log_in("/members/")
    reader.follow("Your own words")
    with reader.site() as browser:
        seen["own words"] = browser.open("/login/")
    return seen


def test_the_first_page_leads_to_the_login(seen):
    assert '<a href="/login/">Log in</a>' in seen["home"].text


def test_a_name_of_its_own_leads_to_the_same_page(seen):
    assert seen["other name"].text == seen["home"].text


def test_the_sandbox_of_another_port_has_the_same_path():
    [serve, address] = section("Other servers on this machine").findall(
        nodes.literal_block
    )
    assert serve.astext() == f"$ {SERVE} 8001"
    same = address.astext().replace("8001", "8000")
    assert same in section("Set it up").astext()


def test_a_login_leads_back_to_the_first_page(seen):
    assert "Hello, ann@example.com." in seen["first login"].text


def test_the_mail_is_in_the_mailbox(seen):
    assert "ann@example.com" in seen["mailbox"].text


def test_the_page_for_members_is_shown_after_a_login(seen):
    assert seen["members"].url.endswith("/members/")
    assert "Piggy knows you as ann." in seen["members"].text


def test_the_pages_show_the_texts_of_the_reader(seen):
    assert "– Our club</title>" in seen["own words"].text
    assert "Trouble? Call the club" in seen["own words"].text


def test_every_block_of_the_tutorial_is_followed(seen):
    page = pages.parsed(pages.DOCS / "tutorial.rst")
    titles = ("Install", "Set it up", "A page for members", "Your own words")
    followed = [
        block
        for title in titles
        for block in section(title).findall(nodes.literal_block)
    ]

    shown = [
        block
        for title in ("The first login", "Other servers on this machine")
        for block in section(title).findall(nodes.literal_block)
    ]
    assert len(followed) + len(shown) == len(list(page.findall(nodes.literal_block)))
