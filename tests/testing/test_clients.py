"""
In the tests of a project, the work after a response is over when the client returns.

Both clients of Django see what the work has written, in the transaction of the test.
"""

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.test import AsyncClient, Client, TestCase

from django_piggy_verify.login import rate_limits
from django_piggy_verify.models import AuthToken, Contact, Tally
from django_piggy_verify.sandbox import Fault
from tests.steps import ADDRESS, ask_for_code, calls, log_in

EVERYTHING = ["send", "verify", "auth-token"]


async def log_in_async(browser, sandbox):
    await browser.post("/login/", {"email": ADDRESS})
    fields = {"code": sandbox.last_code(ADDRESS)}
    return await browser.post("/login/code/", fields)


def log_in_with(browser, sandbox):
    if isinstance(browser, AsyncClient):
        return async_to_sync(log_in_async)(browser, sandbox)
    return log_in(browser, sandbox)


@pytest.fixture(params=[Client, AsyncClient])
def browser(request):
    return request.param()


def test_a_test_sees_the_token_of_a_login(browser, contact, piggy_sandbox):
    response = log_in_with(browser, piggy_sandbox)

    assert response.url == "/members/"
    assert AuthToken.objects.get().contact.uid == contact.uid
    assert calls(piggy_sandbox) == EVERYTHING


def test_a_test_sees_that_a_failed_send_is_given_back(client, contact, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    ask_for_code(client)

    assert calls(piggy_sandbox) == ["send"]
    assert not any(each.number for each in rate_limits.usage_of(ADDRESS))


def test_the_work_ends_with_the_transaction_of_the_caller(
    browser, contact, piggy_sandbox
):
    with transaction.atomic():
        log_in_with(browser, piggy_sandbox)
        written = [each.objects.count() for each in (AuthToken, Contact)]
        transaction.set_rollback(True)

    assert written == [1, 1]
    assert not any(each.objects.exists() for each in (AuthToken, Contact, Tally))
    assert calls(piggy_sandbox) == EVERYTHING


def test_a_test_without_a_transaction_sees_the_token(
    transactional_db, browser, piggy_sandbox
):
    piggy_sandbox.add_contact(ADDRESS)

    log_in_with(browser, piggy_sandbox)

    assert AuthToken.objects.exists()


class TestDjangosOwnTestCase(TestCase):
    @pytest.fixture(autouse=True)
    def _sandbox(self, piggy_sandbox):
        self.sandbox = piggy_sandbox
        self.sandbox.add_contact(ADDRESS)

    def test_it_sees_the_token_of_a_login(self):
        log_in(self.client, self.sandbox)

        assert AuthToken.objects.count() == 1

    async def test_its_async_client_sees_the_token_of_a_login(self):
        await log_in_async(self.async_client, self.sandbox)

        assert await AuthToken.objects.acount() == 1
