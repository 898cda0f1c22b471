"""Codes are sent once, after the response, whatever happens to the response."""

import time

import pytest
from django.db import connections

from django_piggy_verify.login import rate_limits
from tests.waiting import mailed_code

SLOW = 3
"""Seconds that the API takes."""

STATUSES = {"nothing": 202, "replace": 200, "stream": 200, "fail": 500}
"""The status of the response after each kind of middleware."""

LONG = "x" * 100_000
"""After a long body, uvicorn handles the connection in the context of its request."""

in_background = pytest.mark.parametrize(
    "background", [True, False], ids=["background", "no background"]
)


@pytest.fixture
def server(serve, server_name, background):
    return serve(server_name, PIGGY_VERIFY_BACKGROUND=background)


@in_background
def test_a_code_is_sent_once_whatever_middleware_does_to_the_response(
    server, visit, piggy_sandbox
):
    members = [visit(server) for _ in STATUSES]

    for member, (meddling, status) in zip(members, STATUSES.items(), strict=True):
        assert member.ask({"X-Meddling": meddling}).status_code == status
        mailed_code(piggy_sandbox, member.address)
        member.browser.close()

    server.end()
    recipients = [each.recipient for each in piggy_sandbox.mails]
    assert recipients[::-1] == [each.address for each in members]


@in_background
def test_the_answer_does_not_wait_for_the_api(server, visit, piggy_sandbox):
    member = visit(server)
    piggy_sandbox.switches.delay = SLOW

    started = time.monotonic()
    answer = member.ask()

    assert answer.status_code == 202
    assert time.monotonic() - started < SLOW


def test_neither_the_next_request_nor_the_end_of_the_connection_waits_for_the_api(
    serve, visit, piggy_sandbox, server_name
):
    server = serve(server_name)
    member, other = visit(server), visit(server)
    piggy_sandbox.switches.delay = SLOW

    started = time.monotonic()
    answers = [member.ask(filler=LONG), member.get("code/"), member.get()]
    other.ask_until_the_end({"Connection": "close"})

    assert time.monotonic() - started < SLOW
    assert mailed_code(piggy_sandbox, other.address)
    ports = {each.headers["X-Port"] for each in answers}
    assert len(ports) == (3 if server_name == "gunicorn sync" else 1)


@in_background
def test_a_visitor_who_disconnects_early_gets_the_code(server, visit, piggy_sandbox):
    member = visit(server)

    member.ask_and_disconnect({"X-Meddling": "linger"})

    assert mailed_code(piggy_sandbox, member.address)


@pytest.fixture
def committed(piggy_sandbox, monkeypatch):
    """The addresses whose counts were committed when the API was called."""
    addresses: list[str] = []
    send = piggy_sandbox.send

    def note(email):
        if any(each.number for each in rate_limits.usage_of(email)):
            addresses.append(email)
        connections.close_all()
        return send(email)

    monkeypatch.setattr(piggy_sandbox, "send", note)
    return addresses


@in_background
def test_a_code_is_sent_after_the_transaction_of_the_request(
    server, visit, piggy_sandbox, committed
):
    """The page of the package has none. The project calls `send_code` in one."""
    ann, bob = visit(server), visit(server)

    ann.ask()
    mailed_code(piggy_sandbox, ann.address)
    bob.get(f"invite/?email={bob.address}")
    mailed_code(piggy_sandbox, bob.address)

    assert committed == [ann.address, bob.address]
