"""The README and the pages in docs/, kept true: what they list is what the code has."""

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
from django_piggy_verify.tokens import get_auth_token
from tests import openapi, pages as documentation
from tests.pages import ROOT, STRICT, blocks_of, run, table
from tests.steps import log_in

PACKAGE = Path(django_piggy_verify.__file__).parent
README = (ROOT / "README.rst").read_text()
PAGES = documentation.paths()
SETTINGS = sorted(
    name for name, each in vars(Conf).items() if isinstance(each, property)
)
HOOKS = ["find_user", "create_user", "update_user", "can_log_in"]


@pytest.fixture(scope="module")
def pages() -> list[nodes.document]:
    return documentation.all_parsed()


@pytest.fixture
def blocks(
    pages: list[nodes.document], monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """The names that each Python block defines, once it has run."""
    monkeypatch.setenv("PIGGY_VERIFY_API_KEY", "from the environment")
    return [run(block) for block in python_blocks(pages)]


def python_blocks(pages: list[nodes.document]) -> list[str]:
    """Answer all that stand by themselves; `test_tutorial` runs what builds up."""
    found = [page for page in pages if not page["source"].endswith("tutorial.rst")]
    return [block for page in found for block in blocks_of(page, "python")]


def defined(blocks: list[dict[str, Any]], name: str) -> Any:
    [block] = [block for block in blocks if name in block]
    return block[name]


def literal_after(line: str) -> list[str]:
    """The lines of the literal block that follows a line of the README."""
    lines = README.partition(f"\n{line}\n\n")[2].splitlines()
    end = lines.index("")
    return [each.strip() for each in lines[:end] if each.startswith("    ")]


def default(name: str) -> str:
    """What the README calls the default of a setting."""
    value = getattr(Conf(), name)
    if value in (None, ()):
        return "none"
    return value if isinstance(value, str) else repr(value)


def sent(name: str) -> Iterator[set[str]]:
    """The arguments of a signal, wherever the code sends it."""
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
def test_what_is_shown_elsewhere_renders_without_sphinx(name: str) -> None:
    text = (ROOT / name).read_text()

    assert publish_doctree(text, settings_overrides=STRICT).children


@pytest.mark.parametrize("path", PAGES, ids=attrgetter("name"))
def test_every_page_is_read_without_warnings(path: Path) -> None:
    assert documentation.parsed(path).children


def test_it_is_short_enough_to_be_read() -> None:
    assert len(README.splitlines()) <= 400


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
        ("Run the tests::", "/pytest"),
    ],
)
def test_a_newcomer_needs_one_command(line: str, end: str) -> None:
    [command] = literal_after(line)

    assert command.startswith("python3 -m venv ")
    assert command.endswith(end)


def test_every_file_that_a_page_names_is_there() -> None:
    text = "\n".join(path.read_text() for path in [*PAGES, ROOT / "CHANGELOG.rst"])
    named = re.findall(r"``((?:\.github|tests|docs|benchmarks)/[\w./-]+)``", text)

    assert {"docs/index.rst", "tests/test_limits.py"} <= set(named)
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


def test_every_setting_is_listed_and_no_other(pages: list[nodes.document]) -> None:
    listed = table(pages, "Setting")

    assert sorted(listed) == [f"PIGGY_VERIFY_{name.upper()}" for name in SETTINGS]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_default_of_a_setting_is_the_one_listed(
    pages: list[nodes.document], settings: Any, name: str
) -> None:
    if hasattr(django_settings, f"PIGGY_VERIFY_{name.upper()}"):
        delattr(settings, f"PIGGY_VERIFY_{name.upper()}")
    listed = table(pages, "Setting")[f"PIGGY_VERIFY_{name.upper()}"][0]

    if name == "rate_limits":
        assert Conf().rate_limits == DEFAULT_RATE_LIMITS
    elif listed == "see below":
        assert f"``PIGGY_VERIFY_{name.upper()}`` is ``{default(name)}``" in (
            " ".join(README.split())
        )
    else:
        assert listed == default(name)


def test_every_limit_is_listed_with_its_default(pages: list[nodes.document]) -> None:
    listed = {name: row[0] for name, row in table(pages, "Limit").items()}

    assert listed == {name: str(rate) for name, rate in DEFAULT_RATE_LIMITS.items()}


def test_every_page_is_listed_with_its_path(pages: list[nodes.document]) -> None:
    listed = {name: row[0] for name, row in table(pages, "URL name").items()}

    names = [f"{urls.app_name}:{pattern.name}" for pattern in urls.urlpatterns]
    assert listed == {name: reverse(name).lstrip("/") for name in names}


