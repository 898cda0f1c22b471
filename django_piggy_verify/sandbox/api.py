"""
Return the response of an emulated API to an HTTP request, without sockets or Django.

`vendors` has a module for each API.
"""

import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Final

from django_piggy_verify.sandbox import answers
from django_piggy_verify.sandbox.answers import Answer
from django_piggy_verify.sandbox.emulator import Sandbox
from django_piggy_verify.sandbox.pages import Pages
from django_piggy_verify.sandbox.vendors import piggy, punchh, transmit, verifik

VENDORS: Final = {
    "piggy": piggy,
    "verifik": verifik,
    "punchh": punchh,
    "transmit": transmit,
}
"""
The module of each vendor.

Each has `BASE_PATH`, the path of its API without a leading slash. Each also has the
settings of a project that uses it, but for the URL: `PROVIDER`, `OPTIONS`, `SETTINGS`.
"""


def answer(  # noqa: PLR0913 - the parts of an HTTP request
    sandbox: Sandbox,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    pages: Pages | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Answer:
    """
    Return the response of the remote API to a request. No request raises an error.

    `path` is percent-encoded and has no leading slash. Only the call for the portal and
    the link in a mail read the query. `sleep` waits for the `delay` switch. It does so
    after the call has taken effect, so a code is mailed even if the client has given
    up.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    vendor = _vendor_of(path)
    call = vendor.call_of(method, path, lowered, body)
    sandbox.record(call)
    fault = sandbox.switches.fault_for(call.name)
    if fault:
        given = answers.of_fault(fault, sandbox.switches)
    else:
        given = vendor.reply(sandbox, call, pages or Pages())
    sleep(sandbox.switches.delay)
    return given


def _vendor_of(path: str) -> ModuleType:
    """Return the module of a vendor. It is Piggy for paths that no vendor has."""
    modules = VENDORS.values()
    return next((m for m in modules if path.startswith(f"{m.BASE_PATH}/")), piggy)
