"""The settings that `startproject` writes, and the lines of the README."""

import os

from tests.settings import DATABASES as TESTED


def database(name):
    """Return the settings of a database. The variable DATABASE picks the kind."""
    return {**TESTED["default"], "NAME": f"{os.environ['PROJECT_NAME']}_{name}"}


SECRET_KEY = "django-insecure-for-tests-only-0123456789abcdefghijklmnopqrstuvwxyz"
DEBUG = True
ALLOWED_HOSTS: list[str] = []
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "tests.shapes.members",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "tests.shapes.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
WSGI_APPLICATION = "tests.shapes.wsgi.application"
DATABASES = {"default": database("default")}
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"

# The lines of the README.

INSTALLED_APPS += ["django_piggy_verify"]
AUTHENTICATION_BACKENDS = [
    "django_piggy_verify.backends.PiggyBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "piggy_verify:email"
LOGIN_REDIRECT_URL = "members"
PIGGY_VERIFY_API_KEY = "sandbox-key"

# The settings of the tests.

PIGGY_VERIFY_BASE_URL = os.environ["SANDBOX"]
PIGGY_VERIFY_SEND_FLOOR = 0
PIGGY_VERIFY_CONNECT = True
# All visitors of the tests share one client address, and must not wait.
PIGGY_VERIFY_RATE_LIMITS = {
    "send_cooldown": "9/1h",
    "send_recipient": "9/1h",
    "send_ip": "999/1h",
    "check_ip": "999/1h",
}
MIDDLEWARE += ["tests.shapes.middleware.name_worker"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
