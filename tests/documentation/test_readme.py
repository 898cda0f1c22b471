"""Compare the README and the tables of the reference with the code."""

import ast
import inspect
import re
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.dispatch import Signal
from django.urls import reverse
from django.utils.module_loading import import_string
from docutils import nodes
from docutils.core import publish_doctree

import django_piggy_verify
from django_piggy_verify import exceptions, signals, urls
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.conf import DEFAULT_RATE_LIMITS, Conf
from tests.documentation import openapi, pages as documentation
from tests.documentation.pages import ROOT, STRICT, blocks_of, run, table
from tests.steps import log_in

PACKAGE = Path(django_piggy_verify.__file__).parent
README = (ROOT / "README.rst").read_text()
PAGES = documentation.paths()
SETTINGS = sorted(
    name for name, each in vars(Conf).items() if isinstance(each, property)
)
APART = ("apps.rst", "points.rst", "transmit-login.rst", "tutorial.rst")
"""The pages whose blocks are parts of a project."""

HOOKS = {
    "find_user": "ShopBackend",
    "create_user": "ShopBackend",
    "adopt_user": "LinkingBackend",
    "update_user": "ShopBackend",
    "can_log_in": "ShopBackend",
    "accepts_hint": "CarefulBackend",
}


@pytest.fixture(scope="module")
def pages() -> list[nodes.document]:
    return documentation.all_parsed()


@pytest.fixture
def blocks(
    pages: list[nodes.document], monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """The names that each Python block defines."""
    for name in ("API_KEY", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"PIGGY_VERIFY_{name}", "from the environment")
    monkeypatch.setenv("ALTCHA_HMAC_KEY", "from the environment")
    return [run(block) for block in python_blocks(pages)]


def python_blocks(pages: list[nodes.document]) -> list[str]:
    """Return the blocks that run alone. Other tests run those of `APART`."""
    found = [page for page in pages if not page["source"].endswith(APART)]
    return [block for page in found for block in blocks_of(page, "python")]


def defined(blocks: list[dict[str, Any]], name: str) -> Any:
    [block] = [block for block in blocks if name in block]
    return block[name]


def literal_after(line: str) -> list[str]:
    """Return the lines of the literal block below a line of the README."""
    lines = README.partition(f"\n{line}\n\n")[2].splitlines()
    end = lines.index("")
    return [each.strip() for each in lines[:end] if each.startswith("    ")]


def default(name: str) -> str:
    """Return the default of a setting, as the reference writes it."""
    value = getattr(Conf(), name)
    if value in (None, ()):
        return "none"
    return str(value)


def sent(name: str) -> Iterator[set[str]]:
    """Find the arguments of a signal at each place that sends it."""
    for source in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Attribute(attr=signal), attr="send_robust"
                    )
                ) if signal == name:
                    yield {str(keyword.arg) for keyword in node.keywords}


@pytest.mark.parametrize("name", ["README.rst", "CHANGELOG.rst"])
def test_the_readme_and_the_changelog_render_without_sphinx(name: str) -> None:
    text = (ROOT / name).read_text()

    assert publish_doctree(text, settings_overrides=STRICT).children


@pytest.mark.parametrize("path", PAGES, ids=attrgetter("name"))
def test_every_page_is_read_without_warnings(path: Path) -> None:
    assert documentation.parsed(path).children


def test_the_readme_is_one_page() -> None:
    assert len(README.split()) <= 700


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    named = re.findall(r"`[^`<]+ <([^>]+)>`_", README)

    assert {"docs/tutorial.rst", "docs/explanation/security.rst"} <= set(named)
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    text = (ROOT / "CHANGELOG.rst").read_text()

    assert re.findall(r"(.+)\n-+\n", text)[0] == "Unreleased"


@pytest.mark.parametrize(
    ("line", "end"),
    [
        (
            "In a clone of this repository, with Python 3.11 or later::",
            "example_project/manage.py demo",
        ),
        ("Run the tests::", "/pytest -n auto"),
    ],
)
def test_a_newcomer_needs_one_command(line: str, end: str) -> None:
    [command] = literal_after(line)

    assert command.startswith("python3 -m venv ")
    assert command.endswith(end)


def test_every_file_that_a_page_names_is_there() -> None:
    text = "\n".join(path.read_text() for path in [*PAGES, ROOT / "CHANGELOG.rst"])
    named = re.findall(r"``((?:\.github|tests|docs|benchmarks)/[\w./-]+)``", text)

    assert {"docs/index.rst", "tests/limits/test_fixed_windows.py"} <= set(named)
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_picture_is_shown_with_words_for_it(pages: list[nodes.document]) -> None:
    shown = [
        ((Path(page["source"]).parent / image["uri"]).resolve(), image.get("alt"))
        for page in pages
        for image in page.findall(nodes.image)
    ]
    pictures = set((ROOT / "docs/screenshots").iterdir())

    assert {path for path, _words in shown} == pictures
    assert all(words for _path, words in shown)
    assert max(path.stat().st_size for path in pictures) < 40_000


def test_the_readme_shows_the_login_the_points_and_the_sandbox(
    pages: list[nodes.document],
) -> None:
    readme = documentation.parsed(ROOT / "README.rst")

    shown = {Path(image["uri"]).name for image in readme.findall(nodes.image)}
    assert shown == {
        f"phone-{name}-page.png" for name in ("code", "members", "sandbox")
    }


