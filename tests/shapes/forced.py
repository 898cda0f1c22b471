"""The same, where the server in front does not say what it is below."""

from tests.shapes.prefixed import *  # noqa: F403

FORCE_SCRIPT_NAME = "/shop"
