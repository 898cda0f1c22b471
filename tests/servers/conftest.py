from contextlib import ExitStack
from itertools import count

import pytest

from tests.servers.running import SERVERS, Visitor, running_server

numbers = count()


@pytest.fixture(params=SERVERS)
def server_name(request):
    return request.param


@pytest.fixture
def serve(transactional_db, piggy_sandbox_server, piggy_sandbox, tmp_path):
    """Return a function that starts a server: its name, and settings."""
    with ExitStack() as stack:

        def serve(name, *options, **settings):
            url = piggy_sandbox_server.base_url
            return stack.enter_context(
                running_server(name, tmp_path, url, options, **settings)
            )

        yield serve


@pytest.fixture
def visit(piggy_sandbox):
    """Return a function that makes a member who visits a server."""

    def visit(server):
        member = piggy_sandbox.add_contact(f"m{next(numbers)}@example.com")
        return Visitor(server, piggy_sandbox, member.email)

    return visit
