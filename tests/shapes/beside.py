"""django-allauth and django-axes, installed as their documentations say."""

from tests.shapes.base import *  # noqa: F403
from tests.shapes.base import AUTHENTICATION_BACKENDS, INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "allauth", "allauth.account", "axes"]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    *AUTHENTICATION_BACKENDS,
    "allauth.account.auth_backends.AuthenticationBackend",
]
MIDDLEWARE = [
    *MIDDLEWARE,
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "tests.shapes.urls_beside"
AXES_USERNAME_CALLABLE = "django_piggy_verify.lockout.username"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
ACCOUNT_EMAIL_VERIFICATION = "none"
# A warning of allauth: on MariaDB it does without a constraint.
SILENCED_SYSTEM_CHECKS = ["models.W036"]
