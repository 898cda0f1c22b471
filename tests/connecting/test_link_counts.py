"""A link that was not followed is counted."""

import pytest

from django_piggy_verify import signals
from tests.connecting.links import asks, connect, counts, follow, go_on
from tests.connecting.steps import CODE, CONNECT, ask, contacts_of, twin_of
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, BOB, JSON, NUMBER

LIMIT = 5


def test_a_no_counts_for_the_login_in_progress_and_the_client_address_only(asked):
    before = counts()

    go_on(asked)

    counted = counts()
    added = {limit for limit in counted if counted[limit] != before.get(limit)}
    assert added == {"check_ip", "check_login"}
    assert (counted["check_ip"], counted["check_login"]) == (1, 1)


def test_a_yes_does_not_count(client, shopper, transmit):
    connect(client, transmit)

    assert not {"check_ip", "check_login"} & set(counts())


def test_the_fifth_no_ends_the_login_in_progress(asked, transmit, shopper):
    pages = [go_on(asked) for _ in range(LIMIT)]

    follow(transmit)
    response = go_on(asked)

    assert [page.status_code for page in pages] == [200] * 4 + [429]
    assert response.url == f"{CONNECT}?expired=1"
    assert asks(transmit) == LIMIT
    assert not contacts_of(shopper)


def test_an_old_cookie_has_no_more_attempts(asked, transmit, shopper):
    old = twin_of(asked)
    for _ in range(LIMIT):
        go_on(asked)
    follow(transmit)

    response = go_on(old)

    assert response.status_code == 429
    assert asks(transmit) == LIMIT
    assert not contacts_of(shopper)


def test_a_script_is_told_when_to_try_again(asked):
    for _ in range(LIMIT - 1):
        go_on(asked)

    response = go_on(asked, headers=JSON)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (429, "too_many_attempts")
    assert error["limit"] == "check_login"


def test_wrong_codes_and_links_count_together(client, shopper, transmit, settings):
    options = settings.PIGGY_VERIFY_PROVIDER_OPTIONS
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options | {"email_by": "code"}
    ask(client)
    for number in range(LIMIT - 1):
        client.post(CODE, {"code": f"00000{number}"})
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options

    assert go_on(client).status_code == 429


def test_wrong_codes_of_numbers_count_for_the_same_client_address(
    asked, transmit, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "2/1h"}
    go_on(asked)
    asked.post(CONNECT, {"phone": NUMBER})
    asked.post(CODE, {"code": "000000"})
    ask(asked, BOB)

    response = go_on(asked)

    assert response.status_code == 429
    assert asks(transmit) == 1


@pytest.mark.parametrize("limit", ["check_recipient", "check_recipient_day"])
def test_a_link_is_no_guess_at_an_address(asked, transmit, shopper, settings, limit):
    settings.PIGGY_VERIFY_RATE_LIMITS = {limit: "1/1h"}
    go_on(asked)
    go_on(asked)
    follow(transmit)

    go_on(asked)

    assert contacts_of(shopper) == [ADDRESS]


def test_a_no_is_logged_and_is_no_rejected_code(asked, caplog):
    heard = []

    def hear(**kwargs):
        heard.append(kwargs)

    logged = caplog.at_level("INFO", "django_piggy_verify")
    with receiving(signals.code_rejected, hear), logged:
        go_on(asked)

    assert "is not proved yet" in caplog.text
    assert heard == []
