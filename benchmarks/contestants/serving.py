"""
The configuration of gunicorn for a contestant, with a database of its own.

MEMBERS is the number of members to create.
"""

import os
from typing import Any

import django
from django.apps import apps
from django.db import connections

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.contestants.settings"
if not apps.ready:
    django.setup()

from benchmarks.contestants import worker

_created: list[Any] = []


def on_starting(_arbiter: Any) -> None:
    """Create the database, before the workers start."""
    _created.append(worker.create_database())
    worker.prepare(int(os.environ["MEMBERS"]))
    # The workers are forks, and have to open connections of their own.
    connections.close_all()


def on_exit(_arbiter: Any) -> None:
    """Drop the database, after the workers have ended."""
    worker.drop_database(_created.pop())
