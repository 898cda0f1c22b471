"""Count the database queries of the pages. A number that grows needs a reason."""

import re

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_piggy_verify.models import Tally
from django_piggy_verify.sandbox import Fault
from tests.connecting.steps import (
    CODE,
    CONNECT,
    LINK,
    ask,
    type_code as type_code_to_connect,
)
from tests.consenting import CONSENTS
from tests.steps import ADDRESS, NUMBER, ask_for_code, log_in, type_code

pytestmark = pytest.mark.usefixtures("unlimited")

TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}
COMMITTED = re.compile(r"BEGIN .*?COMMIT|INSERT|UPDATE|DELETE")
"""A whole transaction, or a statement that writes outside of one."""
SENT = "SENT"


@pytest.fixture
def cooldown(unlimited, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"send_cooldown": "1/60s"}


@pytest.fixture
def marked(monkeypatch):
    """Log `SENT` like a statement when the response has been sent."""

    def close(_request):
        connection.queries_log.append({"sql": SENT})

    monkeypatch.setattr(HttpRequest, "close", close)


def words(act, *args):
    """Return the first word of each SQL statement of a call."""
    with CaptureQueriesContext(connection) as captured:
        act(*args)
    return [query["sql"].split()[0] for query in captured]


def statements(act, *args):
    """Count the SQL statements of a call, without those of transactions."""
    return sum(word not in TRANSACTION for word in words(act, *args))


def statements_until_sent(act, *args):
    """Count the SQL statements until the response has been sent, and after it."""
    logged = [word for word in words(act, *args) if word not in TRANSACTION]
    number = logged.index(SENT)
    return number, len(logged) - number - 1


def write_transactions(act, *args):
    return len(COMMITTED.findall(" ".join(words(act, *args))))


def log_in_from_the_first_page(browser, sandbox):
    browser.get("/login/")
    ask_for_code(browser)
    browser.get("/login/code/")
    type_code(browser, sandbox.last_code(ADDRESS))


def test_the_email_page_takes_no_query(client, db):
    assert statements(client.get, "/login/") == 0


def test_the_code_page_takes_one_query(client, code):
    """The page says so if the code could not be sent."""
    assert statements(client.get, "/login/code/") == 1


def test_the_code_page_of_a_logged_in_user_takes_two_queries(client, member):
    """One query for the session and one for the user, as on every page in Django."""
    assert statements(client.get, "/login/code/") == 2


def test_a_field_error_takes_no_query(client, contact):
    assert statements(ask_for_code, client, "ann") == 0


def test_a_blank_code_takes_one_query(client, code):
    """The page says so if the code could not be sent."""
    assert statements(type_code, client, "") == 1


def test_asking_for_a_code_takes_two_statements_for_all_limits(user, cooldown):
    Tally.objects.filter(key__endswith=":send_cooldown").update(count=0)

    assert statements(ask_for_code, Client()) == 2


def test_a_cooldown_of_several_codes_takes_one_more_to_tell_the_wait(user):
    assert statements(ask_for_code, Client()) == 3


@pytest.mark.usefixtures("cooldown", "marked")
@pytest.mark.parametrize("fault", [None, Fault.MAINTENANCE])
def test_a_code_is_asked_for_with_two_statements_before_the_response(
    client, contact, piggy_sandbox, fault
):
    """The failure of a send is stored after the response."""
    piggy_sandbox.switches.fault = fault

    assert statements_until_sent(ask_for_code, client) == (2, 2 if fault else 0)


@pytest.mark.usefixtures("marked", "code")
@pytest.mark.parametrize(
    ("limit", "status", "number"),
    [("send_cooldown", 302, 2), ("send_recipient", 429, 2)],
)
def test_a_refused_request_for_a_code_takes_at_most_two_statements(
    client, settings, limit, status, number
):
    """
    The second one reads what the visitor needs to know.

    Within the cooldown, it is whether the last send has failed. After a limit, it is
    which steps would be refused as well.
    """
    settings.PIGGY_VERIFY_RATE_LIMITS |= {limit: "1/60s"}

    assert statements_until_sent(ask_for_code, client) == (number, 0)
    assert ask_for_code(client).status_code == status


@pytest.mark.usefixtures("marked")
def test_an_open_circuit_takes_two_statements(client, contact, piggy_sandbox):
    """The second one reads whether it is time for a probe."""
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    for _ in ("the failure", "the probe"):
        ask_for_code(client)

    assert statements_until_sent(ask_for_code, client) == (2, 0)
    assert ask_for_code(client).status_code == 503


