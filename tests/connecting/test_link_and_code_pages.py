"""Links for addresses, beside codes for numbers."""

import pytest

from django_piggy_verify import signals
from django_piggy_verify.models import Contact
from tests.connecting.links import follow, go_on
from tests.connecting.steps import CODE, CONNECT, LINK, RESEND
from tests.secrecy.evidence import receiving
from tests.steps import ADDRESS, JSON, NUMBER, calls


def test_a_resend_mails_another_link(asked, transmit, shopper, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "9/1s"}
    old = transmit.last_link(ADDRESS)

    response = asked.post(RESEND)

    assert response.url == LINK
    assert transmit.last_link(ADDRESS) != old
    follow(transmit)
    assert go_on(asked).url == CONNECT


def test_within_the_cooldown_no_link_is_mailed(asked, transmit):
    response = asked.post(RESEND)

    assert response.url == LINK
    assert calls(transmit) == ["send"]


def test_the_page_after_a_no_can_have_another_link_mailed(asked, transmit):
    page = go_on(asked)

    assert f'action="{RESEND}"' in page.text
    assert str(page.context["login"]) in page.text


def test_a_resend_keeps_the_count(asked, transmit, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "9/1s"}
    for _ in range(4):
        go_on(asked)
    asked.post(RESEND)

    assert go_on(asked).status_code == 429


def test_a_number_gets_a_code_beside_links(client, shopper, transmit):
    response = client.post(CONNECT, {"phone": NUMBER})

    client.post(CODE, {"code": transmit.last_code(NUMBER)})

    assert response.url == CODE
    assert Contact.objects.get().phone == NUMBER


def test_the_link_page_leads_to_the_code_of_a_number(client, shopper, transmit):
    client.post(CONNECT, {"phone": NUMBER})

    response = go_on(client)

    assert response.url == CODE
    assert calls(transmit) == ["send"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_code_page_leads_to_the_link(asked, transmit, method):
    response = asked.generic(method, CODE)

    assert response.url == LINK
    assert calls(transmit) == ["send"]


def test_the_state_and_the_signal_name_the_channel(client, shopper, transmit):
    heard = []

    def hear(channel, **kwargs):
        heard.append(channel)

    with receiving(signals.code_sent, hear):
        response = client.post(CONNECT, {"email": ADDRESS}, headers=JSON)

    assert heard == ["link"]
    assert response.json()["channel"] == "link"
    state = client.get(CODE, headers=JSON)
    assert (state.status_code, state.json()["channel"]) == (200, "link")
