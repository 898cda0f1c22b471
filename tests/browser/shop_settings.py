"""The example's settings, and the settings that the browser tests add."""

from shop.settings import *  # noqa: F403
from shop.settings import INSTALLED_APPS, LANGUAGES, MIDDLEWARE, env

LANGUAGES = [
    *LANGUAGES,
    ("nl", "Nederlands (u)"),
    ("de", "Deutsch (Sie)"),
    # Hebrew is written from right to left.
    ("he", "Hebrew"),
]
MIDDLEWARE = ["tests.browser.shop_additions.strict_policy", *MIDDLEWARE]
AUTHENTICATION_BACKENDS = [
    "tests.browser.shop_additions.RefusingBackend",
    "django.contrib.auth.backends.ModelBackend",
    "tests.example.newcomers.NewcomerBackend",
]
PIGGY_VERIFY_USER_ACCESS = "tests.example.newcomers.user_access"
# The slow default protects passwords of people only.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if env("LOOK", default="shop") == "bare":
    # The login pages look as they do without the project's own base.html.
    INSTALLED_APPS = ["django_piggy_verify", "shop", *INSTALLED_APPS[2:]]

PIGGY_VERIFY_SEND_FLOOR = 0
PIGGY_VERIFY_LOGIN_TTL = env.int("LOGIN_TTL", default=600)
PIGGY_VERIFY_RATE_LIMITS = {
    "send_cooldown": f"1/{env('COOLDOWN', default='60s')}",
    "send_ip": "2/1h",
}
