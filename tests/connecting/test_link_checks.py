"""The button of the link page asks the provider."""

import pytest

from django_piggy_verify.models import Contact
from django_piggy_verify.sandbox import Fault, Switches
from django_piggy_verify.sandbox.users import Attribute, SandboxUser
from tests.connecting.links import asks, connect, counts, follow, go_on
from tests.connecting.steps import CONNECT, LINK, ask, contacts_of
from tests.steps import ADDRESS, BOB, JSON, calls


def test_a_followed_link_connects_the_contact(client, shopper, transmit, uid):
    response = connect(client, transmit)

    [contact] = Contact.objects.all()
    assert response.url == CONNECT
    assert (contact.provider, contact.uid) == ("transmit", uid)
    assert (contact.email, contact.user) == (ADDRESS, shopper)


def test_a_script_is_sent_on(asked, transmit):
    follow(transmit)

    response = go_on(asked, headers=JSON)

    assert (response.status_code, response.json()) == (200, {"redirect_to": CONNECT})


def test_a_link_that_was_not_followed_connects_nothing(asked, shopper):
    response = go_on(asked)

    assert response.status_code == 200
    assert response.context["is_not_followed"]
    assert not contacts_of(shopper)


def test_a_script_is_told_that_the_link_was_not_followed(asked, shopper):
    response = go_on(asked, headers=JSON)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "link_not_followed"


def test_after_a_no_the_user_can_follow_the_link_and_go_on(asked, transmit, shopper):
    go_on(asked)
    follow(transmit)

    response = go_on(asked)

    assert response.url == CONNECT
    assert contacts_of(shopper) == [ADDRESS]


def test_it_leads_where_the_user_wanted_to_go(client, shopper, transmit):
    ask(client, next="/members/?a=1")
    follow(transmit)

    assert go_on(client).url == "/members/?a=1"


def test_nobody_is_logged_in_by_a_link(asked, transmit, shopper):
    key, before = asked.session.session_key, shopper.last_login
    follow(transmit)

    go_on(asked)

    assert asked.session.session_key == key
    shopper.refresh_from_db()
    assert shopper.last_login == before


PROVING = {
    "primary": [(ADDRESS, True)],
    "secondary": [(BOB, True), (ADDRESS, True)],
    "not the first": [(BOB, False), (ADDRESS, True)],
    "upper case": [("ANN@EXAMPLE.COM", True)],
}
NOT_PROVING = {
    "none": [],
    "another": [(BOB, True)],
    "many": [(f"a{number}@example.com", True) for number in range(50)],
    "primary not verified": [(ADDRESS, False), (BOB, True)],
    "secondary not verified": [(BOB, True), (ADDRESS, False)],
    "longer": [(f"{ADDRESS}.evil.example", True)],
    "plus": [("ann+1@example.com", True)],
    "dots": [("a.nn@example.com", True)],
    "white space": [(f" {ADDRESS}", True)],
    "look-alike": [("\N{CYRILLIC SMALL LETTER A}nn@example.com", True)],
    "both": [(f"{BOB},{ADDRESS}", True)],
}


def user_with(uid, addresses):
    return SandboxUser(uid, tuple(Attribute(*each) for each in addresses))


@pytest.mark.parametrize("addresses", PROVING.values(), ids=PROVING)
def test_a_verified_address_of_the_user_proves(
    asked, transmit, shopper, uid, addresses
):
    transmit.users.put(user_with(uid, addresses))

    go_on(asked)

    assert contacts_of(shopper) == [ADDRESS]


@pytest.mark.parametrize("addresses", NOT_PROVING.values(), ids=NOT_PROVING)
def test_no_other_address_proves(asked, transmit, shopper, uid, addresses):
    transmit.users.put(user_with(uid, addresses))

    go_on(asked)

    assert not contacts_of(shopper)


def test_a_letter_whose_small_form_is_ascii_proves_nothing(
    client, shopper, transmit, uid
):
    ask(client, "kim@example.com")
    transmit.users.put(user_with(uid, [("\N{KELVIN SIGN}im@example.com", True)]))

    go_on(client)

    assert not contacts_of(shopper)


def test_the_address_of_another_user_of_the_vendor_proves_nothing(
    asked, transmit, shopper
):
    transmit.users.put(SandboxUser("other", (Attribute(ADDRESS, is_verified=True),)))

    go_on(asked)

    assert not contacts_of(shopper)


def test_a_user_whom_the_vendor_has_deleted_is_told_no(asked, transmit, shopper):
    follow(transmit)
    transmit.switches = Switches(error_code="not_found", fault_on=frozenset({"user"}))

    response = go_on(asked, headers=JSON)

    assert response.json()["error"]["code"] == "link_not_followed"
    assert not contacts_of(shopper)


@pytest.mark.parametrize("fault", [Fault.OUTAGE, Fault.MAINTENANCE, Fault.MALFORMED])
def test_an_outage_uses_nothing_up(asked, transmit, shopper, fault):
    follow(transmit)
    before = counts()
    transmit.switches.fault = fault

    response = go_on(asked)

    assert response.status_code == 503
    assert response.context["retry_url"] == LINK
    assert counts() == before
    transmit.switches.fault = None
    assert go_on(asked).url == CONNECT


def test_a_refused_key_is_no_verdict(asked, transmit, uid, settings):
    follow(transmit)
    settings.PIGGY_VERIFY_API_KEY = transmit.sign_in(uid)

    assert go_on(asked).status_code == 503
    assert asks(transmit) == 1
    settings.PIGGY_VERIFY_API_KEY = "sandbox-key"
    assert go_on(asked).url == CONNECT


def test_with_a_client_the_grant_is_the_key(
    asked, transmit, shopper, settings, piggy_sandbox_server
):
    settings.PIGGY_VERIFY_API_KEY = None
    settings.PIGGY_VERIFY_CLIENT_ID = transmit.client_id
    settings.PIGGY_VERIFY_CLIENT_SECRET = transmit.client_secret
    settings.PIGGY_VERIFY_TOKEN_URL = (
        f"{piggy_sandbox_server.url_of('transmit')}/oidc/token"
    )
    follow(transmit)

    assert go_on(asked).url == CONNECT
    assert calls(transmit) == ["send", "link", "token", "user"]
