"""
Log in at an OpenID Connect server, and connect an address with the token of the login.

Each section of docs/howto/transmit-login.rst is a project in a process of its own, with
the settings of docs/howto/transmit.rst. The sandbox knows the tokens of the server.
Without the packages of the guide, the tests are skipped, but not where CI is set.
"""

import html
import os
import re
import sqlite3
import sys
from contextlib import closing

import pytest
from docutils import nodes

from tests.documentation import pages
from tests.example.demo import free_port
from tests.example.http_browser import get, new_browser, submit
from tests.processes import process, wait_for_server
from tests.waiting import PATIENCE, wait_until

if "CI" not in os.environ:
    pytest.importorskip("allauth.socialaccount")
    pytest.importorskip("jwt")
    pytest.importorskip("mozilla_django_oidc")

from tests.documentation.oidc_server import OIDCServer

MOZILLA = "mozilla-django-oidc"
SECTIONS = [MOZILLA, "django-allauth"]
SERVER = "https://api.transmitsecurity.io/cis/oidc"
SETTINGS = """
from tests.shapes.base import *
{transmit}
{login}
ROOT_URLCONF = "shop.tested_urls"
"""
TESTED_URLS = """
from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.urls import path

from shop import transmit, urls
from tests.shapes.urls import count


@login_required
def access(request):
    found = transmit.user_access(request)
    access = {"uid": found.uid, "token": str(found.token)} if found else {}
    return JsonResponse({"user": request.user.pk, **access})


urlpatterns = [
    *urls.urlpatterns,
    path("access/", access),
    path("count/", count),
]
"""


def modules_of(name):
    """Return the modules of a section, by their paths."""
    page = pages.parsed(pages.DOCS / "howto/transmit-login.rst")
    [found] = [
        each for each in page.findall(nodes.section) if f"with {name}" in each["names"]
    ]
    blocks = pages.blocks_of(found, "python")
    return {each.partition("\n")[0].removeprefix("# "): each for each in blocks}


def write_project(folder, name, server_url):
    modules = modules_of(name)
    [transmit] = [each for each in pages.blocks("transmit") if "PROVIDER =" in each]
    assert SERVER in modules["settings.py"]
    login = modules["settings.py"].replace(SERVER, server_url)
    written = {
        "__init__.py": "",
        "transmit.py": modules["shop/transmit.py"],
        "urls.py": modules["urls.py"],
        "tested_urls.py": TESTED_URLS,
        "settings.py": SETTINGS.format(transmit=transmit, login=login),
    }
    (folder / "shop").mkdir()
    for path, text in written.items():
        (folder / "shop" / path).write_text(text)


def environment(folder, sandbox_url):
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(pages.ROOT), str(folder)]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "error",
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "PROJECT_NAME": "shop",
        "SANDBOX": sandbox_url,
        "TRANSMIT_CLIENT_ID": "shop",
        "TRANSMIT_CLIENT_SECRET": "secret",
        "DJANGO_SUPERUSER_USERNAME": "boss",
        "DJANGO_SUPERUSER_EMAIL": "boss@example.com",
        "DJANGO_SUPERUSER_PASSWORD": "secret",
    }


class Project:
    """A running project of a section."""

    def __init__(self, folder, port):
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}/"
        self.console = folder / "console.txt"

    def execute(self, statement, *values):
        database = sqlite3.connect(self.folder / "shop_default")
        with closing(database), database:
            database.execute(statement, values)


class Visitor:
    """A person with a browser, who is logged in at the server."""

    def __init__(self, project, oidc, sandbox):
        self.project = project
        self.oidc = oidc
        self.sandbox = sandbox
        self.browser = new_browser()

    def get(self, path):
        """Open a page. If allauth shows a button first, press it."""
        url = path if path.startswith("http") else f"{self.project.url}{path}"
        page = get(self.browser, url)
        if "/accounts/oidc/" in page.url:
            [token] = re.findall(r'csrfmiddlewaretoken" value="(\w+)"', page.text)
            fields = {"csrfmiddlewaretoken": token}
            page = self.browser.post(page.url, fields, timeout=PATIENCE)
        return page

    def access(self):
        return self.get("access/").json()

    def ask(self, address):
        return submit(self.browser, self.get("connect/"), email=address)

    def ask_and_wait(self, address):
        """Return the page for the code, and the code, which is mailed after it."""
        before = len(self.sandbox.mails)
        page = self.ask(address)
        wait_until(lambda: len(self.sandbox.mails) > before)
        return page, self.sandbox.last_code(address)

    def connect(self, address):
        page, code = self.ask_and_wait(address)
        return submit(self.browser, page, code=code)

    def follow(self, page):
        """Follow the link to `LOGIN_URL` of the page for 403."""
        [link] = re.findall(r'href="([^"]+)">Log in<', page.text)
        return self.get(html.unescape(link).removeprefix("/"))


