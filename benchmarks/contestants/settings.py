"""
The settings of all contestants: a common project, and the additions of each.

CONTESTANT names the contestant. DATABASE chooses the database, as for the tests.
SETTINGS is a JSON object with more settings.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

NAME = os.environ["CONTESTANT"]

SECRET_KEY = "for measurements only, and long enough: 0123456789abcdef"  # noqa: S105
DEBUG = False
USE_TZ = True
ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
ROOT_URLCONF = f"benchmarks.contestants.{NAME}"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
LOGIN_REDIRECT_URL = "/members/"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING_CONFIG = None

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
# The same as `startproject` creates.
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
AUTHENTICATION_BACKENDS = [MODEL_BACKEND]

_DATABASES: dict[str, dict[str, Any]] = {
    "sqlite": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        # A file, as on real sites. A database in memory writes nothing to the disk.
        "TEST": {"NAME": Path(tempfile.gettempdir()) / f"login-{os.getpid()}.sqlite3"},
        "OPTIONS": {"timeout": 30},
    },
    "postgresql": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "NAME": "login",
        "TEST": {"NAME": f"test_login_{os.getpid()}"},
    },
}
DATABASES = {"default": _DATABASES[os.environ.get("DATABASE", "sqlite")]}
# The floor has no migrations, so create all tables without migrations.
DATABASES["default"]["TEST"]["MIGRATE"] = False
# A busy site keeps its connections. Each thread has its own one.
DATABASES["default"]["CONN_MAX_AGE"] = None

API_KEY = "a-key"
API_URL = os.environ["UPSTREAM_URL"]
API_CERTIFICATE = os.environ["UPSTREAM_CERTIFICATE"]

if NAME in {"ours", "connecting"}:
    INSTALLED_APPS += ["django_piggy_verify"]
    AUTHENTICATION_BACKENDS = [
        "django_piggy_verify.backends.PiggyBackend",
        MODEL_BACKEND,
    ]
    PIGGY_VERIFY_API_KEY = API_KEY
    PIGGY_VERIFY_BASE_URL = API_URL
    PIGGY_VERIFY_CA_BUNDLE = API_CERTIFICATE
    PIGGY_VERIFY_CONNECT = NAME == "connecting"

if NAME == "floor":
    INSTALLED_APPS += ["benchmarks.floor"]

if NAME == "allauth":
    INSTALLED_APPS += ["allauth", "allauth.account"]
    MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
    AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
    ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    ACCOUNT_LOGIN_METHODS = {"email"}
    ACCOUNT_SIGNUP_FIELDS = ["email*"]
    # The limits are on but high, because the same few members log in again and again.
    ACCOUNT_RATE_LIMITS = {
        "login": "10000/m/ip",
        "request_login_code": "10000/m/ip,10000/m/key",
    }

if NAME == "drfpasswordless":
    INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken", NAME]
    PASSWORDLESS_AUTH = {
        "PASSWORDLESS_AUTH_TYPES": ["EMAIL"],
        "PASSWORDLESS_EMAIL_NOREPLY_ADDRESS": "noreply@example.com",
        "PASSWORDLESS_REGISTER_NEW_USERS": False,
    }

if NAME == "magiclink":
    INSTALLED_APPS += ["magiclink"]
    AUTHENTICATION_BACKENDS = ["magiclink.backends.MagicLinkBackend", MODEL_BACKEND]
    # By default, it refuses a second login within half a minute.
    MAGICLINK_LOGIN_REQUEST_TIME_LIMIT = 0

if NAME == "sesame":
    AUTHENTICATION_BACKENDS = ["sesame.backends.ModelBackend", MODEL_BACKEND]
    SESAME_MAX_AGE = 600

globals().update(json.loads(os.environ.get("SETTINGS", "{}")))
