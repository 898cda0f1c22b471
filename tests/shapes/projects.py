"""Run other projects, each in a process of its own, and visit them."""

import os
import re
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from django.db import connection

from tests.documentation import pages
from tests.example.demo import PACKAGE, free_port
from tests.example.http_browser import get, new_browser, submit
from tests.processes import process, wait_for_server
from tests.waiting import mailed_code

SERVERS = ["DATABASE", "PGHOST", "PGUSER", "PGPASSWORD"]
SERVERS += ["MYSQL_HOST", "MYSQL_USER", "MYSQL_PASSWORD"]
BOSS = "boss@example.com"
PASSWORD = "correct horse battery"
TESTS = Path(__file__).parents[2]


class Shape(NamedTuple):
    """The settings and the server of a project."""

    settings: str
    server: str = "django"
    prefix: str = ""
    guide: str = ""
    """The guide in docs/howto whose modules the project has."""


SHAPES = {
    "Django's user": Shape("base"),
    "users by e-mail, with UUIDs": Shape("email_user"),
    "users without name and e-mail": Shape("card_user"),
    "users of the guide": Shape("guide_user", guide="user-model"),
    "login required, atomic requests, signed cookies": Shape("strict"),
    "allauth and axes": Shape("beside"),
    "three databases": Shape("databases"),
    "gunicorn": Shape("base", "gunicorn"),
    "gunicorn below a prefix": Shape("prefixed", "gunicorn", "/shop"),
    "uvicorn": Shape("base", "uvicorn"),
    "uvicorn below a prefix": Shape("forced", "uvicorn", "/shop"),
}


class Project:
    """A running project."""

    def __init__(self, process, url, console):
        self.process = process
        self.url = url
        self.console = console

    def wait(self):
        """Wait until the project responds."""
        wait_for_server(self.process, f"{self.url}count/", console=self.console)


class Projects(ExitStack):
    """The projects of a test module. Each is started at its first use."""

    def __init__(self, folder, sandbox_url):
        super().__init__()
        self.folder = folder
        self.sandbox_url = sandbox_url
        self.running = {}

    def __getitem__(self, name):
        if name not in self.running:
            folder = self.folder / f"p{os.getpid()}_{len(self.running)}"
            folder.mkdir()
            write_modules(SHAPES[name].guide, folder)
            self.callback(drop_databases, folder.name)
            started = running_project(SHAPES[name], folder, self.sandbox_url)
            self.running[name] = self.enter_context(started)
        self.running[name].wait()
        return self.running[name]


def write_modules(guide, folder):
    """Write the modules of a guide, each where the first line of its block says."""
    blocks = code_of_guide(guide) if guide else []
    for block in blocks:
        [path] = re.findall(r"\A# (\w+/\w+\.py)\n", block)
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(block)
        (folder / path).with_name("__init__.py").touch()


def code_of_guide(guide):
    page = pages.parsed(pages.DOCS / "howto" / f"{guide}.rst")
    return pages.blocks_of(page, "python")


@contextmanager
def running_project(shape, folder, sandbox_url):
    console, port = folder / "console.txt", free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(PACKAGE)]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "error",
        "DJANGO_SETTINGS_MODULE": f"tests.shapes.{shape.settings}",
        "PROJECT_NAME": folder.name,
        "SANDBOX": sandbox_url,
        **{name: os.environ[name] for name in SERVERS if name in os.environ},
        "SCRIPT_NAME": shape.prefix,
        "DJANGO_SUPERUSER_USERNAME": BOSS,
        "DJANGO_SUPERUSER_EMAIL": BOSS,
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    command = [sys.executable, "-m", "tests.shapes.serve", shape.server, port]
    with process(command, console, cwd=folder, env=environment) as started:
        try:
            yield Project(started, f"http://127.0.0.1:{port}{shape.prefix}/", console)
        finally:
            started.terminate()


def drop_databases(stem):
    """Drop the databases of a project on a server. Files go with their folder."""
    if connection.vendor != "sqlite":
        with connection._nodb_cursor() as cursor:
            for name in ("default", "people", "counts"):
                cursor.execute(f"DROP DATABASE IF EXISTS {stem}_{name}")


class Visitor:
    """A visitor of a project, with a browser."""

    def __init__(self, project, sandbox, address):
        self.project = project
        self.sandbox = sandbox
        self.address = address
        self.browser = new_browser()

    def get(self, path=""):
        return get(self.browser, f"{self.project.url}{path}")

    def ask(self, path="members/"):
        """Open a page for members, and ask for a code on the login page."""
        return self.submit(path, email=self.address)

    def type(self, page, code):
        return submit(self.browser, page, code=code)

    def mailed_code(self):
        """Wait for a code that was not used. It is mailed after the response."""
        return mailed_code(self.sandbox, self.address)

    def log_in(self, path="members/"):
        page = self.ask(path)
        return self.type(page, self.mailed_code())

    def log_out(self):
        return self.submit("members/")

    def submit(self, path, **typed):
        """Fill in and submit the first form of a page."""
        return submit(self.browser, self.get(path), **typed)

    def user(self):
        """Return the primary key of the user whom this browser is logged in as."""
        found = re.search(r"<p>user (\S+)</p>", self.get("members/").text)
        return found[1] if found else None
