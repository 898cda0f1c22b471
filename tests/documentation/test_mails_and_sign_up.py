"""Run the code of the guides about the vendor's mails and about new members."""

import pytest
from django.test import RequestFactory

from django_piggy_verify.testing import assert_strangers_look_like_contacts
from tests.documentation import pages
from tests.steps import ADDRESS, BOB, STRANGER, ask_for_code, is_logged_in, log_in

SENDER = "The email comes from “Molenaar Bakery”"
JOIN = '<a href="/join/">Join our loyalty programme.</a>'


@pytest.fixture
def templates(settings, tmp_path):
    """Return a function that installs the templates of a guide."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path / "templates"]}]

    def put(guide):
        for block in pages.blocks(guide, of="html+django"):
            first, _, text = block.partition("\n")
            path = tmp_path / first.split()[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return put


@pytest.mark.parametrize("address", [ADDRESS, STRANGER])
def test_the_code_page_names_the_sender_to_everybody(
    client, contact, templates, address
):
    templates("mails")

    ask_for_code(client, address)

    page = client.get("/login/code/").text
    assert SENDER in page
    assert 'name="code"' in page


@pytest.mark.parametrize("address", [ADDRESS, STRANGER])
def test_both_pages_show_everybody_the_way_to_the_sign_up(
    client, contact, templates, address
):
    templates("sign-up")

    assert JOIN in client.get("/login/").text
    ask_for_code(client, address)

    assert JOIN in client.get("/login/code/").text


@pytest.mark.usefixtures("unlimited")
def test_with_the_link_strangers_still_look_like_contacts(
    client, contact, piggy_sandbox, templates
):
    templates("sign-up")

    assert_strangers_look_like_contacts(piggy_sandbox)


def test_after_the_sign_up_the_login_follows(client, piggy_sandbox, db):
    after_sign_up = pages.run(pages.blocks("sign-up")[0])["after_sign_up"]
    assert after_sign_up(RequestFactory().get("/join/")).url == "/login/"

    piggy_sandbox.add_contact(BOB)
    log_in(client, piggy_sandbox, BOB)

    assert is_logged_in(client)
