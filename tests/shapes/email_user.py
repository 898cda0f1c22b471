"""Users log in by e-mail, have no username, and a UUID for a primary key."""

from tests.shapes.base import *  # noqa: F403

AUTH_USER_MODEL = "members.EmailUser"
