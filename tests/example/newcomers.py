"""Let anybody log in to the example with a password, as a new user."""

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from shop import transmit

from django_piggy_verify.providers.base import UserAccess
from django_piggy_verify.sandbox import sandbox
from django_piggy_verify.secret import Secret


class NewcomerBackend(ModelBackend):
    """
    Creates a user for each name that is typed as the password too.

    A name that begins with "staff" makes the user staff.
    """

    def authenticate(self, request, username=None, password=None, **_):
        if not username or username != password:
            return None
        user, is_new = User.objects.get_or_create(username=username)
        if is_new:
            user.is_staff = username.startswith("staff")
            user.set_password(password)
            user.save()
        return user


def user_access(request):
    """
    Return the access of a user to Transmit.

    A user whose name begins with "expired" has none. Transmit answers 401 to the token
    of a user whose name begins with "stale". The header ``X-Uid`` names another user
    there.
    """
    name = request.user.get_username()
    if name.startswith("expired"):
        return None
    if name.startswith("stale"):
        return UserAccess(uid=name, token=Secret("stale"))
    if uid := request.headers.get("X-Uid"):
        return UserAccess(uid=uid, token=Secret(sandbox.sign_in(uid)))
    return transmit.user_access(request)
