"""Run a site with nothing but what the README says and the installed wheel."""

from http import HTTPStatus
from importlib.metadata import version

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    SECRET_KEY="for this run only, and long enough for that: 0123456789abcdef",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    STATIC_URL="/static/",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
        "django_piggy_verify",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    AUTHENTICATION_BACKENDS=[
        "django_piggy_verify.backends.PiggyBackend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    LOGIN_URL="piggy_verify:email",
    PIGGY_VERIFY_API_KEY="no-real-key",
)
django.setup()

from django.contrib.staticfiles import finders  # noqa: E402  needs the settings
from django.test import Client  # noqa: E402  so does this
from django.urls import include, path  # noqa: E402  these are just with it

import django_piggy_verify  # noqa: E402  and this one must come from the wheel

urlpatterns = [path("login/", include("django_piggy_verify.urls"))]
assert "site-packages" in django_piggy_verify.__file__
assert version("django-piggy-verify") == django_piggy_verify.__version__
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
call_command("piggy_verify_purge", verbosity=0)
assert finders.find("piggy_verify/piggy_verify.css")
assert Client().get("/login/").status_code == HTTPStatus.OK
