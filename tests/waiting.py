"""Wait for what happens after a response."""

import time

import pytest

PATIENCE = 60
"""Seconds after which a test fails. Much shorter waits are normal."""


def wait_until(look):
    """Call `look` until it returns something true, and return that."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.01)
    return pytest.fail(f"waited in vain for {look.__qualname__}")


def mailed_code(sandbox, address):
    """Return the newest code for an address that was not used. Wait for its mail."""

    def unused_code():
        mails = (each for each in sandbox.mails if each.recipient == address)
        return next((each.code for each in mails if not each.used), None)

    return wait_until(unused_code)
