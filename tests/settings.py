"""The settings of the test project; DATABASE picks the database."""

import os
import tempfile
from pathlib import Path

SECRET_KEY = "for tests only, and long enough for that: 0123456789abcdef"
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
LOGIN_URL = "piggy_verify:email"
LOGIN_REDIRECT_URL = "/members/"
# Django 6.1 wants the setting for mails. Earlier versions do not read it.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

INSTALLED_APPS = [
    "axes",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_piggy_verify",
    "tests.people",
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
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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
AUTHENTICATION_BACKENDS = [
    "django_piggy_verify.backends.PiggyBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
PIGGY_VERIFY_API_KEY = "test-api-key"
PIGGY_VERIFY_SEND_FLOOR = 0
# Installed for its tables. `test_axes` turns axes on.
AXES_ENABLED = False
AXES_USERNAME_CALLABLE = "django_piggy_verify.lockout.username"
# The sandbox is mounted for its own tests. E010 reports that without DEBUG.
SILENCED_SYSTEM_CHECKS = ["axes.W002", "axes.W003", "piggy_verify.E010"]

# The name has the process id, so that two test runs do not share the database.
TEST_DATABASE = f"test_piggy_verify_{os.getpid()}"

_DATABASES = {
    "sqlite": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        # A file, since threads do not wait for locks of a database in memory.
        "TEST": {
            "NAME": Path(tempfile.gettempdir()) / f"piggy-verify-{os.getpid()}.sqlite3"
        },
        "OPTIONS": {"timeout": 30},
    },
    "postgresql": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "NAME": "piggy_verify",
        "TEST": {"NAME": TEST_DATABASE},
    },
    "mariadb": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": os.environ.get("MYSQL_HOST", "127.0.0.1"),
        "USER": os.environ.get("MYSQL_USER", "root"),
        "PASSWORD": os.environ.get("MYSQL_PASSWORD", ""),
        "NAME": "piggy_verify",
        "OPTIONS": {"charset": "utf8mb4"},
        "TEST": {"NAME": TEST_DATABASE},
    },
}
DATABASES = {"default": _DATABASES[os.environ.get("DATABASE", "sqlite")]}
