"""
Set up a project and serve it in a process of its own.

Usage: ``python -m tests.shapes.serve HOW PORT``. DJANGO_SETTINGS_MODULE names the
project. The tests read its output.
"""

import os
import sys

import django
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections, router


def set_up():
    django.setup()
    for connection in connections.all():
        create_database(connection)
    if apps.is_installed("members"):  # A guide shows models, and no migrations.
        call_command("makemigrations", "members", verbosity=0)
    call_command("makemigrations", check_changes=True, dry_run=True)
    for alias in settings.DATABASES:
        call_command("migrate", database=alias, verbosity=0)
    call_command("check", fail_level="WARNING", databases=list(settings.DATABASES))
    if apps.is_installed("django.contrib.admin"):
        alias = router.db_for_write(get_user_model())
        call_command("createsuperuser", interactive=False, database=alias)


def create_database(connection):
    if connection.vendor != "sqlite":
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {connection.settings_dict['NAME']}")


class Handler(WSGIRequestHandler):
    """Sends the body with the headers. A separate packet would cost 40 ms."""

    disable_nagle_algorithm = True


def serve_by_django(port):
    server = ThreadedWSGIServer(("127.0.0.1", int(port)), Handler)
    server.set_app(get_wsgi_application())
    server.serve_forever()


def serve_by_gunicorn(port):
    run("gunicorn", "--bind", f"127.0.0.1:{port}", "--workers=3", "wsgi")


def serve_by_uvicorn(port):
    run("uvicorn", "--port", port, "--lifespan=off", "asgi")


def run(*words):
    *command, module = words
    command = [sys.executable, "-m", *command, f"tests.shapes.{module}:application"]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    how, port = sys.argv[1:]
    set_up()
    globals()[f"serve_by_{how}"](port)
