"""
Check that the reference in docs/ names every public name, and agrees with the code.

Where Sphinx is installed, the tests read the index of the built documentation.
"""

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import zlib
from collections import defaultdict

import from_the_code
import pytest
from django.core.management import get_commands
from django.dispatch import Signal
from django.urls import reverse
from docutils import nodes
from docutils.core import publish_doctree

import django_piggy_verify
from django_piggy_verify import urls, urls_app
from django_piggy_verify.conf import DEFAULT_RATE_LIMITS
from tests.documentation import openapi, pages

REQUIRED = "PIGGY_VERIFY_REQUIRE_SERVICES" in os.environ
PUBLIC = [
    "backends",
    "exceptions",
    "forms",
    "loyalty",
    "models",
    "portal",
    "providers",
    "providers.base",
    "providers.calls",
    "providers.credentials",
    "providers.options",
    "providers.piggy",
    "providers.punchh",
    "providers.transmit",
    "providers.verifik",
    "sandbox",
    "sandbox.server",
    "secret",
    "signals",
    "testing",
    "tokens",
    "traits",
    "views",
]
"""The modules that projects import from, as the reference says."""

PARTS = {
    # For `login_contact`, which has an id and an address.
    "backends": {"identity_of"},
    # Only `leases` uses the states and the fields of a fetch.
    "models": {"FetchState", "ExactCharField", "binding"},
    # The view passes these on and does not show them.
    "portal": {"fetch"},
    # The checks and the doctor examine each account.
    "providers": {"each_account", "base_url"},
    # The login checks the uid of a proof or an access.
    "providers.base": {"is_uid"},
    # Only `calls` and the provider of Piggy use the bearer token itself.
    "providers.credentials": {
        *("bearer_token", "forget", "has_client", "is_renewable", "require_https"),
    },
    # `calls` and the login check tokens.
    "secret": {"is_token"},
    # The pages, the admin, the backend and the log-out use these.
    "tokens": {"get_with_expiry", "LoginFetch", "forget_at_logout", "forget", "keep"},
    # The login reads the traits of the provider.
    "traits": {"traits_of"},
}
"""The names in public modules that are not public, with the reasons."""


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The names in the index of the built documentation, by kind."""
    if not REQUIRED:
        pytest.importorskip("sphinx")
    built = tmp_path_factory.mktemp("docs")
    words = ["-m", "sphinx", "-W", "-n", "-q", "-b", "html", pages.DOCS, built]
    environment = {name: os.environ[name] for name in ("PATH",)}
    subprocess.run([sys.executable, *words], check=True, env=environment, timeout=300)
    packed = (built / "objects.inv").read_bytes().split(b"\n", 4)[4]
    index = defaultdict(set)
    for line in zlib.decompress(packed).decode().splitlines():
        name, kind, _rest = re.split(r" (\S+:\S+) -?\d+ ", line, maxsplit=1)
        index[kind].add(name)
    return index


def module(name):
    return importlib.import_module(f"django_piggy_verify.{name}")


def is_own(module, name, each):
    """Return whether the module defines the name or exports it."""
    if name.startswith("_") or inspect.ismodule(each):
        return False
    if name in getattr(module, "__all__", ()) or isinstance(each, Signal):
        return True
    is_code = inspect.isclass(each) or inspect.isfunction(each)
    return is_code and each.__module__ == module.__name__


def public_names():
    for name in PUBLIC:
        found = module(name)
        names = {*vars(found), *getattr(found, "__all__", ())}
        for each in names - PARTS.get(name, set()):
            if is_own(found, each, getattr(found, each)):
                yield f"django_piggy_verify.{name}.{each}"


def documented(index):
    return {each for kind in index if kind.startswith("py:") for each in index[kind]}


def test_every_public_name_is_documented(index):
    assert set(public_names()) - documented(index) == set()


def test_every_public_module_is_documented(index):
    assert {f"django_piggy_verify.{name}" for name in PUBLIC} <= documented(index)


def test_every_setting_limit_check_command_and_event_is_documented(index):
    app = "django_piggy_verify"
    wanted = {
        "setting": {
            f"PIGGY_VERIFY_{name.upper()}" for name in from_the_code.settings()
        },
        "limit": set(DEFAULT_RATE_LIMITS),
        "check": {f"piggy_verify.{each}" for each in from_the_code.check_texts()},
        "command": {name for name, each in get_commands().items() if each == app},
        "event": {each.name for each in from_the_code.log_events()},
    }

    assert {kind: index[f"std:{kind}"] for kind in wanted} == wanted


def test_every_public_name_has_a_docstring():
    silent = []
    for path in public_names():
        owner, _, name = path.rpartition(".")
        each = getattr(importlib.import_module(owner), name)
        is_code = inspect.isclass(each) or inspect.isfunction(each)
        if is_code and not inspect.getdoc(each):
            silent.append(path)

    assert silent == []


def test_every_module_is_public_or_not_named_by_the_reference():
    page = (pages.DOCS / "reference" / "python.rst").read_text()
    every = {
        each.name
        for each in pkgutil.walk_packages(
            django_piggy_verify.__path__, "django_piggy_verify."
        )
    }

    named = {name for name in every if f"module:: {name}\n" in page}
    also = {"django_piggy_verify.pending", "django_piggy_verify.lockout"}
    also |= {"django_piggy_verify.durations"}
    elsewhere = {f"django_piggy_verify.{name}" for name in ("sandbox", "testing")}
    public = {f"django_piggy_verify.{name}" for name in PUBLIC}
    assert named == (public | also) - elsewhere - {"django_piggy_verify.sandbox.server"}


# Pages written by hand


@pytest.fixture
def outcomes():
    """The tables of the page on URLs and outcomes, by their first columns."""
    page = [pages.parsed(pages.DOCS / "reference" / "outcomes.rst")]
    titles = ("Name of the URL", "What has happened", "What has happened to a user")
    of_apps = ("Name of the URL for apps", "What has happened to an app")
    found = {title: pages.table(page, title) for title in (*titles, *of_apps)}
    found["What has happened"] |= found.pop("What has happened to a user")
    return found


def test_every_url_is_listed_with_its_path(outcomes):
    listed = {name: row[0] for name, row in outcomes["Name of the URL"].items()}

    names = [f"{urls.app_name}:{pattern.name}" for pattern in urls.urlpatterns]
    assert listed == {name: reverse(name).lstrip("/") for name in names}


def test_every_url_for_apps_is_listed_with_its_path(outcomes):
    table = outcomes["Name of the URL for apps"]

    listed = {name: row[0] for name, row in table.items()}
    of_apps = {
        f"{urls_app.app_name}:{pattern.name}": f"api/login/{pattern.pattern}"
        for pattern in urls_app.urlpatterns
    }
    assert listed == of_apps


def test_every_error_of_the_outcomes_has_its_status(outcomes):
    described = {
        each.code: each.status for each in openapi.answers(openapi.load()) if each.code
    }

    listed = {}
    of_apps = outcomes["What has happened to an app"]
    for *_html, script in (*outcomes["What has happened"].values(), *of_apps.values()):
        if match := re.match(r"([45]\d\d)\s+(\w+)", script):
            listed[match[2]] = int(match[1])
    # Calls with another method are no operations of the API description.
    assert listed == described | {"method_not_allowed": 405}


def test_every_outcome_has_a_status_for_browsers_and_one_for_scripts(outcomes):
    documented = {str(each.status) for each in openapi.answers(openapi.load())}
    documented -= {"415"}  # for apps only

    told = [
        [re.match(r"(\d{3})|as ", cell) for cell in cells]
        for cells in outcomes["What has happened"].values()
    ]
    assert all(len(cells) == 2 and all(cells) for cells in told)
    scripts = {script[1] for _html, script in told if script and script[1]}
    assert scripts == documented | {"405"}


def test_every_error_of_the_outcomes_is_one_of_the_described_interface(outcomes):
    page = [pages.parsed(pages.DOCS / "howto" / "front-end.rst")]
    known = pages.table(page, "Code of an error")

    for _html, script in outcomes["What has happened"].values():
        code = re.search(r"^[45]\d\d\s+(\w+)", script)
        assert code is None or code[1] in known


# Text that the directives write


def written(text):
    return publish_doctree(text, settings_overrides=pages.STRICT).astext()


def test_a_setting_is_described_with_its_default_and_its_docstring():
    text = written(".. every-setting::")

    assert "Default: 600." in text
    assert "Seconds that a login in progress stays open" in text


def test_the_defaults_are_not_those_of_the_project_at_hand(settings):
    settings.PIGGY_VERIFY_LOGIN_TTL = 1

    assert from_the_code.default_of("login_ttl") == 600


def test_a_limit_that_is_not_described_is_an_error():
    with pytest.raises(Exception, match="the limits are send_cooldown, send_recipient"):
        written(".. every-limit::\n\n   send_cooldown: sends.")


def test_a_check_for_deployments_is_marked():
    text = written(".. every-check::")

    assert text.count("--deploy") == 1
    assert "Without a key or client credentials, no call to the API can" in text


def test_every_check_is_described_with_its_message():
    messages = from_the_code.check_messages()

    assert set(from_the_code.check_texts()) == set(messages)
    assert messages["E001"] == "PIGGY_VERIFY_API_KEY cannot be used: ...."
    assert messages["E003"] == "... is not a plain https URL."


def test_an_event_is_described_with_its_level_and_its_fields():
    text = written(".. every-event::")

    assert "INFO: A code was sent to {recipient}" in text
    assert "The provider answered the call {verb} after {duration} s" in text


def test_a_command_is_described_with_its_own_options_alone():
    text = written(".. every-command::")

    assert "--dry-run" in text
    assert "--chunk CHUNK" in text
    assert "ADDRESS" in text
    assert "--verbosity" not in text


def test_the_templates_are_a_table():
    page = publish_doctree(".. every-template::", settings_overrides=pages.STRICT)

    rows = [row.astext() for row in page.findall(nodes.row)]
    assert rows[0] == "Template\n\nBlocks"
    assert len(rows) == 1 + len(from_the_code.blocks())
