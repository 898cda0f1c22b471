"""
The API of the shop for apps, which hold no cookies.

The token is signed and stored nowhere, so this example needs no further package. A
project with an API should use a package for tokens: see docs/howto/apps.rst.
"""

from typing import Final

from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, JsonResponse
from django.utils.crypto import constant_time_compare

MAX_AGE: Final = 30 * 24 * 3600
"""Seconds for which a token opens the members' page."""

_SALT: Final = "shop.api"


def app_token(_request: HttpRequest, user: User) -> dict[str, str]:
    """Return the token of `user`. It ends when the password changes."""
    proof = [user.pk, user.get_session_auth_hash()]
    return {"key": signing.dumps(proof, salt=_SALT)}


def members(request: HttpRequest) -> JsonResponse:
    """Return the address of the member whose token the app has sent."""
    user = _user_of(request)
    if user is None:
        return JsonResponse({"detail": "Log in first."}, status=401)
    return JsonResponse({"email": user.email})


def _user_of(request: HttpRequest) -> User | None:
    word, _, key = request.headers.get("Authorization", "").partition(" ")
    try:
        pk, auth_hash = signing.loads(key, salt=_SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=pk, is_active=True).first()
    is_same = user and constant_time_compare(user.get_session_auth_hash(), auth_hash)
    return user if word == "Token" and is_same else None
