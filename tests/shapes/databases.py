"""Users and contacts in a second database, counts in a third; sessions in the first."""

from tests.shapes.base import *  # noqa: F403
from tests.shapes.base import database

DATABASES = {name: database(name) for name in ("default", "people", "counts")}
DATABASE_ROUTERS = ["tests.shapes.databases.Router"]
AUTHENTICATION_BACKENDS = [
    "tests.shapes.members.backends.FussyBackend",
    "django.contrib.auth.backends.ModelBackend",
]


class Router:
    """Each table is in one database alone, so that a query that crosses fails."""

    people = {"admin", "auth", "contenttypes", "members", "piggy_verify"}

    def db_for_read(self, model, **hints):
        return self.home(model._meta.app_label, model._meta.model_name)

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        return db == self.home(app_label, model_name)

    def home(self, app_label, model_name):
        if model_name == "tally":
            return "counts"
        return "people" if app_label in self.people else "default"
