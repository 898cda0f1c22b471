"""An outage of the API, seen by the visitors of two processes."""

import pytest
from django.utils import timezone

from django_piggy_verify.models import Tally
from django_piggy_verify.sandbox import Fault
from tests.steps import calls
from tests.waiting import wait_until


@pytest.fixture
def servers(serve, server_name):
    """Two processes that share a database."""
    return [serve(server_name) for _ in range(2)]


def is_told_of_the_failure(member):
    return member.get("code/").status_code == 503


def let_seconds_pass():
    """Let it be time for another probe."""
    probes = Tally.objects.filter(key__endswith=":circuit_probe")
    assert probes.update(ends_at=timezone.now())


def test_the_visitors_of_all_processes_are_told_of_an_outage_and_can_go_on_after_it(
    servers, visit, piggy_sandbox
):
    first, probe, other = map(visit, [servers[0], servers[1], servers[0]])
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    assert first.ask().status_code == 202
    wait_until(lambda: is_told_of_the_failure(first))
    assert [each.ask().status_code for each in (probe, other)] == [503, 503]
    assert calls(piggy_sandbox) == ["send", "send"]

    piggy_sandbox.switches.fault = None
    assert other.ask().status_code == 503
    let_seconds_pass()
    assert [each.ask().status_code for each in (probe, other)] == [202, 202]
    assert first.post("code/resend/").status_code == 202
    assert first.type_mailed_code().status_code == 200
