"""
Run the code of the guide for apps without cookies.

Each recipe is a project in a process of its own, with the package that it is about. An
app logs in there over HTTP, and opens the page of the guide. Without these packages,
the tests are skipped.
"""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import requests
from django.contrib.auth.models import User
from docutils import nodes

if "PIGGY_VERIFY_REQUIRE_SERVICES" not in os.environ:
    pytest.importorskip("rest_framework")
    pytest.importorskip("knox")
    pytest.importorskip("rest_framework_simplejwt")

from django_piggy_verify.sandbox import Fault, Switches
from tests.apps import steps
from tests.apps.steps import token_of
from tests.documentation import openapi, pages
from tests.example.demo import free_port
from tests.processes import process, wait_for_server
from tests.steps import STRANGER
from tests.waiting import PATIENCE, mailed_code

PAGE = pages.parsed(pages.DOCS / "howto" / "apps.rst")
DRF = "tokens of django rest framework"
KNOX = "django-rest-knox"
JWT = "djangorestframework-simplejwt"
KEYS = {DRF: ("Token", "key"), KNOX: ("Token", "key"), JWT: ("Bearer", "access")}
"""The word of the header and the name of the token, by the section of the recipe."""

SETTINGS = """
from tests.shapes.base import *
{recipe}
ROOT_URLCONF = "shop.tested_urls"
"""
TESTED_URLS = """
from tests.shapes import urls as tested
from shop import api, urls

urlpatterns = [*tested.urlpatterns, *urls.urlpatterns]
"""
numbers = count()


def modules_in(node: nodes.Element) -> dict[str, str]:
    """Return the modules of a page or of a section, by their paths."""
    blocks = pages.blocks_of(node, "python")
    return {each.partition("\n")[0].removeprefix("# "): each for each in blocks}


def write_project(folder: Path, title: str) -> None:
    [section] = [each for each in PAGE.findall(nodes.section) if title in each["names"]]
    recipe, page = modules_in(section), modules_in(PAGE)
    refresh = '\nurlpatterns.append(path("api/refresh/", api.refresh))'
    written = {
        "__init__.py": "",
        "settings.py": SETTINGS.format(recipe=recipe["settings.py"]),
        "api.py": recipe["shop/api.py"],
        "pages.py": page["shop/pages.py"],
        "urls.py": page["urls.py"] + refresh * (title == JWT),
        "tested_urls.py": TESTED_URLS,
    }
    (folder / "shop").mkdir()
    for path, text in written.items():
        (folder / "shop" / path).write_text(text)


def environment(folder: Path, sandbox_url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(pages.ROOT), str(folder)]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "error",
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "PROJECT_NAME": "shop",
        "SANDBOX": sandbox_url,
        "DJANGO_SUPERUSER_USERNAME": "boss",
        "DJANGO_SUPERUSER_EMAIL": "boss@example.com",
        "DJANGO_SUPERUSER_PASSWORD": "secret",
    }


class App:
    """An app of a new member, who uses the project of a recipe."""

    def __init__(self, project: Any, sandbox: Any) -> None:
        self.project = project
        self.sandbox = sandbox
        self.address = f"app{next(numbers)}@example.com"
        sandbox.add_contact(self.address)
        self.fields: dict[str, str] = {}
        self.token: dict[str, str] = {}

    def post(self, path: str, **fields: str) -> requests.Response:
        return self.call("POST", path, json=fields)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        word, name = KEYS[self.project.title]
        headers = {}
        if self.token:
            headers["Authorization"] = f"{word} {self.token[name]}"
        with requests.Session() as session:
            session.trust_env = False
            url = f"{self.project.url}api/{path}"
            answer = session.request(
                method, url, headers=headers, timeout=PATIENCE, **options
            )
        assert not answer.cookies
        return answer

    def log_in(self) -> None:
        login = self.post("login/", email=self.address).json()["login"]
        code = mailed_code(self.sandbox, self.address)
        self.fields = {"login": login, "code": code}
        self.type_code()

    def type_code(self) -> None:
        self.token = self.post("login/code/", **self.fields).json()["token"]

    def members(self) -> tuple[int, Any]:
        answer = self.call("GET", "members/")
        return answer.status_code, answer.json()


