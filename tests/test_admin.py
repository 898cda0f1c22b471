import pytest
from django.utils import timezone

from django_piggy_verify.models import AuthToken
from django_piggy_verify.tokens import get_auth_token
from tests.steps import ADDRESS

CHANGELIST = "/admin/piggy_verify/contact/"


@pytest.fixture
def contact_page(admin_client, user):
    return f"{CHANGELIST}{user.piggy_contacts.get().pk}/change/"


@pytest.mark.parametrize("term", [ADDRESS, "ann", ""])
def test_contacts_are_found_by_address(admin_client, user, term):
    page = admin_client.get(CHANGELIST, {"q": term})

    assert ADDRESS in page.text
    assert "fresh" in page.text


def test_contacts_are_found_by_id(admin_client, user, contact):
    page = admin_client.get(CHANGELIST, {"q": contact.uid})

    assert ADDRESS in page.text


def test_the_token_is_never_shown(admin_client, user, contact_page):
    token = get_auth_token(user)

    pages = admin_client.get(CHANGELIST).text + admin_client.get(contact_page).text

    assert token not in pages
    assert token[:40] not in pages


def test_an_expired_token_is_called_so(admin_client, user):
    AuthToken.objects.update(expires_at=timezone.now())

    assert "expired" in admin_client.get(CHANGELIST).text


def test_a_missing_token_is_called_so(admin_client, user):
    AuthToken.objects.all().delete()

    assert "none" in admin_client.get(CHANGELIST).text


def test_nothing_can_be_added_or_changed(admin_client, contact_page):
    assert admin_client.get(f"{CHANGELIST}add/").status_code == 403
    assert admin_client.post(contact_page, {"uid": "x"}).status_code == 403


def test_a_contact_can_be_deleted(admin_client, user, contact_page):
    url = contact_page.replace("change", "delete")

    admin_client.post(url, {"post": "yes"})

    assert not user.piggy_contacts.exists()


def test_the_list_takes_the_same_queries_for_any_number_of_contacts(
    admin_client, user, django_assert_max_num_queries
):
    with django_assert_max_num_queries(9):
        admin_client.get(CHANGELIST)
