"""Check that the files in .github run all of tox and name what exists."""

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from docutils.core import publish_doctree

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())
CALLED = "./.github/workflows/tests.yml"
PINNED = re.compile(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
TEST_MATRIX = re.compile(r"py\{([\d,]+)\}-django(?:\{([\d,]+)\}|(\d+))")


@pytest.fixture(scope="module")
def jobs() -> Any:
    return yaml.safe_load((GITHUB / "workflows" / "tests.yml").read_text())["jobs"]


@pytest.fixture(scope="module")
def environments() -> list[str]:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    return tox["tox"]["env_list"].split()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    used = re.findall(rf"uses: (?!{CALLED}).+", path.read_text())

    assert used
    assert [each for each in used if not PINNED.fullmatch(each)] == []


def test_an_action_is_pinned_to_one_commit_everywhere() -> None:
    text = "".join(path.read_text() for path in WORKFLOWS)

    pins = set(re.findall(r"uses: ([^.].+)", text))
    assert len({pin.partition("@")[0] for pin in pins}) == len(pins)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_has_only_the_permissions_that_it_names(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())

    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] in ({"contents": "read"}, {"id-token": "write"})
        assert job.get("uses") == CALLED or job["timeout-minutes"] <= 30


def test_nothing_is_published_without_the_tests() -> None:
    jobs = yaml.safe_load((GITHUB / "workflows" / "publish.yml").read_text())["jobs"]

    assert jobs["tests"]["uses"] == CALLED
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("tests", "build")


def test_every_gate_of_tox_is_run(jobs: Any, environments: list[str]) -> None:
    gates = jobs["gates"]["strategy"]["matrix"]["environment"]

    assert {*gates, "coverage"} == {
        each for each in environments if not TEST_MATRIX.fullmatch(each)
    }


def combinations(matrix: dict[str, Any]) -> set[tuple[str, str]]:
    excluded = [(each["python"], each["django"]) for each in matrix["exclude"]]
    return {
        (python, django) for python in matrix["python"] for django in matrix["django"]
    } - set(excluded)


def test_every_python_meets_every_django(jobs: Any, environments: list[str]) -> None:
    wanted = set()
    for pythons, djangos, django in TEST_MATRIX.findall(" ".join(environments)):
        wanted |= {
            (py, dj)
            for py in pythons.split(",")
            for dj in (djangos or django).split(",")
        }

    run = combinations(jobs["tests"]["strategy"]["matrix"])
    # Python 3.14 is tested where it is installed, but no classifier names it.
    assert {(py.replace(".", ""), dj.replace(".", "")) for py, dj in run} == {
        (py, dj) for py, dj in wanted if py != "314"
    }


def test_the_classifiers_name_the_tested_versions(jobs: Any) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    matrix = jobs["tests"]["strategy"]["matrix"]

    claims = "\n".join(project["classifiers"])
    assert re.findall(r"Python :: (3\.\d+)", claims) == matrix["python"]
    assert re.findall(r"Django :: (\d\.\d)", claims) == matrix["django"]
    assert project["requires-python"] == f">={matrix['python'][0]}"


def test_every_database_of_tox_is_run(jobs: Any) -> None:
    run = jobs["databases"]["strategy"]["matrix"]["include"]

    assert [each["environment"] for each in run] == [
        f"py{python}-django{django}-{database}"
        for database in ("postgresql", "mariadb")
        for python, django in (("311", "52"), ("313", "61"))
    ]


def test_the_command_of_the_readme_is_run(jobs: Any) -> None:
    readme = (ROOT / "README.rst").read_text()
    [command] = re.findall(r"\nRun the tests::\n\n    (.+)\n", readme)

    assert command in [step.get("run") for step in jobs["readme"]["steps"]]


def test_the_page_for_contributors_is_true() -> None:
    text = (GITHUB / "CONTRIBUTING.rst").read_text()

    strict = {"halt_level": 2, "report_level": 2}
    assert publish_doctree(text, settings_overrides=strict).children
    named = re.findall(r"``((?:\.github|tests|django_piggy_verify)/[\w./]+)``", text)
    assert "tests/secrecy/test_secrets.py" in named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_places_for_new_code_are_there() -> None:
    text = (GITHUB / "CONTRIBUTING.rst").read_text()
    table = text.partition("Where things go")[2].partition("Run the tests")[0]

    named = re.findall(r"``([\w/]+(?:/|\.py))``", table)
    places = [ROOT, ROOT / "django_piggy_verify"]
    assert {"conf.py", "checks/", "events.py", "providers/", "views/"} <= set(named)
    assert [
        name for name in named if not any((place / name).exists() for place in places)
    ] == []


def test_the_forms_for_issues_ask_for_something() -> None:
    for name in ("bug", "feature"):
        form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
        assert {"name", "description", "body"} <= set(form)
        assert any(each.get("validations") for each in form["body"])
