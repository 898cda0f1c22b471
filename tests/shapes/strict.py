"""All pages want a login, all requests are transactions, sessions are cookies."""

from tests.shapes.base import *  # noqa: F403
from tests.shapes.base import DATABASES, MIDDLEWARE

MIDDLEWARE = [*MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
DATABASES["default"]["ATOMIC_REQUESTS"] = True
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
