"""A prefix that the server in front does not name, so the settings do."""

from tests.shapes.prefixed import *  # noqa: F403

FORCE_SCRIPT_NAME = "/shop"
