"""A site below /shop/, whose cookies are for /shop/ only."""

from tests.shapes.base import *  # noqa: F403

SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/shop/"
