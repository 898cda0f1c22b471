"""Use the sandbox that a project mounts in its URLs."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connections
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from django_piggy_verify.sandbox import (
    Attribute,
    Fault,
    SandboxUser,
    sandbox,
    views,
)
from tests.steps import NUMBER

EMAIL = "john@example.com"
VERIFICATION = "/sandbox/api/v3/oauth/clients/contact-verification"
PAGES = ("add-contact", "remove-contact", "set-points", "set-switches", "reset")
AUTH_URL = "/sandbox/api/v3/oauth/clients/contacts-portal/auth-url"
HEADERS = {"authorization": "Bearer key"}


@pytest.fixture(autouse=True)
def _development(settings: Settings) -> Iterator[None]:
    settings.DEBUG = True
    sandbox.reset()
    yield
    sandbox.reset()


def _url(name: str) -> str:
    return reverse(f"piggy_verify_sandbox:{name}")


def _page(client: Client) -> str:
    """Return the page with the mailbox. A space stands for all white space."""
    return " ".join(client.get(_url("mailbox")).text.split())


def _details(client: Client, summary: str) -> str:
    """Return the start tag and the summary of an element that can be opened."""
    page = _page(client)
    start = page.rindex("<details", 0, page.index(summary))
    return page[start : page.index("</summary>", start)]


@pytest.mark.parametrize("debug", [True, False])
def test_every_view_reads_debug_at_each_request(
    client: Client, settings: Settings, *, debug: bool
) -> None:
    settings.DEBUG = debug
    strict = Client(enforce_csrf_checks=True)

    statuses = {
        client.get(_url("mailbox")).status_code,
        client.get(_url("portal")).status_code,
        client.post(f"{VERIFICATION}/send", headers=HEADERS).status_code,
        *(strict.post(_url(page)).status_code for page in PAGES),
    }

    assert statuses == ({200, 400, 403} if debug else {404})


def test_the_whole_login_works_over_the_mounted_api(client: Client) -> None:
    uid = sandbox.add_contact(EMAIL).uid

    for path, fields in (("send", {}), ("verify", {"code": "last_code"})):
        form = {"email": EMAIL} | {name: sandbox.last_code(EMAIL) for name in fields}
        response = client.post(
            f"{VERIFICATION}/{path}", form, "application/json", headers=HEADERS
        )
        assert response.status_code == 200

    assert response.json()["data"] == {"uuid": uid}
    token = client.get(f"{VERIFICATION}/auth-token/{uid}", headers=HEADERS)
    assert token.json()["data"]["auth_token"].startswith("eyJ")
    assert "no-cache" in token["Cache-Control"]


def test_the_token_endpoint_takes_a_form(client: Client) -> None:
    body = "grant_type=client_credentials&client_id=sandbox&client_secret=sandbox"

    response = client.post(
        "/sandbox/oauth/token", body, "application/x-www-form-urlencoded"
    )

    assert response.json()["token_type"] == "Bearer"


def test_an_escaped_uid_arrives_as_one_segment(client: Client) -> None:
    sandbox.add_contact(EMAIL, uid="a b%2F?ü")

    response = client.get(
        f"{VERIFICATION}/auth-token/a%20b%252F%3F%C3%BC", headers=HEADERS
    )

    assert response.status_code == 200


def test_a_link_leads_to_the_mounted_portal(client: Client) -> None:
    uid = sandbox.add_contact(EMAIL, uid="a&b").uid
    asked = client.get(AUTH_URL, {"contact_uuid": uid}, headers=HEADERS)

    link = asked.json()["data"]["url"]

    assert link.startswith("http://testserver/sandbox/portal/?token=")
    assert f"belongs to {EMAIL}" in client.get(link).text


def test_the_portal_opens_with_a_link_only(client: Client) -> None:
    response = client.get(_url("portal"), {"token": "made up"})

    assert response.status_code == 403
    assert "The link does not work." in response.text


def test_a_fault_is_passed_on_with_its_headers(client: Client) -> None:
    sandbox.switches.fault = Fault.REDIRECT

    response = client.post(f"{VERIFICATION}/send")

    assert response.status_code == 302
    assert response["Location"] == "https://elsewhere.invalid/"


def test_no_view_is_wrapped_in_a_transaction_or_needs_a_login() -> None:
    for view in (views.api, views.mailbox, views.portal, views.reset):
        assert view.__dict__["login_required"] is False
        assert view.__dict__["_non_atomic_requests"] == set(connections)


def test_a_mail_is_printed_and_shown(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.add_contact(EMAIL)

    mail = sandbox.send(EMAIL)

    expected = f"[piggy sandbox] code for {EMAIL}: {mail.code}\n"
    assert capsys.readouterr().out == expected
    page = _page(client)
    assert f"<code>{mail.code}</code>" in page
    assert f'data-sandbox-copy="{mail.code}"' in page
    assert f"Email to <b>{EMAIL}</b>" in page
    assert "Not used yet" in page


def test_a_contact_is_added_and_removed(client: Client) -> None:
    response = client.post(_url("add-contact"), {"email": EMAIL, "uid": "1"})
    assert response.status_code == 302
    assert [contact.uid for contact in sandbox.contacts] == ["1"]
    assert f"<bdi>{EMAIL}</bdi>" in _page(client)

    response = client.post(_url("remove-contact"), {"recipient": EMAIL})
    assert response.status_code == 302
    assert not sandbox.contacts


def test_points_are_set_and_shown(client: Client) -> None:
    sandbox.add_contact(EMAIL)

    response = client.post(_url("set-points"), {"recipient": EMAIL, "points": "-12345"})

    assert (response.status_code, response["Location"]) == (302, _url("mailbox"))
    assert sandbox.contacts[0].points == -12345
    assert 'value="-12345"' in _page(client)


def test_points_that_are_no_number_are_refused(client: Client) -> None:
    sandbox.add_contact(EMAIL)

    response = client.post(_url("set-points"), {"recipient": EMAIL, "points": "many"})

    assert "Enter a whole number." in response.text
    assert sandbox.contacts[0].points == 0


def test_points_of_nobody_are_no_error(client: Client) -> None:
    response = client.post(_url("set-points"), {"recipient": EMAIL, "points": "1"})

    assert response.status_code == 302


def test_a_text_is_shown_as_a_text(client: Client) -> None:
    sandbox.send_to_anybody("ann@example.com")
    assert "Text message to" not in _page(client)

    sandbox.send_to_anybody(NUMBER)

    assert f"Text message to <b>{NUMBER}</b>" in _page(client)


def test_a_contact_with_a_number_is_added_and_removed(client: Client) -> None:
    client.post(_url("add-contact"), {"phone": NUMBER})
    page = _page(client)
    assert f"<bdi>{NUMBER}</bdi>" in page
    assert f"user id {sandbox.contacts[0].user_id}<" in page
    assert f'name="recipient" value="{NUMBER}"' in page

    client.post(_url("remove-contact"), {"recipient": NUMBER})
    assert not sandbox.contacts


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"phone": "0612345678"}, "Enter a valid value."),
        ({"uid": "1"}, "Enter an e-mail address or a number."),
    ],
)
def test_a_contact_who_gets_no_codes_is_not_added(
    client: Client, fields: dict[str, str], error: str
) -> None:
    response = client.post(_url("add-contact"), fields)

    assert error in response.text
    assert not sandbox.contacts


def test_an_address_that_is_none_is_not_added(client: Client) -> None:
    response = client.post(_url("add-contact"), {"email": "<b>"})

    assert "Enter a valid email address." in response.content.decode()
    assert not sandbox.contacts


SWITCHES = {"error_status": 422, "errors_as": "list", "delay": "0.5"}


def test_all_switches_are_set_and_shown(client: Client) -> None:
    chosen = {
        "fault": "outage",
        "error_code": "7002",
        "fault_on": ["send", "token"],
        "bare_token": "on",
        "reuse_codes": "on",
        "failing_profiles": "2",
    }

    client.post(_url("set-switches"), SWITCHES | chosen)

    switches = sandbox.switches
    assert (switches.fault, switches.error_code) == (Fault.OUTAGE, 7002)
    assert switches.fault_on == frozenset({"send", "token"})
    assert (switches.error_status, switches.errors_as) == (422, "list")
    assert (switches.delay, switches.bare_token, switches.reuse_codes) == (
        0.5,
        True,
        True,
    )
    assert switches.failing_profiles == 2
    assert '<option value="outage" selected>' in _page(client)


def test_switches_are_turned_off_again(client: Client) -> None:
    sandbox.switches.fault = Fault.OUTAGE
    sandbox.switches.fault_on = frozenset({"send"})
    sandbox.switches.failing_profiles = 2

    client.post(_url("set-switches"), SWITCHES)

    assert sandbox.switches.fault is None
    assert sandbox.switches.fault_on is None
    assert sandbox.switches.bare_token is False
    assert sandbox.switches.failing_profiles == 0


def test_a_switch_that_makes_no_sense_is_refused(client: Client) -> None:
    response = client.post(_url("set-switches"), SWITCHES | {"delay": "-1"})

    assert "greater than or equal to 0" in response.content.decode()
    assert sandbox.switches.delay == 0


def test_the_page_says_when_switches_are_on(client: Client) -> None:
    assert "Switches are on" not in _page(client)
    assert "<details open>" not in _details(client, "answer slowly")

    sandbox.switches.delay = 1

    assert "Switches are on" in _page(client)
    assert "<details open>" in _details(client, "answer slowly")


def test_the_form_for_contacts_is_folded_away_once_there_is_one(client: Client) -> None:
    assert "<details open>" in _details(client, "Add a contact")

    sandbox.add_contact(EMAIL)

    assert "<details>" in _details(client, "Add a contact")


def test_every_fault_is_told_in_plain_words(client: Client) -> None:
    page = _page(client)

    assert all(f'<option value="{fault.value}">It' in page for fault in Fault)


def test_a_label_ends_without_a_colon(client: Client) -> None:
    assert "A used code works again, until it expires</label>" in _page(client)


def test_the_newest_mail_stands_on_top(client: Client) -> None:
    sandbox.send_to_anybody("first@example.com")
    sandbox.send_to_anybody("second@example.com")

    page = _page(client)

    assert page.index("second@example.com") < page.index("first@example.com")


@pytest.mark.parametrize(
    ("brand", "way_back"),
    [
        pytest.param({}, '<a href="/">← Back to the site</a>', id="no brand"),
        pytest.param(
            {"name": "<b>", "url": "/shop/"},
            '<a href="/shop/">← Back to &lt;b&gt;</a>',
            id="brand",
        ),
    ],
)
def test_the_pages_lead_back_to_the_site(
    client: Client, settings: Settings, brand: dict[str, str], way_back: str
) -> None:
    settings.PIGGY_VERIFY_BRAND = brand

    assert way_back in _page(client)
    assert way_back in client.get(_url("portal")).text


def test_reset_forgets_everything(client: Client) -> None:
    sandbox.add_contact(EMAIL)

    response = client.post(_url("reset"))

    assert response["Location"] == _url("mailbox")
    assert not sandbox.contacts


def test_the_forms_work_with_csrf_checks_on() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.get(_url("mailbox"))
    token = {"csrfmiddlewaretoken": strict.cookies["csrftoken"].value}

    response = strict.post(_url("add-contact"), {"email": EMAIL} | token)

    assert response.status_code == 302


def test_pages_that_change_something_are_post_only(client: Client) -> None:
    assert {client.get(_url(page)).status_code for page in PAGES} == {405}
    assert client.post(_url("mailbox")).status_code == 405


def test_the_name_of_a_contact_is_escaped(client: Client) -> None:
    sandbox.add_contact("<script>@example.com", uid="<script>")
    sandbox.send("<script>@example.com")

    page = _page(client)

    assert "<script>" not in page
    assert "<style" not in page
    assert " style=" not in page


def test_the_sandbox_can_be_an_installed_app(settings: Settings) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_piggy_verify.sandbox"]

    assert apps.get_app_config("piggy_verify_sandbox").verbose_name == "Piggy sandbox"


def _ask_transmit(client: Client, path: str, **fields: str) -> None:
    bearer = {"authorization": f"Bearer {sandbox.sign_in('1')}"}
    url = f"/sandbox/transmit/v1/verification/{path}"
    response = client.post(url, fields, "application/json", headers=bearer)
    assert response.status_code == 200


def test_a_mailed_link_is_shown_and_followed(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    back = "http://testserver/login/connect/link/?a=b"

    _ask_transmit(client, "links/email", email=EMAIL, redirect_uri=back)

    link = sandbox.last_link(EMAIL)
    assert link.startswith("http://testserver/sandbox/transmit/verify?token=")
    assert capsys.readouterr().out == f"[piggy sandbox] link for {EMAIL}: {link}\n"
    assert f'<a href="{link}" aria-label="Open the link for {EMAIL}">' in _page(client)
    assert client.get(link)["Location"] == f"{back}&result=true"


def test_the_text_of_a_message_is_shown(client: Client) -> None:
    message = "{app}: <b>{otp}</b>"

    _ask_transmit(client, "otp/sms/send", phone_number=NUMBER, custom_message=message)

    code = sandbox.last_code(NUMBER)
    assert f"<p>Sandbox: &lt;b&gt;{code}&lt;/b&gt;</p>" in _page(client)


def test_the_users_of_transmit_are_shown(client: Client) -> None:
    assert "signed in" not in _page(client)
    addresses = Attribute(EMAIL, is_verified=True), Attribute("john@example.org")
    sandbox.users.put(SandboxUser("<1>", addresses, (Attribute(NUMBER),)))

    page = _page(client)

    assert "<bdi>&lt;1&gt;</bdi>" in page
    assert f"<p>{EMAIL} (verified)</p> <p>john@example.org (not verified)</p>" in page
    assert f"<p>{NUMBER} (not verified)</p>" in page


@pytest.mark.parametrize("word", ["INVALID_CODE", "unknown_client", "auth_locked"])
def test_an_error_of_another_vendor_is_set_and_shown(client: Client, word: str) -> None:
    client.post(_url("set-switches"), SWITCHES | {"error_code": word})

    assert sandbox.switches.error_code == word
    assert f'<option value="{word}" selected>' in _page(client)
