"""
Test whether the pages show who is a contact and who is a stranger.

The test compares what the pages return. It does not matter who wrote the templates,
views, forms and middleware, so a project can test its own.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import unified_diff
from typing import Final, NamedTuple
from unittest.mock import patch

from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string

from django_piggy_verify import consent_fields
from django_piggy_verify.exceptions import PiggyVerifyError
from django_piggy_verify.login import rate_limits, verification
from django_piggy_verify.login.circuit import Circuit
from django_piggy_verify.providers import get_provider
from django_piggy_verify.sandbox import Sandbox, Switches
from django_piggy_verify.testing.transcripts import masked, transcript

FLOOR: Final = 0.05
"""Seconds that a send must last. Without a floor it is much faster."""

_SETTINGS: Final = {
    "PIGGY_VERIFY_LOGIN_TTL": 600,
    "PIGGY_VERIFY_RATE_LIMITS": {
        "send_cooldown": "1/60s",
        "send_recipient": "3/15m",
        "check_login": 2,
        # Both visitors share these counts. Only one of them would reach the limit.
        "send_ip": "999/1h",
        "check_ip": "999/1h",
    },
}


class _Step(NamedTuple):
    name: str
    method: str
    page: str
    call: str = ""
    """The API call that the step must cause. Otherwise the step proves nothing."""
    wait: int = 0
    """Seconds that pass before the step."""


STEPS: Final = (
    _Step("the email page", "get", "email?next=/next/"),
    _Step("asking for a code", "post", "email", call="send"),
    _Step("the code page", "get", "code"),
    _Step("a wrong code", "post", "code", call="verify"),
    _Step("a resend within the cooldown", "post", "resend"),
    _Step("a resend", "post", "resend", call="send", wait=60),
    _Step("the last wrong code", "post", "code"),
    _Step("a code for a closed login", "post", "code"),
    _Step("the code page of a closed login", "get", "code"),
    _Step("asking once more", "post", "email", wait=60),
    _Step("the code page of a login that is too old", "get", "code", wait=600),
    _Step("the email page after that", "get", "email?expired=1&next=/next/"),
    _Step("asking too often", "post", "email"),
    _Step("cancelling", "post", "cancel"),
    _Step("the code page after cancelling", "get", "code"),
)


_CONNECT: Final = {
    "email": "connect",
    "code": "connect-code",
    "resend": "connect-resend",
    "cancel": "connect-cancel",
}
"""The name of each connect page, by the name of the login page in `STEPS`."""


def assert_strangers_look_like_contacts(  # noqa: PLR0913  the parts of a comparison
    sandbox: Sandbox,
    *,
    contact: str = "lee.1.ann@example.com",
    stranger: str = "lee.2.ann@example.com",
    user: AbstractBaseUser | None = None,
    new_client: Callable[..., Client] = Client,
    ignore: str = "",
) -> None:
    """
    Raise AssertionError, with a diff, if a page shows who is a contact.

    A member who has logged in before and a stranger take the same steps. They ask for
    a code, type a wrong code, ask again, reach limits, come too late and cancel. They
    do so in HTML and in JSON. The status, headers, cookies, body and API calls of both
    must be equal. Only the following may differ: the address in any spelling, CSRF
    tokens, nonces, PKCE challenges and verifiers, and ids. The ids are those of
    browsers, sessions, logins in progress and sends.

    With a `user`, both visitors are logged in as this user. They take the steps on the
    pages that connect a contact. The member is then another user.

    Django's test client sends the code in the request's own thread, when it closes the
    request. Each request that sends a code must last for ``PIGGY_VERIFY_SEND_FLOOR``.
    The function does not compare durations above the floor.

    The function needs the database. It stops the clocks, and sets the limits and the
    durations that the steps need. A failed send of one visitor does not stop the sends
    of the other one. The function does not change the switches of the sandbox.
    `contact` and `stranger` must have the same length. `new_client` creates the
    browsers, for example ``partial(Client, SERVER_NAME="shop.example")``. `ignore` is a
    regular expression for text that may differ too, such as ``"X-Request-ID: .*"``.
    """
    if len(contact) != len(stranger):
        raise ValueError("the two addresses have different lengths")
    sandbox.remove_contact(stranger)
    _make_a_member_of(contact, sandbox)
    with override_settings(**_SETTINGS), _stopped_clock() as clock:
        for accept in ("text/html", "application/json"):
            # A new code each time: an earlier run may have used a later clock.
            code = get_random_string(10)
            pair = [
                _Visitor(
                    sandbox, new_client(HTTP_ACCEPT=accept), address, code, user, ignore
                )
                for address in (contact, stranger)
            ]
            for step in STEPS:
                clock.pass_by(step.wait)
                seen = [visitor.take(step) for visitor in pair]
                call = step.call if sandbox.switches == Switches() else ""
                _judge(f"{step.name} ({accept})", call, *seen)


class _Seen(NamedTuple):
    text: str
    calls: set[str]
    took: float


@dataclass(frozen=True)
class _Visitor:
    """One of the two visitors, in a new browser."""

    sandbox: Sandbox
    client: Client
    address: str
    code: str
    user: AbstractBaseUser | None
    ignore: str

    def __post_init__(self) -> None:
        """Clear the counts of earlier runs, and log the user in."""
        rate_limits.unlock(self.address)
        if self.user is not None:
            self.client.force_login(self.user)  # type: ignore[arg-type]

    def take(self, step: _Step) -> _Seen:
        earlier, started = len(self.sandbox.calls), time.monotonic()
        response = self._answer_to(step)
        took = time.monotonic() - started
        # The other visitor has to find the circuit as this one has found it.
        Circuit(get_provider().name).forget()
        calls = self.sandbox.calls[earlier:]
        text = transcript(response, calls)
        text = masked(text, address=self.address, ignore=self.ignore)
        return _Seen(text, {each.name for each in calls}, took)

    def _answer_to(self, step: _Step) -> HttpResponse:
        name, mark, query = step.page.partition("?")
        name = _CONNECT[name] if self.user is not None else name
        url = f"{reverse(f'piggy_verify:{name}')}{mark}{query}"
        boxes = consent_fields.names(verification.traits().consents)
        fields = {"next": "/next/", "email": self.address, "code": self.code}
        fields |= dict.fromkeys(boxes, "on")
        request = getattr(self.client, step.method)
        floor = FLOOR if step.call == "send" else 0
        with override_settings(PIGGY_VERIFY_SEND_FLOOR=floor):
            answer: HttpResponse = request(
                url, fields if step.method == "post" else {}, secure=True
            )
        return answer


def _judge(step: str, call: str, contact: _Seen, stranger: _Seen) -> None:
    """Compare what both visitors saw. The step must have caused the `call`, if any."""
    if contact.text != stranger.text:
        texts = contact.text.splitlines(), stranger.text.splitlines()
        diff = "\n".join(unified_diff(*texts, "contact", "stranger", lineterm=""))
        raise AssertionError(f"{step} shows who is a contact:\n{diff}")
    if call and call not in contact.calls:
        raise AssertionError(f"{step} caused no call to the API:\n{contact.text}")
    took = min(contact.took, stranger.took)
    if call == "send" and took < FLOOR:
        raise AssertionError(
            f"{step} took {took:.3f} s, with a PIGGY_VERIFY_SEND_FLOOR of {FLOOR} s"
        )


def _make_a_member_of(contact: str, sandbox: Sandbox) -> None:
    """Give the contact a user, if the project creates users."""
    sandbox.add_contact(contact)
    rate_limits.unlock(contact)
    Circuit(get_provider().name).forget()
    with suppress(PiggyVerifyError), _no_failures_of(sandbox):
        verification.send_code(contact, consents=verification.traits().consents)
        code = sandbox.last_code(contact)
        authenticate(RequestFactory().get("/"), recipient=contact, secret_code=code)


@contextmanager
def _no_failures_of(sandbox: Sandbox) -> Iterator[None]:
    switches, sandbox.switches = sandbox.switches, Switches()
    try:
        yield
    finally:
        sandbox.switches = switches


class _Clock:
    def __init__(self) -> None:
        self._now = timezone.now().replace(microsecond=0)

    def now(self) -> datetime:
        return self._now

    def time(self) -> float:
        return self._now.timestamp()

    def pass_by(self, seconds: int) -> None:
        self._now += timedelta(seconds=seconds)


@contextmanager
def _stopped_clock() -> Iterator[_Clock]:
    """Stop the clocks of Django and of this package, so that all times are equal."""
    clock = _Clock()
    with patch("time.time", clock.time), patch.object(timezone, "now", clock.now):
        yield clock
