"""An API that hangs, and far more visitors than one process can serve."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from django_piggy_verify.login.thread_pool import THREADS, WAITING
from django_piggy_verify.models import Tally
from tests.waiting import wait_until

HANGS = 60
"""Seconds that the API takes."""

VISITORS = 500
ROOM = THREADS + WAITING

FILLER = "x" * 64 * 1024
"""Posted each time, so that the memory shows requests that are kept."""


@pytest.fixture
def overload(visit):
    """Return a function that posts new addresses to a server, many at once."""

    def overload(server, numbers):
        visitors = [visit(server) for _ in range(10)]

        def post(number):
            visitor = visitors[number % 10]
            return visitor.post(email=f"v{number}@example.com", filler=FILLER)

        with ThreadPoolExecutor(10) as pool:
            return [*pool.map(post, numbers)]

    return overload


@pytest.mark.parametrize("server_name", ["gunicorn gthread", "uvicorn"])
def test_a_flood_of_visitors_is_refused_at_once_and_leaves_no_trace(
    serve, visit, overload, piggy_sandbox, server_name
):
    server = serve(server_name, PIGGY_VERIFY_TIMEOUT=2 * HANGS)
    piggy_sandbox.switches.delay = HANGS

    first = overload(server, range(100))
    memory = server.memory()
    others = overload(server, range(100, VISITORS))

    refused = [each for each in first + others if each.status_code == 503]
    accepted = [each for each in first + others if each.status_code == 202]
    assert (len(accepted), len(refused)) == (ROOM, VISITORS - ROOM)
    assert all(int(each.headers["Retry-After"]) > 0 for each in refused)
    assert max(each.elapsed.total_seconds() for each in refused) < HANGS / 4
    assert Tally.objects.get(key__endswith=":send_ip").count == ROOM
    # Nothing of those who were refused is kept.
    assert visit(server).get(headers={"X-Meddling": "count"}).text == str(ROOM + 1)
    assert server.memory() - memory < len(others) * len(FILLER)
    # The jobs that wait hold no connection to the database.
    wait_until(lambda: server.files() < ROOM)
