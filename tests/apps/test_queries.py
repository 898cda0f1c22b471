"""Count the database queries of the login of an app. A larger number needs a reason."""

import pytest
from django.test import Client

from django_piggy_verify.models import Tally
from tests.apps.steps import CODE, LOGIN
from tests.steps import ADDRESS, log_in
from tests.views.test_queries import (
    cooldown,
    marked,
    statements,
    statements_until_sent,
    write_transactions,
)

__all__ = ["cooldown", "marked"]

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def known(app, piggy_sandbox):
    """An app of a member who has logged in before, and the code that it was sent."""
    log_in(Client(), piggy_sandbox)
    app.ask()
    return app, piggy_sandbox.last_code(ADDRESS)


def end_cooldown():
    Tally.objects.filter(key__endswith=":send_cooldown").update(count=0)


@pytest.mark.usefixtures("cooldown", "marked")
def test_asking_for_a_code_takes_two_statements_before_the_response(app):
    app.ask()
    end_cooldown()

    assert statements_until_sent(app.ask) == (2, 0)


@pytest.mark.usefixtures("cooldown", "marked")
def test_a_resend_takes_one_more_for_the_wrong_codes_of_the_login(app):
    app.ask()
    end_cooldown()

    assert statements_until_sent(app.resend) == (3, 0)


@pytest.mark.parametrize("fields", [{}, {"email": "ann"}])
def test_a_field_error_takes_no_query(app, fields):
    assert statements(lambda: app.post(LOGIN, **fields)) == 0


@pytest.mark.parametrize("fields", [{}, {"login": "forged", "code": "123456"}])
def test_a_code_without_a_login_takes_no_query(app, fields):
    assert statements(lambda: app.post(CODE, **fields)) == 0


def test_a_body_that_is_not_json_takes_no_query(app):
    assert statements(lambda: app.client.post(LOGIN, {"email": ADDRESS})) == 0


@pytest.mark.usefixtures("marked")
def test_a_wrong_code_takes_as_many_as_on_the_page(app, client, contact):
    app.ask()
    app.type_code("wrong")

    assert statements_until_sent(app.type_code, "wrong again") == (5, 0)


@pytest.mark.usefixtures("marked")
@pytest.mark.django_db(transaction=True)
def test_a_further_login_stays_within_its_budget(known):
    """
    Without a session, it takes less than the login of a browser.

    Three statements store which contact the code has proved. After the response, two
    store the auth token.
    """
    app, code = known

    assert statements_until_sent(app.type_code, code) == (9, 2)


@pytest.mark.django_db(transaction=True)
def test_a_further_login_takes_three_write_transactions(known):
    """They store the check, the login with the contact of the code, and the token."""
    app, code = known

    assert write_transactions(app.type_code, code) == 3


@pytest.mark.usefixtures("marked")
@pytest.mark.django_db(transaction=True)
def test_the_same_code_again_takes_three_queries(known):
    """They read the counts, the contact of the code, and its user."""
    app, code = known
    app.type_code(code)

    assert statements_until_sent(app.type_code, code) == (3, 0)