def person(name):
    return {
        "sub": f"{name}-at-transmit",
        "email": f"{name}@example.com",
        "email_verified": True,
    }


@pytest.fixture(scope="module")
def oidc(piggy_sandbox_server):
    piggy_sandbox_server.sandbox.reset()
    with OIDCServer(piggy_sandbox_server.sandbox.sign_in) as oidc:
        yield oidc


@pytest.fixture(scope="module", params=SECTIONS)
def project(request, tmp_path_factory, oidc, piggy_sandbox_server):
    folder, port = tmp_path_factory.mktemp("project"), free_port()
    write_project(folder, request.param, oidc.url)
    project = Project(folder, port)
    command = [sys.executable, "-m", "tests.shapes.serve", "django", port]
    variables = environment(folder, piggy_sandbox_server.url_of("transmit"))
    with process(command, project.console, cwd=folder, env=variables) as started:
        try:
            wait_for_server(started, f"{project.url}count/", console=project.console)
            yield project
        finally:
            started.terminate()


@pytest.fixture
def visit(project, oidc, piggy_sandbox_server):
    """Return a function that makes a visitor, who has a new browser."""
    oidc.expires_in = 3600

    def visit(name):
        oidc.person = person(name)
        return Visitor(project, oidc, piggy_sandbox_server.sandbox)

    return visit


def test_the_settings_of_a_section_pass_the_checks(project):
    assert "System check identified no issues" in project.console.read_text()


def test_a_user_connects_an_address(visit):
    ann = visit("ann")

    page = ann.connect("ann@elsewhere.example")

    assert page.url == f"{ann.project.url}connect/"
    assert "ann@elsewhere.example" in page.text
    user = ann.sandbox.users.with_uid("ann-at-transmit")
    assert user.has_verified("ann@elsewhere.example")


def test_a_login_brings_the_id_and_a_token(visit):
    access = visit("bob").access()

    assert access["uid"] == "bob-at-transmit"
    assert access["token"]


def test_with_an_expired_token_a_user_logs_in_again_and_connects(visit, oidc):
    carl = visit("carl")
    oidc.expires_in = -1
    refused = carl.ask("carl@elsewhere.example")
    oidc.expires_in = 3600

    page = carl.follow(refused)

    assert refused.status_code == 403
    assert page.url == f"{carl.project.url}connect/"
    assert "elsewhere" in carl.connect("carl@elsewhere.example").text


def test_with_a_refused_token_a_user_logs_in_again_and_connects(visit):
    dora = visit("dora")
    page, code = dora.ask_and_wait("dora@elsewhere.example")
    dora.sandbox.users.revoke_tokens()
    refused = submit(dora.browser, page, code=code)

    page = dora.follow(refused)

    assert refused.status_code == 403
    assert page.url == f"{dora.project.url}connect/"
    assert "elsewhere" in dora.connect("dora@elsewhere.example").text


def test_another_address_at_transmit_is_still_the_same_user(visit, oidc):
    user = visit("emma").access()["user"]
    emma = visit("emma")
    oidc.person = {**oidc.person, "email": "emma@new.example"}

    assert emma.access()["user"] == user


def test_another_person_in_the_same_browser_has_another_access(visit, oidc):
    visitor = visit("fred")
    fred = visitor.access()
    oidc.person = person("gina")

    visitor.get(login_url(visitor))

    assert visitor.access()["uid"] == "gina-at-transmit"
    assert visitor.access()["user"] != fred["user"]


def login_url(visitor):
    """Return the URL that `LOGIN_URL` leads to."""
    page = get_without_redirects(visitor, "access/")
    return page.headers["Location"].removeprefix("/")


def get_without_redirects(visitor, path):
    url = f"{visitor.project.url}{path}"
    with new_browser() as nobody:
        return nobody.get(url, allow_redirects=False, timeout=PATIENCE)


@pytest.mark.parametrize("project", [MOZILLA], indirect=True)
def test_who_may_not_log_in_leaves_no_access_in_the_session(visit, oidc):
    visit("hans").access()
    visitor = visit("ida")
    ida = visitor.access()
    visitor.project.execute(
        "UPDATE auth_user SET is_active = 0 WHERE username = ?", "hans-at-transmit"
    )
    oidc.person = person("hans")

    visitor.get(login_url(visitor))

    assert visitor.access() == ida
