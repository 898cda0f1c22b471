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
    for name in CALLS:

        def watched(*args, _name=name, _real=getattr(PiggyProvider, name)):
            seen[_name] = connection.in_atomic_block
            return _real(*args)

        monkeypatch.setattr(PiggyProvider, name, watched)
    return seen


def test_no_transaction_is_open_while_upstream_is_called(
    atomic_requests, open_transactions, piggy_sandbox
):
    piggy_sandbox.add_contact(ADDRESS)
    browser = Client()

    log_in(browser, piggy_sandbox)

    assert open_transactions == dict.fromkeys(CALLS, False)
    assert is_logged_in(browser)