@pytest.fixture(scope="module", params=KEYS)
def project(request, piggy_sandbox_server, tmp_path_factory):
    piggy_sandbox_server.sandbox.reset()
    with ExitStack() as stack:
        yield started(stack, request.param, piggy_sandbox_server, tmp_path_factory)


def started(stack, title, server, tmp_path_factory):
    """Start the project of a recipe."""
    folder, port = tmp_path_factory.mktemp("shop"), free_port()
    console, url = folder / "console.txt", f"http://127.0.0.1:{port}/"
    write_project(folder, title)
    command = [sys.executable, "-m", "tests.shapes.serve", "django", port]
    running = stack.enter_context(
        process(command, console, cwd=folder, env=environment(folder, server.base_url))
    )
    stack.callback(running.kill)
    wait_for_server(running, f"{url}count/", console=console)
    return SimpleNamespace(title=title, url=url, folder=folder)


@pytest.fixture
def app(project, piggy_sandbox_server):
    app = App(project, piggy_sandbox_server.sandbox)
    app.log_in()
    return app


def execute(project, statement, *values):
    database = sqlite3.connect(project.folder / "shop_default")
    with closing(database), database:
        database.execute(statement, values)


def test_the_token_opens_the_page(app):
    assert app.members() == (200, {"email": app.address})


def test_without_the_token_the_page_is_closed(app):
    app.token = {}

    assert app.members()[0] == 401


def test_the_same_code_gets_a_token_that_works(app):
    app.type_code()

    assert app.members() == (200, {"email": app.address})


def test_an_inactive_user_cannot_use_the_token(app):
    execute(
        app.project,
        "UPDATE auth_user SET is_active = FALSE WHERE email = ?",
        app.address,
    )

    assert app.members()[0] == 401


def test_a_token_outlives_the_step_to_staff_and_no_other_is_made(app):
    """The guide says so."""
    execute(
        app.project,
        "UPDATE auth_user SET is_staff = TRUE WHERE email = ?",
        app.address,
    )

    again = app.post("login/code/", **app.fields)

    assert app.members()[0] == 200
    assert again.status_code == 409


def test_a_log_out_ends_the_login(app):
    refresh = {"refresh": app.token.get("refresh", "")}

    answer = app.post("logout/", **refresh)

    assert answer.status_code in {200, 204}
    if app.project.title == JWT:
        assert app.post("refresh/", **refresh).status_code == 401
    else:
        assert app.members()[0] == 401


def test_a_refreshed_token_works(app):
    if app.project.title != JWT:
        pytest.skip("only this recipe has it")

    app.token = app.post("refresh/", refresh=app.token["refresh"]).json()

    assert app.members()[0] == 200
    assert app.token["refresh"]


# The other blocks of the guide


@pytest.fixture
def recipe(settings, monkeypatch):
    """Return a function that uses a module of the guide, on top of a recipe."""
    settings.ROOT_URLCONF = "tests.apps.urls"
    shop: Any = ModuleType("shop")
    shop.api = SimpleNamespace(app_token=token_of)
    monkeypatch.setitem(sys.modules, "shop", shop)

    def use(path):
        module = pages.run(modules_in(PAGE)[path])
        settings.PIGGY_VERIFY_APP_TOKEN = module["app_token"]

    return use


def test_the_function_refuses_an_old_app(recipe, piggy_sandbox, contact, unlimited):
    recipe("shop/tokens.py")

    old = steps.App().log_in(piggy_sandbox)
    new = steps.App(headers={"X-App-Version": "2"}).log_in(piggy_sandbox)

    assert steps.error(old) == (403, "login_refused")
    assert new.status_code == 200


def test_the_function_sets_the_time_of_the_last_login(recipe, piggy_sandbox, contact):
    recipe("shop/visits.py")

    steps.App().log_in(piggy_sandbox)

    assert User.objects.get().last_login


def test_the_bodies_of_the_guide_are_those_of_the_app(recipe, piggy_sandbox, contact):
    recipe("shop/visits.py")
    shown = [json.loads(each) for each in pages.blocks_of(PAGE, "json")]
    app = steps.App()

    asked = app.post(steps.LOGIN, **shown[0]).json()
    body = {
        "login": asked["login"],
        "code": piggy_sandbox.last_code(shown[0]["email"]),
    }
    done = app.post(steps.CODE, **body).json()

    assert {**shown[1], "login": ""} == {**asked, "login": ""}
    assert [each.keys() for each in shown[2:4]] == [body.keys(), done.keys()]


