"""Below /shop/ of a host that has other sites as well: cookies stay there, too."""

from tests.shapes.base import *  # noqa: F403

SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/shop/"