@pytest.mark.usefixtures("marked")
@pytest.mark.django_db(transaction=True)
def test_a_further_login_stays_within_its_budget(client, user, piggy_sandbox):
    """After the response, two statements store the token."""
    browser = Client()
    log_in(browser, piggy_sandbox)
    browser.logout()
    ask_for_code(browser)
    code = piggy_sandbox.last_code(ADDRESS)

    assert statements_until_sent(type_code, browser, code) == (10, 2)


@pytest.mark.usefixtures("cooldown")
@pytest.mark.django_db(transaction=True)
def test_a_login_after_a_purge_stays_within_its_budget(user, piggy_sandbox):
    Tally.objects.all().delete()
    browser = Client()

    assert statements(log_in_from_the_first_page, browser, piggy_sandbox) == 14


@pytest.mark.usefixtures("cooldown")
@pytest.mark.django_db(transaction=True)
def test_a_login_takes_five_write_transactions(user, piggy_sandbox):
    """
    They store the send, the check, the login, the session and the token.

    The middleware of Django stores the session after the login, in a transaction of its
    own.
    """
    Tally.objects.all().delete()
    browser = Client()

    assert write_transactions(log_in_from_the_first_page, browser, piggy_sandbox) == 5


@pytest.fixture
def punchh(sandbox_for, cooldown, db):
    """A vendor with a state, consents, and tokens that come with the code."""
    return sandbox_for("punchh")


def ask_by_phone(browser):
    Tally.objects.filter(key__endswith=":send_cooldown").update(count=0)
    browser.post("/login/", {"phone": NUMBER, **CONSENTS})


def log_in_by_phone(browser, sandbox):
    ask_by_phone(browser)
    type_code(browser, sandbox.last_code(NUMBER))


@pytest.mark.usefixtures("marked")
def test_a_send_with_a_state_takes_one_statement_more_after_the_response(punchh):
    """The row of the challenge is stored. One statement is of `ask_by_phone`."""
    ask_by_phone(Client())

    assert statements_until_sent(ask_by_phone, Client()) == (3, 1)


@pytest.mark.usefixtures("marked")
def test_a_resend_with_a_state_takes_one_statement_more_after_the_response(
    client, punchh
):
    ask_by_phone(client)
    Tally.objects.filter(key__endswith=":send_cooldown").update(count=0)

    resend = "/login/code/resend/"
    assert statements_until_sent(client.post, resend) == (3, 1)


def test_a_wrong_code_with_a_state_takes_one_statement_more(client, contact, punchh):
    ask_by_phone(client)
    type_code(client, "wrong")

    assert statements(type_code, client, "wrong again") == 6


@pytest.mark.usefixtures("marked")
@pytest.mark.django_db(transaction=True)
def test_a_further_login_with_a_state_stays_within_its_budget(punchh):
    """
    Without a state, consents and tokens that come with the code, there are 10.

    Four more read and delete the challenge, and store the consents and the tokens.
    """
    log_in_by_phone(Client(), punchh)
    browser = Client()
    ask_by_phone(browser)
    code = punchh.last_code(NUMBER)

    assert statements_until_sent(type_code, browser, code) == (14, 0)


@pytest.fixture
def shopper(client, django_user_model, settings):
    """A user with a password, who may connect contacts."""
    settings.PIGGY_VERIFY_CONNECT = True
    found = django_user_model.objects.create_user("shopper", password="secret-words")
    client.force_login(found, "django.contrib.auth.backends.ModelBackend")
    return found


def test_the_list_of_contacts_takes_three_queries(client, shopper, contact):
    """They read the session, the user and the contacts."""
    assert statements(client.get, CONNECT) == 3


def test_the_page_for_the_code_of_a_connection_takes_three_queries(
    client, shopper, contact
):
    """They read the session, the user, and whether the send has failed."""
    ask(client)

    assert statements(client.get, CODE) == 3


@pytest.mark.usefixtures("cooldown", "marked")
def test_asking_for_a_code_to_connect_takes_two_more_statements(
    client, shopper, contact
):
    """The two more are of the session and of the user."""
    ask(client)
    Tally.objects.filter(key__endswith=":send_cooldown").update(count=0)

    assert statements_until_sent(ask, client) == (4, 0)


@pytest.mark.usefixtures("marked")
@pytest.mark.django_db(transaction=True)
def test_a_connection_stays_within_its_budget(client, shopper, contact, piggy_sandbox):
    """
    Two are of the session and the user, and two count the check.

    Five connect the contact: settle the counts, lock the user, look for the contact and
    for another one, and store it.
    """
    ask(client)
    code = piggy_sandbox.last_code(ADDRESS)

    assert statements_until_sent(type_code_to_connect, client, code) == (9, 0)


def test_the_page_for_the_link_takes_no_query(client, db, sandbox_for, settings):
    sandbox_for("transmit")
    settings.PIGGY_VERIFY_CONNECT = True
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS |= {"email_by": "link"}

    assert statements(client.get, LINK) == 0
