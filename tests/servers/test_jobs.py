"""Codes are sent once, after the response, whatever happens to the response."""

import time

import pytest

from tests.waiting import mailed_code

SLOW = 3
"""Seconds that the API takes."""

STATUSES = {"nothing": 202, "replace": 200, "stream": 200, "fail": 500}
"""The status of the response after each kind of middleware."""

in_background = pytest.mark.parametrize(
    "background", [True, False], ids=["background", "no background"]
)


@in_background
def test_a_code_is_sent_once_whatever_middleware_does_to_the_response(
    serve, visit, piggy_sandbox, server_name, background
):
    server = serve(server_name, PIGGY_VERIFY_BACKGROUND=background)
    members = [visit(server) for _ in STATUSES]

    for member, (meddling, status) in zip(members, STATUSES.items(), strict=True):
        assert member.ask({"X-Meddling": meddling}).status_code == status
        mailed_code(piggy_sandbox, member.address)
        member.browser.close()

    server.end()
    recipients = [each.recipient for each in piggy_sandbox.mails]
    assert recipients[::-1] == [each.address for each in members]


@in_background
def test_the_answer_does_not_wait_for_the_api(
    serve, visit, piggy_sandbox, server_name, background
):
    member = visit(serve(server_name, PIGGY_VERIFY_BACKGROUND=background))
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
    answers = [member.ask(), member.get("code/"), member.get()]
    other.ask_until_the_end({"Connection": "close"})

    assert time.monotonic() - started < SLOW
    assert mailed_code(piggy_sandbox, other.address)
    ports = {each.headers["X-Port"] for each in answers}
    assert len(ports) == (3 if server_name == "gunicorn sync" else 1)


@in_background
def test_a_visitor_who_disconnects_early_gets_the_code(
    serve, visit, piggy_sandbox, server_name, background
):
    member = visit(serve(server_name, PIGGY_VERIFY_BACKGROUND=background))

    member.ask_and_disconnect({"X-Meddling": "linger"})

    assert mailed_code(piggy_sandbox, member.address)
