"""The user model of docs/howto/user-model.rst, in an app with the name members."""

from pathlib import Path

from tests.shapes.base import *  # noqa: F403
from tests.shapes.base import INSTALLED_APPS, TEMPLATES

INSTALLED_APPS = [each for each in INSTALLED_APPS if each != "tests.shapes.members"]
INSTALLED_APPS += ["members"]
TEMPLATES[0]["DIRS"] = [Path(__file__).parent / "members" / "templates"]
AUTH_USER_MODEL = "members.Member"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
