import pytest
from django.db import connection
from django.test import Client

from django_piggy_verify.providers.piggy import PiggyProvider
from tests.steps import ADDRESS, is_logged_in, log_in

CALLS = ["send_code", "check_code", "fetch_auth_token"]


@pytest.fixture
def atomic_requests(transactional_db, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


@pytest.fixture
def open_transactions(monkeypatch):
    """For each upstream call, whether a transaction was open meanwhile."""
    seen = {}

    def watch(name, real):
        def watched(*args):
            seen[name] = connection.in_atomic_block
            return real(*args)

        monkeypatch.setattr(PiggyProvider, name, watched)

    for name in CALLS:
        watch(name, getattr(PiggyProvider, name))
    return seen


def test_no_transaction_is_open_while_upstream_is_called(
    atomic_requests, open_transactions, piggy_sandbox
):
    piggy_sandbox.add_contact(ADDRESS)
    browser = Client()

    log_in(browser, piggy_sandbox)

    assert open_transactions == dict.fromkeys(CALLS, False)
    assert is_logged_in(browser)
