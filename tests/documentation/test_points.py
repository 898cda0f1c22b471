"""Run the code of the guide that shows a member's points."""

from math import inf, nan

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.cache import cache
from django.urls import path

from django_piggy_verify.loyalty import fetch_contact
from django_piggy_verify.sandbox import Fault
from tests.documentation import pages
from tests.steps import ADDRESS, calls

NONE = "We cannot show your points at the moment."


@pytest.fixture(autouse=True)
def points(modules):
    """The module of the guide, with an empty cache."""
    modules("points")
    cache.clear()
    yield pages.run(pages.blocks("points")[0])
    cache.clear()


@pytest.fixture
def page(client, member, points, settings, tmp_path):
    """Return a function that returns the text of the page of the guide."""
    [template] = pages.blocks("points", of="html+django")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "points.html").write_text(template)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    settings.ROOT_URLCONF = (path("points/", points["points_page"]),)
    return lambda: client.get("/points/").text


ODD: list[object] = [None, "99", True, [], {}, 10**9]


@pytest.mark.parametrize(
    ("balance", "text"),
    [
        (99, "You have 99 points."),
        (1, "You have 1 point."),
        (-5, "You have -5 points."),
        (99.5, "You have 99 points."),
        *((each, NONE) for each in ODD),
    ],
)
def test_the_page_shows_the_points(page, piggy_sandbox, balance, text):
    piggy_sandbox.set_points(ADDRESS, balance)

    assert text in page()


@pytest.mark.parametrize(
    "contact",
    [
        {},
        {"credit_balance": None},
        {"credit_balance": [1]},
        {"credit_balance": {}},
        {"credit_balance": {"balance": inf}},
        {"credit_balance": {"balance": nan}},
    ],
    ids=str,
)
def test_an_odd_contact_has_no_points(points, contact):
    assert points["points_in"](contact) is None


def test_piggy_is_asked_once_in_a_minute(page, piggy_sandbox):
    assert page() == page()

    assert calls(piggy_sandbox) == ["contact"]


def test_an_outage_costs_the_points_only_and_one_call(page, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.OUTAGE

    assert NONE in page()
    assert NONE in page()
    assert calls(piggy_sandbox) == ["contact"]


def test_another_member_does_not_see_the_points(page, piggy_sandbox, client):
    piggy_sandbox.set_points(ADDRESS, 99)
    page()

    client.force_login(User.objects.create_user("bob"))

    assert NONE in page()


def test_the_points_can_be_awaited(member, piggy_sandbox):
    piggy_sandbox.set_points(ADDRESS, 99)
    points_of = async_to_sync(pages.run(pages.blocks("points")[1])["apoints_of"])

    assert [points_of(member), points_of(member)] == [99, 99]
    assert calls(piggy_sandbox) == ["contact"]


def test_an_outage_can_be_awaited(member, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.OUTAGE
    points_of = async_to_sync(pages.run(pages.blocks("points")[1])["apoints_of"])

    assert [points_of(member), points_of(member)] == [None, None]
    assert calls(piggy_sandbox) == ["contact"]


def test_the_guide_names_the_members_of_the_sandbox(member, piggy_sandbox):
    table = pages.table([pages.parsed(pages.DOCS / "howto" / "points.rst")], "Member")
    documented = {each for names in table for each in names.split(", ")}

    assert set(fetch_contact(member)) == documented
