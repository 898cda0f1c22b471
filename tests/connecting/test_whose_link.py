"""Only the user who has asked for a link can go on with it."""

from datetime import timedelta

from django.utils import timezone

from django_piggy_verify.models import Contact, OpenChallenge
from tests.connecting.links import asks, contact_of, follow, go_on
from tests.connecting.steps import (
    CANCEL,
    CONNECT,
    LINK,
    become,
    browser_of,
    contacts_of,
)
from tests.steps import JSON


def test_another_browser_of_the_user_connects_nothing(asked, transmit, shopper):
    follow(transmit)
    response = go_on(browser_of(shopper))

    assert response.url == f"{CONNECT}?expired=none"
    assert asks(transmit) == 0
    assert not contacts_of(shopper)


def test_a_script_in_another_browser_is_told_that_nothing_is_in_progress(
    asked, transmit, shopper
):
    response = go_on(browser_of(shopper), headers=JSON)

    assert response.json()["error"]["code"] == "login_expired"


def test_after_a_log_out_nothing_is_connected(asked, transmit, shopper):
    follow(transmit)
    del asked.cookies["sessionid"]

    response = go_on(asked)

    assert response.url == f"/login/?next={LINK}"
    assert asks(transmit) == 0
    assert not contacts_of(shopper)


def test_a_script_that_is_logged_out_has_to_log_in(asked, transmit):
    del asked.cookies["sessionid"]

    response = go_on(asked, headers=JSON)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"


def test_another_user_of_the_browser_connects_nothing(
    asked, transmit, shopper, django_user_model
):
    follow(transmit)
    other = django_user_model.objects.create_user("other")
    cookie = asked.cookies["piggy_verify_connect"].value
    become(asked, other)

    response = go_on(asked, data={"login": cookie})

    assert response.url == f"{CONNECT}?expired=lost"
    assert asks(transmit) == 0
    assert not Contact.objects.exists()


def test_an_inactive_user_connects_nothing(asked, transmit, shopper):
    follow(transmit)
    type(shopper).objects.update(is_active=False)

    go_on(asked)

    assert asks(transmit) == 0
    assert not Contact.objects.exists()


def test_staff_connect_nothing(asked, transmit, shopper):
    follow(transmit)
    type(shopper).objects.update(is_staff=True)

    assert go_on(asked).status_code == 403
    assert asks(transmit) == 0
    assert not contacts_of(shopper)


def test_after_a_cancel_nothing_is_connected(asked, transmit, shopper):
    follow(transmit)
    asked.post(CANCEL)

    response = go_on(asked)

    assert response.url == f"{CONNECT}?expired=none"
    assert asks(transmit) == 0
    assert not contacts_of(shopper)


def test_an_expired_login_connects_nothing(asked, transmit, shopper, settings):
    follow(transmit)
    settings.PIGGY_VERIFY_LOGIN_TTL = 0

    response = go_on(asked)

    assert response.url == f"{CONNECT}?expired=1"
    assert asks(transmit) == 0
    assert not contacts_of(shopper)


def test_a_send_that_is_too_old_connects_nothing(asked, transmit, shopper):
    follow(transmit)
    OpenChallenge.objects.update(ends_at=timezone.now() - timedelta(seconds=1))

    go_on(asked)

    assert asks(transmit) == 0
    assert not contacts_of(shopper)


def test_the_contact_of_another_user_is_taken(asked, transmit, uid, django_user_model):
    other = django_user_model.objects.create_user("other")
    contact_of(other, uid)
    follow(transmit)

    response = go_on(asked, headers=JSON)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "contact_taken"
    assert Contact.objects.get().user == other
