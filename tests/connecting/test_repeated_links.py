"""The button of the link page is pressed twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_piggy_verify.login import open_challenges
from django_piggy_verify.models import Tally
from tests.connecting.links import asks, connect, contact_of, follow, go_on
from tests.connecting.steps import CONNECT, LINK, RESEND, contacts_of, twin_of
from tests.steps import ADDRESS, JSON


def test_a_second_click_leads_where_the_first_one_did(asked, transmit, shopper):
    follow(transmit)
    twin = twin_of(asked)

    pages = [go_on(each) for each in (asked, twin)]

    assert [page.url for page in pages] == [CONNECT, CONNECT]
    assert asks(transmit) == 1
    assert not pages[1].cookies


def test_a_second_click_during_the_first_one_asks_nobody(
    asked, transmit, shopper, monkeypatch
):
    follow(transmit)
    twin, open_newest = twin_of(asked), open_challenges.open_newest
    during = list[Any]()

    def act(*args):
        if not during:
            during.append(None)
            during[0] = go_on(twin)
        return open_newest(*args)

    monkeypatch.setattr(open_challenges, "open_newest", act)
    response = go_on(asked)

    assert (response.url, during[0].url) == (CONNECT, LINK)
    assert asks(transmit) == 1


def test_a_refusal_is_the_same_twice(asked, transmit, shopper):
    contact_of(shopper, "old")
    follow(transmit)

    pages = [go_on(asked, headers=JSON) for _ in range(2)]

    codes = [page.json()["error"]["code"] for page in pages]
    assert codes == ["already_connected"] * 2
    assert asks(transmit) == 1


def test_a_worker_that_died_during_a_check_ends_the_link_only(
    asked, transmit, shopper, settings, caplog
):
    caplog.set_level("INFO", "django_piggy_verify")
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "9/1s"}
    asked.raise_request_exception = False
    follow(transmit)
    Tally.objects.filter(key__contains="code_").delete()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_challenges, "open_newest", lambda *_: 1 / 0)
        go_on(asked)
    earlier = timezone.now() + timedelta(seconds=500)
    Tally.objects.filter(key__contains="code_").update(ends_at=earlier)

    assert go_on(asked, headers=JSON).status_code == 409
    assert "is not proved yet" in caplog.text
    asked.post(RESEND)
    assert go_on(asked).url == CONNECT


def test_the_user_can_connect_the_contact_again(client, shopper, transmit, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "9/1s"}
    connect(client, transmit)

    response = connect(client, transmit)

    assert response.url == CONNECT
    assert contacts_of(shopper) == [ADDRESS]
