"""Run the example without any configuration: ``manage.py demo``."""

import io
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand

from django_piggy_verify.conf import conf
from django_piggy_verify.models import Tally
from django_piggy_verify.providers import base_url
from django_piggy_verify.sandbox import sandbox
from shop.settings import SANDBOX_PATH, VENDOR, env

HOST = "127.0.0.1"
PORTS_TRIED = 100

# The ids are fixed, so that a restart finds the users of the database again.
MEMBERS = {
    "ann@example.com": "demo-contact-ann",
    "ben@example.com": "demo-contact-ben",
}
POINTS = {"ann@example.com": 1250, "ben@example.com": 40}

USER = "carla"
"""The name and the password of a user who is no member yet."""

SANDBOX = """\
Shop:     {url}
Mailbox:  {url}sandbox/
Members:  {members}

Log in with the address of a member. The code appears here and in the mailbox.
No data leaves this machine. Any other address belongs to a stranger. A stranger
sees the same pages, but gets no code.
"""
SANDBOX_FOR_ANYBODY = """\
Shop:     {url}
Mailbox:  {url}sandbox/

Log in with any address: this vendor mails codes to anybody. The code appears
here and in the mailbox. No data leaves this machine.
"""
SANDBOX_WITH_TEXTS = """\
Shop:     {url}
Mailbox:  {url}sandbox/

Log in with any address, or with any mobile number of these countries: {countries}.
This vendor sends codes to anybody. The code appears here and in the mailbox. No
data leaves this machine, and nobody gets a text message.
"""
SANDBOX_TO_CONNECT = """\
Shop:     {url}
Mailbox:  {url}sandbox/

This vendor logs nobody in. It proves an address, or a mobile number of these
countries, of a user who is logged in: {countries}. The code or the link appears
here and in the mailbox. No data leaves this machine, and nobody gets a text message.
"""
FOR_CARLA = """
Password: {url}password/
User:     {user}, and the password is the same

After the login, the members' page leads to the page that connects a contact.
"""
LIVE = """\
Shop:     {url}
API:      {api}

PIGGY_VERIFY_API_KEY or PIGGY_VERIFY_BASE_URL is set, so this is the live API. Log
in with the address of a contact of that account. The vendor mails the code to that
address. There is no sandbox, and there are no demo members.
"""
_OF_VENDOR = {
    "piggy": SANDBOX,
    "verifik": SANDBOX_FOR_ANYBODY,
    "punchh": SANDBOX_WITH_TEXTS,
    "transmit": SANDBOX_TO_CONNECT,
}


class Command(BaseCommand):
    """Migrates, adds members to the sandbox, and serves the shop in one process."""

    help = "Migrates, adds members to the sandbox, and serves the shop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option for the port."""
        parser.add_argument(
            "--port",
            type=int,
            help=f"the default is the first free port from {env('PORT')} on",
        )

    def handle(self, *_args: Any, port: int | None, **_options: Any) -> None:
        """Serve until somebody presses Ctrl+C."""
        if not settings.DEBUG:
            raise CommandError("The demo is for your own machine only: set DEBUG=True.")
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Show codes at once, also when the output goes into a pipe.
            sys.stdout.reconfigure(line_buffering=True)
        port = _first_free(port, port) if port else _first_free(env("PORT"))
        call_command("migrate", verbosity=0)
        self.stdout.write(_open_shop(port))
        # The reloader would serve in another process, which has another sandbox.
        call_command("runserver", f"{HOST}:{port}", use_reloader=False)


def _open_shop(port: int) -> str:
    """Add the members to the sandbox, and return the text to print."""
    url = f"http://{HOST}:{port}/"
    if not apps.is_installed("django_piggy_verify.sandbox"):
        return LIVE.format(url=url, api=base_url())
    settings.PIGGY_VERIFY_BASE_URL = f"{url}{SANDBOX_PATH}"
    # After a restart, the sandbox no longer knows the old codes. The cooldown would
    # make people wait for a new one.
    Tally.objects.all().delete()
    for email, uid in MEMBERS.items():
        sandbox.add_contact(email, uid)
        sandbox.set_points(email, POINTS[email])
    _add_user()
    return f"{_OF_VENDOR[VENDOR]}{FOR_CARLA}".format(
        url=url,
        members=", ".join(MEMBERS),
        countries=", ".join(conf.sms_countries),
        user=USER,
    )


def _add_user() -> None:
    """Add the user who logs in by password, unless there is one."""
    if not User.objects.filter(username=USER).exists():
        User.objects.create_user(USER, password=USER)


def _first_free(first: int, last: int | None = None) -> int:
    """Return the first port that is free. Raises CommandError if there is none."""
    last = first + PORTS_TRIED if last is None else last
    for port in range(first, last + 1):
        if _is_free(port):
            return port
    raise CommandError(f"Port {first} is taken, or not allowed: try --port.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True
