"""Use the pages of the sandbox with a real browser."""

from tests.browser.visitors import visiting  # isort: skip  first: it skips where there is no browser

import re

import pytest
from playwright.sync_api import expect

from tests.browser import states
from tests.browser.shops import TRANSMIT, running_shop
from tests.browser.test_accessibility import scrolls, violations

NEWEST = "[data-sandbox-live] article:first-child"
CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with running_shop(tmp_path_factory.mktemp("shop"), COOLDOWN="2s") as shop:
        yield shop


@pytest.fixture(scope="module")
def transmit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transmit")
    with running_shop(folder, **TRANSMIT, COOLDOWN="2s") as shop:
        yield shop


@pytest.fixture
def house(request):
    return request.getfixturevalue(request.param)


def open_every_part(page):
    closed = page.locator("details:not([open]) > summary")
    while closed.count():
        closed.first.click()


@pytest.mark.parametrize(
    ("house", "state"),
    [
        ("shop", "sandbox"),
        ("shop", "sandbox-portal"),
        ("transmit", "sandbox-transmit"),
    ],
    indirect=["house"],
)
def test_the_pages_of_the_sandbox_are_accessible(chromium, house, state):
    with visiting(chromium, house) as visitor:
        states.OF_SANDBOX[state](visitor)
        page = visitor.page
        open_every_part(page)

        assert violations(page) == []
        assert scrolls(page, width=320) == []
        assert scrolls(page, width=390) == []
        assert scrolls(page, width=640, text="200%") == []
        assert visitor.complaints == []


def test_the_page_of_a_number_fits_on_a_phone(chromium, shop):
    with visiting(chromium, shop) as visitor:
        visitor.shop.add_contact("a-long-name-of-a-member" * 3 + "@example.com")
        visitor.go("sandbox/")

        assert scrolls(visitor.page, width=390) == []


def test_new_mail_appears_by_itself(chromium, shop):
    with visiting(chromium, shop) as visitor, visiting(chromium, shop) as member:
        visitor.go("sandbox/")
        expect(visitor.page.locator("[role=status]")).to_have_text(
            "New mail appears here by itself."
        )
        states.code(member)

        expect(visitor.page.locator(NEWEST)).to_contain_text(member.address)
        assert visitor.complaints == []


def test_a_code_is_copied(chromium, shop):
    with visiting(chromium, shop, permissions=CLIPBOARD) as visitor:
        states.sandbox(visitor)
        button = visitor.page.locator(f"{NEWEST} button")
        button.click()

        expect(button).to_have_text("Copied")
        copied = visitor.page.evaluate("navigator.clipboard.readText()")
        assert copied == visitor.right_code()


def test_the_page_says_when_the_server_does_not_answer(chromium, shop):
    with visiting(chromium, shop) as visitor:
        visitor.go("sandbox/")
        visitor.page.route(re.compile("/sandbox/$"), lambda route: route.abort())

        expect(visitor.page.locator("[role=status]")).to_contain_text(
            "The server does not answer."
        )


def test_without_javascript_a_link_shows_new_mail(chromium, shop):
    with (
        visiting(chromium, shop, java_script_enabled=False) as visitor,
        visiting(chromium, shop) as member,
    ):
        visitor.go("sandbox/")
        states.code(member)
        visitor.press("[data-sandbox-refresh]")

        expect(visitor.page.locator(NEWEST)).to_contain_text(member.address)
        expect(visitor.page.locator(f"{NEWEST} button")).to_be_hidden()


def test_points_that_are_edited_are_shown_to_the_member(chromium, shop):
    with visiting(chromium, shop) as visitor:
        visitor.shop.add_contact(visitor.address)
        visitor.go("sandbox/")
        row = visitor.page.locator(f"li:has-text('{visitor.address}')")
        row.locator("[name=points]").fill("4321")
        with visitor.page.expect_navigation():
            row.get_by_text("Save").click()
        states.members(visitor)

        expect(visitor.page.locator("#points ~ p strong")).to_have_text("4,321")