def test_every_signal_is_listed_with_its_arguments(pages: list[nodes.document]) -> None:
    listed = {
        name: set(row[0].replace(",", "").split())
        for name, row in table(pages, "Signal").items()
    }

    names = [name for name, each in vars(signals).items() if isinstance(each, Signal)]
    assert listed == {name: set().union(*sent(name)) for name in names}


def test_every_check_is_listed_and_no_other(pages: list[nodes.document]) -> None:
    source = (PACKAGE / "checks.py").read_text()

    ids = re.findall(r'id=f"{_ID}([EW]\d{3})"', source)
    assert set(table(pages, "Id")) == {f"piggy_verify.{each}" for each in ids}


def test_every_error_is_in_the_tree() -> None:
    tree = README.partition("**Errors**")[2].partition("**Signals**")[0]

    classes = {name for name, _ in inspect.getmembers(exceptions, inspect.isclass)}
    assert classes == set(re.findall(r"^    [ +|-]*([A-Z]\w+)", tree, re.MULTILINE))


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

    assert all(f"manage.py {path.stem}" in README for path in commands)


def test_the_settings_to_begin_with_are_complete(blocks: list[dict[str, Any]]) -> None:
    assert blocks[0]["PIGGY_VERIFY_API_KEY"] == "from the environment"
    assert "django_piggy_verify" in blocks[0]["INSTALLED_APPS"]
    assert callable(import_string(blocks[0]["AUTHENTICATION_BACKENDS"][0]))
    assert blocks[0]["urlpatterns"][1].namespace == urls.app_name


def test_the_form_of_the_readme_turns_staff_away(
    blocks: list[dict[str, Any]], settings: Any, client: Any
) -> None:
    [block] = [block for block in blocks if "ShopEmailView" in block]
    settings.ROOT_URLCONF = tuple(block["urlpatterns"])

    page = client.post(reverse("piggy_verify:email"), {"email": "ann@shop.example"})

    assert page.context["form"].errors == {"email": ["Staff log in elsewhere."]}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_of_the_readme_has_the_signature_of_the_original(
    blocks: list[dict[str, Any]], hook: str
) -> None:
    own = inspect.signature(getattr(defined(blocks, "ShopBackend"), hook))

    assert list(own.parameters) == list(
        inspect.signature(getattr(PiggyBackend, hook)).parameters
    )


@pytest.fixture
def shop_backend(
    blocks: list[dict[str, Any]], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = defined(blocks, "ShopBackend")
    monkeypatch.setattr("tests.test_readme.ShopBackend", backend, raising=False)
    settings.AUTHENTICATION_BACKENDS = ["tests.test_readme.ShopBackend"]


def test_the_backend_of_the_readme_makes_a_member(
    shop_backend: None, contact: Any, piggy_sandbox: Any, client: Any
) -> None:
    log_in(client, piggy_sandbox)

    user = Group.objects.get(name="members").user_set.get()
    assert user.email == contact.email


def test_the_backend_of_the_readme_finds_an_imported_user(
    shop_backend: None, contact: Any, piggy_sandbox: Any, client: Any
) -> None:
    User.objects.create_user(f"import:{contact.uid}", "old@example.com")

    log_in(client, piggy_sandbox)

    assert User.objects.get().email == contact.email


def test_the_backend_of_the_readme_closes_the_shop(
    shop_backend: None, contact: Any, piggy_sandbox: Any, client: Any, settings: Any
) -> None:
    settings.SHOP_IS_CLOSED = True

    assert log_in(client, piggy_sandbox).status_code == 403
    assert not User.objects.exists()


def test_the_headers_of_the_readme_carry_the_token(
    blocks: list[dict[str, Any]], user: Any
) -> None:
    headers = defined(blocks, "portal_headers")(user)

    assert headers["Authorization"] == f"Bearer {get_auth_token(user)}"


def test_the_test_of_the_readme_passes(
    blocks: list[dict[str, Any]], client: Any, db: None, piggy_sandbox: Any
) -> None:
    defined(blocks, "test_a_member_logs_in")(client, db, piggy_sandbox)


def test_the_test_about_members_of_the_readme_passes(
    blocks: list[dict[str, Any]], client: Any, db: None, monkeypatch: Any
) -> None:
    test = defined(blocks, "test_a_page_for_members")
    headers = defined(blocks, "portal_headers")
    monkeypatch.setitem(test.__globals__, "portal_headers", headers)

    test(client, db)


def test_the_test_about_strangers_of_the_readme_passes(
    blocks: list[dict[str, Any]], db: None, piggy_sandbox: Any
) -> None:
    defined(blocks, "test_strangers_look_like_contacts")(db, piggy_sandbox)
