"""Count the database queries of the pages. A number that grows needs a reason."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_piggy_verify.models import Tally
from tests.steps import ADDRESS, ask_for_code, log_in, type_code

pytestmark = pytest.mark.usefixtures("unlimited")

TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}


def statements(act, *args):
    """Count the SQL statements of a call, without those of transactions."""
    with CaptureQueriesContext(connection) as captured:
        act(*args)
    first_words = (query["sql"].split()[0] for query in captured)
    return sum(word not in TRANSACTION for word in first_words)


@pytest.mark.parametrize("page", ["/login/", "/login/code/"])
def test_showing_a_page_takes_no_query(client, code, page):
    assert statements(client.get, page) == 0


def test_the_code_page_of_a_logged_in_user_takes_two_queries(client, member):
    """One query for the session and one for the user, as on every page in Django."""
    assert statements(client.get, "/login/code/") == 2


def test_a_field_error_takes_no_query(client, contact):
    assert statements(ask_for_code, client, "ann") == 0


def test_asking_for_a_code_takes_two_statements_for_all_limits(user, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"send_cooldown": "1/60s"}
    Tally.objects.filter(key__endswith=":send_cooldown").update(count=0)

    assert statements(ask_for_code, Client()) == 2


def test_a_cooldown_of_several_codes_takes_one_more_to_tell_the_wait(user):
    assert statements(ask_for_code, Client()) == 3


def test_a_send_held_back_by_the_cooldown_stays_within_its_budget(
    client, code, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"send_cooldown": "1/60s"}
    ask_for_code(client)

    assert statements(ask_for_code, client) == 1


@pytest.mark.django_db(transaction=True)
def test_a_further_login_stays_within_its_budget(client, user, piggy_sandbox):
    browser = Client()
    log_in(browser, piggy_sandbox)
    browser.logout()
    ask_for_code(browser)

    assert statements(type_code, browser, piggy_sandbox.last_code(ADDRESS)) == 14


@pytest.mark.django_db(transaction=True)
def test_a_login_after_a_purge_stays_within_its_budget(user, piggy_sandbox, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"send_cooldown": "1/60s"}
    Tally.objects.all().delete()
    browser = Client()

    assert statements(ask_for_code, browser) == 2
    assert statements(type_code, browser, piggy_sandbox.last_code(ADDRESS)) == 13