def test_every_setting_is_described_and_no_other() -> None:
    found = documentation.descriptions("settings")

    assert sorted(found) == [f"PIGGY_VERIFY_{name.upper()}" for name in SETTINGS]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_default_of_a_setting_is_the_one_described(
    settings: Any, name: str
) -> None:
    if hasattr(django_settings, f"PIGGY_VERIFY_{name.upper()}"):
        delattr(settings, f"PIGGY_VERIFY_{name.upper()}")
    said = documentation.descriptions("settings")[f"PIGGY_VERIFY_{name.upper()}"]

    if name == "rate_limits":
        assert said.startswith("Default: see limits.")
        assert Conf().rate_limits == DEFAULT_RATE_LIMITS
    else:
        assert said.startswith(f"Default: {default(name)}.\n")


def test_every_limit_is_described_with_its_default() -> None:
    found = documentation.descriptions("limits")

    assert list(found) == list(DEFAULT_RATE_LIMITS)
    for name, rate in DEFAULT_RATE_LIMITS.items():
        assert found[name].startswith(f"Default: {rate}. Counts ")


def test_every_signal_is_described_with_its_arguments() -> None:
    names = [name for name, each in vars(signals).items() if isinstance(each, Signal)]
    found = documentation.descriptions("python")

    described = {
        name: set(
            re.split(r",\s+", found[name].partition("Arguments:")[2].strip(" .\n"))
        )
        for name in names
    }
    assert described == {name: set().union(*sent(name)) for name in names}


def test_every_check_is_described_and_no_other() -> None:
    folders = (PACKAGE / "checks", PACKAGE / "providers")
    modules = [path for folder in folders for path in folder.glob("*.py")]
    source = "".join(each.read_text() for each in modules)

    ids = re.findall(r'id=f?"(?:{_ID})?([EW]\d{3})"', source)
    found = documentation.descriptions("checks")
    assert set(found) == {f"piggy_verify.{each}" for each in ids}


def test_every_error_is_in_the_tree() -> None:
    tree = str(exceptions.__doc__)

    classes = {
        name
        for name, each in inspect.getmembers(exceptions, inspect.isclass)
        if each.__module__ == exceptions.__name__
    }
    assert classes == set(re.findall(r"^    [ +|-]*([A-Z]\w+)", tree, re.MULTILINE))


def test_the_reference_shows_the_tree_of_errors() -> None:
    page = (ROOT / "docs/reference/python.rst").read_text()

    assert ".. automodule:: django_piggy_verify.exceptions\n" in page


def test_every_error_that_scripts_get_is_listed_with_its_status(
    pages: list[nodes.document],
) -> None:
    listed = {
        name: int(row[0]) for name, row in table(pages, "Code of an error").items()
    }

    document = openapi.load()
    documented = {each.code: each.status for each in openapi.answers(document)}
    assert set(listed) == set(document["components"]["schemas"]["ErrorCode"]["enum"])
    assert (
        listed.items()
        >= {code: documented[code] for code in documented if code}.items()
    )


def test_every_command_is_described() -> None:
    commands = (PACKAGE / "management" / "commands").glob("[!_]*.py")

    found = documentation.descriptions("commands")
    assert set(found) == {path.stem for path in commands}


def test_the_settings_to_begin_with_are_complete(blocks: list[dict[str, Any]]) -> None:
    assert blocks[0]["PIGGY_VERIFY_API_KEY"] == "from the environment"
    assert "django_piggy_verify" in blocks[0]["INSTALLED_APPS"]
    assert callable(import_string(blocks[0]["AUTHENTICATION_BACKENDS"][0]))
    assert blocks[0]["urlpatterns"][1].namespace == urls.app_name


def test_the_form_of_the_guide_turns_staff_away(
    blocks: list[dict[str, Any]], settings: Any, client: Any
) -> None:
    [block] = [block for block in blocks if "ShopEmailView" in block]
    settings.ROOT_URLCONF = tuple(block["urlpatterns"])

    page = client.post(reverse("piggy_verify:email"), {"email": "ann@shop.example"})

    assert page.context["form"].errors == {"email": ["Staff log in elsewhere."]}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_of_the_guide_has_the_signature_of_the_original(
    blocks: list[dict[str, Any]], hook: str
) -> None:
    own = inspect.signature(getattr(defined(blocks, HOOKS[hook]), hook))

    assert list(own.parameters) == list(
        inspect.signature(getattr(PiggyBackend, hook)).parameters
    )


@pytest.fixture
def shop_backend(
    blocks: list[dict[str, Any]], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = defined(blocks, "ShopBackend")
    monkeypatch.setattr(
        "tests.documentation.test_readme.ShopBackend", backend, raising=False
    )
    settings.AUTHENTICATION_BACKENDS = ["tests.documentation.test_readme.ShopBackend"]


def test_the_backend_of_the_guide_makes_a_member(
    shop_backend: None, contact: Any, piggy_sandbox: Any, client: Any
) -> None:
    log_in(client, piggy_sandbox)

    user = Group.objects.get(name="members").user_set.get()
    assert user.email == contact.email


def test_the_backend_of_the_guide_finds_an_imported_user(
    shop_backend: None, contact: Any, piggy_sandbox: Any, client: Any
) -> None:
    User.objects.create_user(f"import:{contact.uid}", "old@example.com")

    log_in(client, piggy_sandbox)

    assert User.objects.get().email == contact.email


def test_the_backend_of_the_guide_closes_the_shop(
    shop_backend: None, contact: Any, piggy_sandbox: Any, client: Any, settings: Any
) -> None:
    settings.SHOP_IS_CLOSED = True

    assert log_in(client, piggy_sandbox).status_code == 403
    assert not User.objects.exists()
