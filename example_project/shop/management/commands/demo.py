"""Run the example with nothing set up: ``manage.py demo``."""

import io
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand

from django_piggy_verify.conf import conf
from django_piggy_verify.models import Tally
from django_piggy_verify.sandbox import sandbox
from django_piggy_verify.sandbox.api import BASE_PATH
from shop.settings import env

HOST = "127.0.0.1"
PORTS_TRIED = 100

# The ids stay the same over restarts, so that the users in the database do, too.
MEMBERS = {
    "ann@example.com": "demo-contact-ann",
    "ben@example.com": "demo-contact-ben",
}

SANDBOX = """\
Shop:     {url}
Mailbox:  {url}sandbox/
Members:  {members}

Log in with a member's address: the code appears here and in the mailbox.
Nothing leaves this machine. Any other address is a stranger's: it gets the same
pages, and no code.
"""
LIVE = """\
Shop:     {url}
API:      {api}

This is the live API, since PIGGY_VERIFY_API_KEY is set: log in with the address
of a contact of that account, and look for the code in its mailbox. There is no
sandbox and there are no demo members.
"""


class Command(BaseCommand):
    """Migrates, puts members into the sandbox, and serves, all in one process."""

    help = "Migrates, puts members into the sandbox, and serves the shop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the port."""
        parser.add_argument(
            "--port",
            type=int,
            help=f"by default the first free one from {env('PORT')} on",
        )

    def handle(self, *_args: Any, port: int | None, **_options: Any) -> None:
        """Serve until somebody presses Ctrl+C."""
        if not settings.DEBUG:
            raise CommandError("The demo is for your own machine: set DEBUG=True.")
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Codes are to be seen at once, also through a pipe.
            sys.stdout.reconfigure(line_buffering=True)
        port = _first_free(port, port) if port else _first_free(env("PORT"))
        call_command("migrate", verbosity=0)
        self.stdout.write(_open_shop(port))
        # A reloader would serve from another process, with a sandbox of its own.
        call_command("runserver", f"{HOST}:{port}", use_reloader=False)


def _open_shop(port: int) -> str:
    """Set the scene and answer what to tell about it."""
    url = f"http://{HOST}:{port}/"
    if not apps.is_installed("django_piggy_verify.sandbox"):
        return LIVE.format(url=url, api=conf.base_url)
    settings.PIGGY_VERIFY_BASE_URL = f"{url}sandbox/{BASE_PATH}"
    # The sandbox has forgotten its codes; waiting for a new one would be no demo.
    Tally.objects.all().delete()
    for email, uid in MEMBERS.items():
        sandbox.add_contact(email, uid)
    return SANDBOX.format(url=url, members=", ".join(MEMBERS))


def _first_free(first: int, last: int | None = None) -> int:
    """Answer the first port that can be served on, or raise CommandError."""
    last = first + PORTS_TRIED if last is None else last
    for port in range(first, last + 1):
        if _is_free(port):
            return port
    raise CommandError(f"Port {first} is taken, or not yours to use: try --port.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True
