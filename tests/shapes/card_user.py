"""Users have neither a username nor an e-mail; nobody can open the admin."""

from tests.shapes.base import *  # noqa: F403
from tests.shapes.base import INSTALLED_APPS

INSTALLED_APPS = [each for each in INSTALLED_APPS if "admin" not in each]
AUTH_USER_MODEL = "members.CardUser"
