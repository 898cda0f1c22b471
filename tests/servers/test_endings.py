"""A server that is stopped first sends the codes that wait. A killed one does not."""

import os
import signal
import time
from threading import Event

import pytest
from django.utils import timezone

from django_piggy_verify.login import rate_limits
from django_piggy_verify.login.thread_pool import THREADS
from django_piggy_verify.models import Tally
from tests.servers.running import Visitor

MANY = 20


@pytest.fixture
def gate(piggy_sandbox, monkeypatch):
    """An event that the sandbox waits for before it mails a code."""
    gate, send = Event(), piggy_sandbox.send

    def send_later(email):
        gate.wait(20)
        time.sleep(0.2)
        return send(email)

    monkeypatch.setattr(piggy_sandbox, "send", send_later)
    yield gate
    gate.set()


def ask_in_turn(members):
    for each in members:
        assert each.ask().status_code == 202
        each.browser.close()


def addresses(members):
    return sorted(each.address for each in members)


def recipients(sandbox):
    return sorted(each.recipient for each in sandbox.mails)


def test_a_server_that_is_ended_sends_the_codes_that_wait(
    serve, visit, piggy_sandbox, server_name, gate
):
    server = serve(server_name)
    members = [visit(server) for _ in range(MANY)]
    ask_in_turn(members)

    server.process.send_signal(signal.SIGTERM)
    gate.set()
    server.process.wait(20)

    assert recipients(piggy_sandbox) == addresses(members)


def test_uvicorn_waits_no_longer_than_it_was_told(serve, visit, piggy_sandbox, gate):
    server = serve("uvicorn", "--timeout-graceful-shutdown=1")
    ask_in_turn([visit(server)])

    server.end()

    assert recipients(piggy_sandbox) == []
    assert "Traceback" not in server.console.read_text()


def counts_of(address):
    return {each.limit: each.number for each in rate_limits.usage_of(address)}


def end_cooldowns():
    cooldowns = Tally.objects.filter(key__endswith=":send_cooldown")
    cooldowns.update(ends_at=timezone.now())


def test_a_send_that_was_lost_with_its_server_is_counted_and_can_be_repeated(
    serve, visit, piggy_sandbox, server_name, gate
):
    server = serve(server_name)
    *_, member = members = [visit(server) for _ in range(THREADS + 1)]
    ask_in_turn(members)
    os.kill(server.worker(), signal.SIGKILL)
    server.end()
    gate.set()

    visitor = Visitor(serve(server_name), piggy_sandbox, member.address)
    is_sent = [visitor.ask().json()["sent"]]
    end_cooldowns()
    is_sent += [visitor.ask().json()["sent"]]

    assert is_sent == [False, True]
    assert visitor.type_mailed_code().status_code == 200
    counts = counts_of(member.address)
    assert counts["send_recipient"] == counts["send_recipient_day"] == 2
    assert recipients(piggy_sandbox).count(member.address) == 1
