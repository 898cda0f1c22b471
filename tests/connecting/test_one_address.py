"""Two users ask for codes to one address at a vendor that sends with their access."""

import pytest

from tests.connecting.steps import CODE, ask, browser_of, contacts_of, type_code
from tests.steps import ADDRESS, JSON

pytestmark = pytest.mark.django_db


@pytest.fixture
def by_code(transmit, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS |= {"email_by": "code"}
    return transmit


@pytest.fixture
def other(django_user_model):
    return browser_of(django_user_model.objects.create_user("other"))


def test_the_send_of_another_user_does_not_ask_to_log_in_again(
    client, shopper, by_code, other, unlimited
):
    ask(client)
    ask(other)

    response = client.post(CODE, {"code": "000000"}, headers=JSON)

    assert response.json()["error"]["code"] == "code_rejected"


def test_the_own_send_counts_after_the_send_of_another_user(
    client, shopper, by_code, other, unlimited
):
    ask(client)
    code = by_code.last_code(ADDRESS)
    ask(other)

    type_code(client, code)

    assert [call.body.get("passcode") for call in by_code.calls][-1] == code


def test_of_several_sends_to_a_user_the_newest_counts(
    client, shopper, by_code, unlimited
):
    ask(client)
    ask(client)

    type_code(client, by_code.last_code(ADDRESS))

    assert contacts_of(shopper) == [ADDRESS]


def test_a_user_who_had_nothing_sent_has_to_log_in_again(
    client, shopper, by_code, django_user_model
):
    """The sandbox makes the access of the user, so another user has another access."""
    ask(client)
    other = browser_of(django_user_model.objects.create_user("late"))
    ask(other)

    code = by_code.last_code(ADDRESS)
    response = other.post(CODE, {"code": code}, headers=JSON)

    assert response.json()["error"]["code"] == "login_required"
    assert not contacts_of(shopper)


def test_the_fifth_address_that_the_vendor_calls_taken_ends_the_attempts(
    client, shopper, by_code
):
    ask(client)
    by_code.switches.error_code = "conflict"

    codes = [type_code(client, f"00000{n}").status_code for n in range(5)]

    assert codes == [409, 409, 409, 409, 429]
