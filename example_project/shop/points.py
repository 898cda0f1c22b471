"""The points of a member, as the members' page shows them."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.cache import cache

from django_piggy_verify.exceptions import ContactUnknown, ProviderError
from django_piggy_verify.loyalty import fetch_contact


def points_of(user: AbstractBaseUser | AnonymousUser) -> int | None:
    """Return the points, which are at most a minute old, or None if nobody knows."""
    key = f"points-{user.pk}"
    return cache.get_or_set(key, lambda: _fetch_points(user), timeout=60)


def _fetch_points(user: AbstractBaseUser | AnonymousUser) -> int | None:
    """
    Ask the vendor. Return None in an outage, so that the page still opens.

    The cache keeps the None too. So a member waits for the vendor once in a minute, and
    not on each page. The log has the reason.
    """
    try:
        return _points_in(fetch_contact(user))
    except (ContactUnknown, ProviderError):
        return None


def _points_in(contact: dict[str, Any]) -> int | None:
    """Return the number in the vendor's answer. Any member may be missing or odd."""
    match contact:
        case {"credit_balance": {"balance": bool()}}:  # a bool is an int too
            return None
        case {"credit_balance": {"balance": int() | float() as points}}:
            # NaN and infinity are not below the limit.
            return int(points) if abs(points) < 10**9 else None
    return None
