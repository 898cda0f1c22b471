"""The settings. Values that differ between machines come from the environment."""

from pathlib import Path

import environ  # type: ignore[import-untyped]

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env(PORT=(int, 8000))
env.read_env(BASE_DIR / ".env")

# True by default, because this is an example. Use False in your own project.
DEBUG = env.bool("DEBUG", default=True)
# Without DEBUG there is no default, because the key signs sessions and logins.
SECRET_KEY = env(
    "SECRET_KEY",
    default="insecure: everybody knows the key of the example" if DEBUG else env.NOTSET,
)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    # Before the package, so that Django uses the piggy_verify/base.html of the shop.
    "shop",
    "django_piggy_verify",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
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
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DATABASES = {
    "default": env.db("DATABASE_URL")
    if "DATABASE_URL" in env
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
# The login pages are in the visitor's language. The shop's own pages are in English.
LANGUAGES = [
    ("en", "English"),
    # The shop says "je" and "du". "nl" and "de" say "u" and "Sie".
    ("nl-x-informal", "Nederlands"),
    ("de-x-informal", "Deutsch"),
    ("fr", "français"),
    ("es", "español"),
]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "build" / "static"

# The login

AUTHENTICATION_BACKENDS = [
    "shop.backends.ShopBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "piggy_verify:email"
LOGIN_REDIRECT_URL = "members"
LOGOUT_REDIRECT_URL = "home"
PIGGY_VERIFY_BRAND = {"name": "Molenaar Bakery", "logo": "shop/logo.svg", "url": "/"}
# Users with a password can connect a contact, and then log in by code too.
PIGGY_VERIFY_CONNECT = True
# Makes the token of an app.
PIGGY_VERIFY_APP_TOKEN = "shop.api.app_token"  # noqa: S105  a path, no token

# "piggy", "verifik", "punchh" or "transmit"
VENDOR = env("PIGGY_VERIFY_VENDOR", default="piggy")
SANDBOX_PATH = {
    "piggy": "sandbox/api/v3/oauth/clients",
    "verifik": "sandbox/verifik/v2",
    "punchh": "sandbox/punchh",
    "transmit": "sandbox/transmit",
}[VENDOR]
if VENDOR == "verifik":
    PIGGY_VERIFY_PROVIDER = "django_piggy_verify.providers.verifik.VerifikProvider"
    PIGGY_VERIFY_PROVIDER_OPTIONS = {
        "project": env("VERIFIK_PROJECT", default="sandbox-project"),
        "flow": env("VERIFIK_FLOW", default="sandbox-flow"),
    }
if VENDOR == "punchh":
    PIGGY_VERIFY_PROVIDER = "django_piggy_verify.providers.punchh.PunchhProvider"
    # The client of the sandbox. A public server has a client of its own.
    _CLIENT = "sandbox" if DEBUG else ""
    PIGGY_VERIFY_CLIENT_ID = env("PIGGY_VERIFY_CLIENT_ID", default=_CLIENT)
    PIGGY_VERIFY_CLIENT_SECRET = env("PIGGY_VERIFY_CLIENT_SECRET", default=_CLIENT)
    PIGGY_VERIFY_CONSENTS = {
        "terms": {"url": "/terms/", "version": "2026-01"},
        "privacy": {"url": "/privacy/", "version": "2026-01"},
    }
if VENDOR == "transmit":
    # This vendor proves addresses and numbers of users who are logged in already.
    LOGIN_URL = "password"
    PIGGY_VERIFY_PROVIDER = "django_piggy_verify.providers.transmit.TransmitProvider"
    PIGGY_VERIFY_PROVIDER_OPTIONS = {
        "email_by": env("TRANSMIT_EMAIL_BY", default="code"),
        "message": "{otp} is your code for {app}.",
    }
    PIGGY_VERIFY_USER_ACCESS = "shop.transmit.user_access"
    # The client asks whether a mailed link was followed. Codes need no client.
    PIGGY_VERIFY_CLIENT_ID = env("PIGGY_VERIFY_CLIENT_ID", default="")
    PIGGY_VERIFY_CLIENT_SECRET = env("PIGGY_VERIFY_CLIENT_SECRET", default="")
    PIGGY_VERIFY_TOKEN_URL = env(
        "PIGGY_VERIFY_TOKEN_URL",
        default="https://api.transmitsecurity.io/oidc/token",
    )
if VENDOR in {"punchh", "transmit"}:
    # Mobile numbers of these countries get text messages.
    PIGGY_VERIFY_SMS_COUNTRIES = ("NL", "DE", "BE", "US")
    PIGGY_VERIFY_PHONE_REGION = "NL"
PIGGY_VERIFY_API_KEY = env("PIGGY_VERIFY_API_KEY", default="")
# None is the live API of the vendor.
PIGGY_VERIFY_BASE_URL = env("PIGGY_VERIFY_BASE_URL", default="") or None
if DEBUG and not (PIGGY_VERIFY_API_KEY or PIGGY_VERIFY_BASE_URL):
    INSTALLED_APPS += ["django_piggy_verify.sandbox"]
    PIGGY_VERIFY_API_KEY = "sandbox"
    PIGGY_VERIFY_BASE_URL = f"http://127.0.0.1:{env('PORT')}/{SANDBOX_PATH}"

PIGGY_VERIFY_TRUSTED_PROXY_COUNT = env.int("PROXY_COUNT", default=0)

# On a public server, allow https only.

if not DEBUG:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 3600
    # These two warn about subdomains and browsers' preload lists. The owner of the
    # domain decides about both.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
    if PIGGY_VERIFY_TRUSTED_PROXY_COUNT:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Log on the console why a login failed.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "[%(name)s] %(levelname)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "short"}},
    "loggers": {"django_piggy_verify": {"handlers": ["console"], "level": "INFO"}},
}
