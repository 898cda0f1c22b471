"""
A stand-in for the Piggy API, for development and tests only.

It speaks the real API's HTTP, so the product's own client is what runs against
it: mounted in a project with `include("django_piggy_verify.sandbox.urls")`, or
on a port of its own with `sandbox.server.SandboxServer`. Everything is kept in
memory and gone when the process ends. It imports nothing of the product, and
the product imports nothing of it.
"""

import sys

from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.errors import ApiError
from django_piggy_verify.sandbox.records import Call, Mail, SandboxContact
from django_piggy_verify.sandbox.switches import Fault, Switches

__all__ = [
    "ApiError",
    "Call",
    "Fault",
    "Mail",
    "Sandbox",
    "SandboxContact",
    "Switches",
    "sandbox",
]


def _print_mail(mail: Mail) -> None:
    sys.stdout.write(f"[piggy sandbox] code for {mail.recipient}: {mail.code}\n")
    sys.stdout.flush()


sandbox = Sandbox(announce=_print_mail)
"""The instance behind the mounted views, one per process."""
