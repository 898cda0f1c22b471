"""
Adopt a user in a project that has allauth, passkeys and API tokens.

Run as a process of its own, since the project of the tests has none of these apps. The
backend of the guide comes on stdin. Prints what is left of each user as JSON.
"""

import json
import sys
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command

from django_piggy_verify.providers.base import Identity

settings.configure(
    SECRET_KEY="for tests only, and long enough for that: 0123456789abcdef",
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "allauth",
        "allauth.account",
        "allauth.mfa",
        "allauth.socialaccount",
        "rest_framework",
        "rest_framework.authtoken",
        "django_piggy_verify",
    ],
    MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
    PIGGY_VERIFY_LINK_BY_EMAIL=True,
)
django.setup()
account, social, key, token, user_model = map(
    apps.get_model,
    (
        "account.EmailAddress",
        "socialaccount.SocialAccount",
        "mfa.Authenticator",
        "authtoken.Token",
        "auth.User",
    ),
)


def register(name):
    """Make a user who can log in in every way."""
    user = user_model.objects.create_user(name, f"{name}@example.com", "secret")
    social.objects.create(user=user, provider="github", uid=name)
    key.objects.create(user=user, type="webauthn", data={})
    token.objects.create(user=user)
    for address in (user.email, f"{name}@elsewhere.example"):
        account.objects.create(user=user, email=address, verified=True)
    return user


def doors(user):
    user.refresh_from_db()
    addresses = account.objects.filter(user=user).order_by("email")
    return {
        "password": user.has_usable_password(),
        "linked accounts": social.objects.filter(user=user).count(),
        "passkeys": key.objects.filter(user=user).count(),
        "tokens": token.objects.filter(user=user).count(),
        "addresses": list(addresses.values_list("email", flat=True)),
    }


def adopt(user):
    names: dict[str, Any] = {}
    exec(sys.stdin.read(), names)
    identity = Identity(provider="piggy", uid="one", email=user.email)
    assert names["LinkingBackend"]().admit(None, identity) == user


call_command("migrate", verbosity=0)
ann, bob = register("ann"), register("bob")
adopt(ann)
json.dump([doors(ann), doors(bob)], sys.stdout)