def test_a_blank_code_asks_whether_the_code_was_sent(recipe, piggy_sandbox, contact):
    """The status of each case is that of the guide."""
    recipe("shop/visits.py")
    app = steps.App()
    app.ask()
    sent = app.type_code("")
    piggy_sandbox.switches = Switches(fault=Fault.MAINTENANCE)
    other = steps.App()
    other.ask(STRANGER)

    assert steps.error(sent) == (400, "invalid")
    assert sent.json()["error"]["fields"].keys() == {"code"}
    assert steps.error(other.type_code("")) == (503, "provider_unavailable")


def test_the_table_names_every_error_of_an_app():
    described = {
        each.code: each.status
        for each in openapi.answers(openapi.load(), "apps")
        if each.code
    }

    listed = pages.table([PAGE], "Error of an app")

    wanted = described | {"method_not_allowed": 405}
    assert {code: int(row[0]) for code, row in listed.items()} == wanted


# The client


CLIENT = next(each for each in pages.blocks_of(PAGE, "python") if "urlopen" in each)


class Person:
    """A person at the keyboard, who runs the client."""

    def __init__(self, url: str, folder: Path, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.address = f"client{next(numbers)}@example.com"
        sandbox.add_contact(self.address)
        self.names = pages.run(CLIENT)
        self.file = folder / ".shop.json"
        self.names |= {"SHOP": f"{url}api/", "FILE": self.file, "input": self.type}
        self.url = url
        self.words: list[Any] = []

    def type(self, _question: str) -> str:
        word = self.words.pop(0)
        return str(word()) if callable(word) else str(word)

    def code(self) -> Any:
        """Return the code, once it was mailed."""
        return mailed_code(self.sandbox, self.address)

    def log_in(self, *words: Any) -> None:
        self.words = [*words]
        self.names["log_in"]()

    def members(self) -> Any:
        key = self.names["read"]()["key"]
        return self.names["call"]("members/", key=key)


@pytest.fixture
def member(project, piggy_sandbox_server, tmp_path):
    if project.title == JWT:
        pytest.skip("the client sends the key of the other recipes")
    return Person(project.url, tmp_path, piggy_sandbox_server.sandbox)


def test_the_client_logs_in_and_calls_the_page(member):
    member.log_in(member.address, member.code)

    assert member.members() == (200, {"email": member.address})


def test_the_client_asks_again_after_an_error(member, capsys):
    member.log_in("ann", member.address, "wrong", member.code)

    assert member.members()[0] == 200
    told = capsys.readouterr().out
    assert "Enter an email address like name@example.com." in told
    assert "The code is wrong or has expired." in told


def test_the_client_says_that_there_were_too_many_attempts(member, capsys):
    with pytest.raises(SystemExit):
        member.log_in(member.address, *["wrong"] * 5)

    assert "There were too many attempts." in capsys.readouterr().out


def test_the_client_keeps_the_token_where_nobody_else_can_read_it(member):
    member.log_in(member.address, member.code)

    assert stat.S_IMODE(member.file.stat().st_mode) == 0o600


def run_client(url, home, words=""):
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", CLIENT],
        input=words,
        env={"HOME": str(home), "SHOP": f"{url}api/"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_client_shows_the_page_at_once_when_it_starts_again(member, tmp_path):
    member.log_in(member.address, member.code)

    status, told = run_client(member.url, tmp_path)

    assert (status, told) == (0, f"{{'email': '{member.address}'}}\n")


def test_the_client_forgets_a_token_that_has_ended(member, tmp_path):
    member.log_in(member.address, member.code)
    headers = {"Authorization": f"Token {member.names['read']()['key']}"}
    requests.post(f"{member.url}api/logout/", headers=headers, timeout=PATIENCE)

    status, told = run_client(member.url, tmp_path)

    assert (status, told) == (1, "Your login has ended. Start again.\n")
    assert json.loads(member.file.read_text()).keys() == {"device"}
