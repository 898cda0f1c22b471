import pytest
from django.db import connection
from django.test import Client

from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.providers.piggy import PiggyProvider
from tests.open_transactions import watch
from tests.steps import ADDRESS, ask_for_code, calls, is_logged_in, log_in, type_code

CALLS = ["send_code", "check_code", "fetch_auth_token"]


@pytest.fixture
def atomic_requests(transactional_db, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


@pytest.fixture
def open_transactions(monkeypatch):
    """Whether a transaction was open, for each call to the API."""
    return watch(monkeypatch, PiggyProvider, CALLS)


def test_no_transaction_is_open_while_upstream_is_called(
    atomic_requests, open_transactions, piggy_sandbox
):
    piggy_sandbox.add_contact(ADDRESS)
    browser = Client()

    log_in(browser, piggy_sandbox)

    assert open_transactions == dict.fromkeys(CALLS, False)
    assert is_logged_in(browser)


class BrokenBackend(PiggyBackend):
    """A backend of a project that fails after the code was right."""

    def update_user(self, request, user, identity):
        raise RuntimeError


def test_a_code_stays_used_although_the_view_fails(
    atomic_requests, contact, piggy_sandbox, settings
):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.BrokenBackend"]
    piggy_sandbox.switches.reuse_codes = True
    browser = Client(raise_request_exception=False)
    first = log_in(browser, piggy_sandbox)

    again = type_code(browser, piggy_sandbox.last_code(ADDRESS))

    assert (first.status_code, again.status_code) == (500, 200)
    assert calls(piggy_sandbox).count("verify") == 1


def test_a_send_stays_counted_although_the_page_fails(
    atomic_requests, contact, piggy_sandbox, settings, monkeypatch
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    browser = Client(raise_request_exception=False)
    with monkeypatch.context() as broken:
        broken.setattr("django_piggy_verify.login.pending.begin", None)
        first = ask_for_code(browser)

    again = ask_for_code(browser, "bob@example.com")

    assert (first.status_code, again.status_code) == (500, 429)
