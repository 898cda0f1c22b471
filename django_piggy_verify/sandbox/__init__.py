"""
An emulation of the APIs of four vendors, for development and tests only.

The sandbox answers real HTTP requests, so the package's own client runs against it.
A project can add the sandbox to its URLs with
`include("django_piggy_verify.sandbox.urls")`. `sandbox.server.SandboxServer` serves it
on a separate port. All data is in memory, and is lost when the process ends. The
sandbox imports no other part of the package. The package does not import the sandbox.
"""

import sys

from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.errors import ApiError
from django_piggy_verify.sandbox.records import Call, Mail, SandboxContact, Verdict
from django_piggy_verify.sandbox.switches import Fault, Switches
from django_piggy_verify.sandbox.users import Attribute, SandboxUser, Users

__all__ = [
    "ApiError",
    "Attribute",
    "Call",
    "Fault",
    "Mail",
    "Sandbox",
    "SandboxContact",
    "SandboxUser",
    "Switches",
    "Users",
    "Verdict",
    "sandbox",
]


def _print_mail(mail: Mail) -> None:
    kind, sent = ("link", mail.link) if mail.link else ("code", mail.code)
    sys.stdout.write(f"[piggy sandbox] {kind} for {mail.recipient}: {sent}\n")
    sys.stdout.flush()


sandbox = Sandbox(announce=_print_mail)
"""The instance that the views use, one in each process."""
