"""The users of the shop, as Transmit knows them."""

from django.apps import apps
from django.http import HttpRequest

from django_piggy_verify.providers.base import UserAccess
from django_piggy_verify.sandbox import sandbox
from django_piggy_verify.secret import Secret


def user_access(request: HttpRequest) -> UserAccess | None:
    """
    Return the access of the user to the sandbox, or None if there is none.

    A real shop logs its users in at Transmit by OpenID Connect. Its function returns
    the ``sub`` of the id token and the access token, which it got at that login.
    """
    has_sandbox = apps.is_installed("django_piggy_verify.sandbox")
    if not has_sandbox or not request.user.is_authenticated:
        return None
    uid = f"shop-user-{request.user.pk}"
    return UserAccess(uid=uid, token=Secret(sandbox.sign_in(uid)))
