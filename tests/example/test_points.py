"""Show the points in the example, whatever the vendor answers."""

from collections.abc import Callable
from importlib import import_module

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from django_piggy_verify.models import Contact
from django_piggy_verify.sandbox import Fault, Sandbox
from tests.example.demo import EXAMPLE

EMAIL = "ann@example.com"
PointsOf = Callable[[User], int | None]


@pytest.fixture
def points_of(monkeypatch: pytest.MonkeyPatch) -> PointsOf:
    monkeypatch.syspath_prepend(EXAMPLE)
    cache.clear()
    function: PointsOf = import_module("shop.points").points_of
    return function


@pytest.fixture
def ann(db: None, piggy_sandbox: Sandbox) -> User:
    user = User.objects.create(username="ann")
    uid = piggy_sandbox.add_contact(EMAIL).uid
    Contact.objects.create(
        user=user, provider="piggy", uid=uid, verified_at=timezone.now()
    )
    return user


@pytest.mark.parametrize(
    ("points", "shown"), [(0, 0), (1250, 1250), (10.5, 10), (-5, -5)]
)
def test_a_number_is_shown(
    points_of: PointsOf, ann: User, piggy_sandbox: Sandbox, points: float, shown: int
) -> None:
    piggy_sandbox.set_points(EMAIL, points)

    assert points_of(ann) == shown


@pytest.mark.parametrize(
    "points",
    [None, "12", True, [1], {}, 10**400],
    ids=["null", "text", "bool", "list", "object", "too large"],
)
def test_what_is_no_number_is_not_shown(
    points_of: PointsOf, ann: User, piggy_sandbox: Sandbox, points: object
) -> None:
    piggy_sandbox.set_points(EMAIL, points)

    assert points_of(ann) is None


@pytest.mark.parametrize("answer", [{}, {"credit_balance": None}])
def test_a_member_without_a_balance_has_no_points(
    points_of: PointsOf,
    ann: User,
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, None],
) -> None:
    monkeypatch.setattr("shop.points.fetch_contact", lambda _: answer)

    assert points_of(ann) is None


def test_the_vendor_is_asked_once_a_minute(
    points_of: PointsOf, ann: User, piggy_sandbox: Sandbox
) -> None:
    points_of(ann)
    points_of(ann)

    assert [call.name for call in piggy_sandbox.calls] == ["contact"]


def test_in_an_outage_nobody_knows_the_points(
    points_of: PointsOf, ann: User, piggy_sandbox: Sandbox
) -> None:
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    assert points_of(ann) is None


def test_a_member_who_is_gone_has_no_points(
    points_of: PointsOf, ann: User, piggy_sandbox: Sandbox
) -> None:
    piggy_sandbox.remove_contact(EMAIL)

    assert points_of(ann) is None
