"""The admin of contacts who have a phone number, and of their consents."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_piggy_verify.login.verification import send_code
from django_piggy_verify.models import Consent, Contact, Tally
from django_piggy_verify.testing import login_contact
from tests.admin.test_admin import (
    CHANGELIST,
    COUNTS,
    act,
    body,
    count,
    listed,
    plans,
    press,
    rows,
)
from tests.login import stateful
from tests.steps import ADDRESS, NUMBER

SPELLINGS = [
    NUMBER,
    "0612345678",
    " 06-12 345678 ",
    "0031 (0)6 12345678",
    "٠٦ ١٢٣٤٥٦٧٨",
]
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def member(client, settings, db):
    """A contact with a Dutch number, at a vendor that sends texts."""
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
    settings.PIGGY_VERIFY_PHONE_REGION = "NL"
    stateful.use(settings)
    login_contact(client, NUMBER, uid="ann")
    return Contact.objects.get()


@pytest.fixture
def page(member):
    return f"{CHANGELIST}{member.pk}/change/"


def agree(contact, kind, version, at=NOON):
    Consent.objects.create(contact=contact, kind=kind, version=version, given_at=at)


@pytest.mark.parametrize("typed", SPELLINGS, ids=ascii)
def test_a_contact_is_found_by_a_number_in_any_spelling(admin_client, member, typed):
    login_contact(Client(), "+31612345679")

    found = admin_client.get(CHANGELIST, {"q": typed}).context["cl"].result_list

    assert list(found) == [member]


def test_a_number_of_a_country_no_longer_served_is_found(
    admin_client, member, settings
):
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ()

    assert len(rows(admin_client.get(CHANGELIST, {"q": NUMBER}))) == 1


@pytest.mark.parametrize("typed", ["+3161234567", "12345678", "+32470123456"])
def test_a_part_of_a_number_or_another_one_finds_nobody(admin_client, member, typed):
    assert rows(admin_client.get(CHANGELIST, {"q": typed})) == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the others have other words")
def test_the_search_by_number_uses_the_index(admin_client, member):
    found = plans(admin_client, CHANGELIST, {"q": NUMBER})

    assert any("piggy_verify_contact_phone" in each for each in found)
    assert [each for each in found if each == "SCAN piggy_verify_contact"] == []


def test_the_list_shows_the_number_as_a_link(admin_client, member, page):
    assert f'href="{page}">{NUMBER}</a>' in body(admin_client.get(CHANGELIST))


def test_the_page_of_a_contact_shows_the_number(admin_client, page):
    assert NUMBER in admin_client.get(page).text
    assert admin_client.post(page, {"phone": "+31612345679"}).status_code == 403


# Consents


def test_the_page_of_a_contact_shows_the_consents(admin_client, member, page):
    agree(member, "terms", "2025-01", NOON - timedelta(days=30))
    agree(member, "terms", "2026-01")

    shown = admin_client.get(page).text

    newest = shown.index("terms 2026-01, Jan. 31, 2026, noon<br>")
    assert newest < shown.index("terms 2025-01, Jan. 1, 2026, noon</div>")


def test_consents_of_others_are_not_shown(admin_client, member, page):
    login_contact(Client(), "+31612345679")
    agree(Contact.objects.exclude(pk=member.pk).get(), "terms", "2026-01")

    assert "2026-01" not in admin_client.get(page).text


def test_a_hostile_version_is_escaped(admin_client, member, page):
    agree(member, "terms", "<script>alert(1)")

    assert "&lt;script&gt;alert(1)" in admin_client.get(page).text


def test_a_contacts_consents_are_deleted_with_the_contact(admin_client, member, page):
    agree(member, "terms", "2026-01")

    admin_client.post(page.replace("change", "delete"), {"post": "yes"})

    assert not Contact.objects.exists()
    assert not Consent.objects.exists()


def test_the_page_takes_one_query_for_all_consents(admin_client, member, page):
    for number in range(3):
        agree(member, "terms", str(number))
    admin_client.get(page)

    with CaptureQueriesContext(connection) as captured:
        admin_client.get(page)

    assert sum("piggy_verify_consent" in each["sql"] for each in captured) == 1


# Limits


def test_the_page_of_a_contact_tells_the_counts_of_the_number(admin_client, page):
    send_code(NUMBER)

    shown = admin_client.get(page).text

    assert "codes sent to a recipient: 1 of 3, until" in shown


def test_the_page_tells_the_counts_of_address_and_number(admin_client, member, page):
    Contact.objects.update(email=ADDRESS)
    send_code(NUMBER)

    shown = admin_client.get(page).text

    of_address, of_number = shown.partition(f"<br>{NUMBER}<br>")[::2]
    assert "codes sent to a recipient: 0 of 3<br>" in of_address
    assert "codes sent to a recipient: 1 of 3, until" in of_number


def test_a_number_is_unlocked(admin_client, member, page):
    send_code(NUMBER)

    answer = press(admin_client, page, "Unlock: clear the limits of this recipient")

    assert "3 limits were cleared." in answer.text
    assert send_code(NUMBER).is_sent


def test_address_and_number_are_unlocked_together(admin_client, member):
    Contact.objects.update(email=ADDRESS)
    for recipient in (ADDRESS, NUMBER):
        send_code(recipient)

    assert "6 limits were cleared." in act(admin_client, "unlock").text


def test_a_contact_without_address_and_number_has_no_counts(admin_client, member, page):
    Contact.objects.update(phone="")
    count("send_recipient", "")

    assert "codes sent to a recipient" not in admin_client.get(page).text
    assert "0 limits were cleared." in act(admin_client, "unlock").text


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("send_sms_ip", "text messages requested from a client address"),
        ("send_sms_range", "text messages to similar numbers"),
        ("send_sms_day", "text messages to all numbers"),
        ("send_day", "codes sent to anybody"),
    ],
)
def test_the_counts_of_text_messages_are_listed(
    admin_client, settings, db, limit, words
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {limit: "7/1d"}
    count(limit)
    count("send_ip")

    answer = admin_client.get(COUNTS, {"limit": limit})

    assert [row[:3] for row in rows(answer)] == [[words, "1", "7"]]


def test_the_note_that_a_cap_was_logged_is_no_limit(admin_client, db):
    count("cap_logged", "send_sms_day")

    assert listed(admin_client.get(COUNTS)) == set()
    assert Tally.objects.exists()
