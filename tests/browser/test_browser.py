"""Log in to the running example with a real browser."""

from tests.browser.visitors import (  # isort: skip  first: it skips where there is no browser
    CANCEL_FORM,
    CODE_FORM,
    ERRORS,
    FIELD_ERROR,
    LAUNCH,
    NOTICE,
    RESEND_BUTTON,
    RESEND_FORM,
    Visitor,
    visiting,
)

import json
import re
from contextlib import contextmanager

import pytest
import requests
from playwright.sync_api import expect

from tests.browser import states
from tests.browser.shops import running_shop
from tests.documentation import pages
from tests.waiting import PATIENCE

KEPT = "login/?next=%2F%3Fkept"
LATER = 4102444800  # in 2100, since a clock can be paused in the future only
FRONT_END = "{ askForCode, readLogin, resend, typeCode }"
BOTH = pytest.mark.parametrize(
    "visitor", [True, False], indirect=True, ids=["js", "no-js"]
)


@pytest.fixture(scope="module")
def forgetful_shop(tmp_path_factory):
    """A shop where a login in progress is too old after one second."""
    with running_shop(tmp_path_factory.mktemp("forgetful"), LOGIN_TTL="1") as shop:
        yield shop


@pytest.fixture
def guest(request, chromium, punchh):
    """A visitor of a shop that also texts its codes, and wants consents."""
    has_script = getattr(request, "param", True)
    with visiting(chromium, punchh, java_script_enabled=has_script) as visitor:
        yield visitor


@pytest.fixture
def visitor(request, chromium, shop):
    has_script = getattr(request, "param", True)
    with visiting(chromium, shop, java_script_enabled=has_script) as visitor:
        yield visitor


def focused(visitor):
    """Return the name of the focused element, or its text."""
    return visitor.page.evaluate(
        "(e => e.name || e.textContent.trim())(document.activeElement)"
    )


def tab_through(visitor, last):
    """Press Tab until `last` has the focus. Return all elements that had the focus."""
    order = []
    while last not in order:
        visitor.page.keyboard.press("Tab")
        order.append(focused(visitor))
        assert len(order) < 20, order
        outline = visitor.page.evaluate(
            "parseInt(getComputedStyle(document.activeElement).outlineWidth)"
        )
        assert outline >= 2, order
    return order


@BOTH
def test_a_member_logs_in_and_is_led_where_they_wanted(visitor):
    visitor.go(KEPT)
    visitor.ask_for_code()
    expect(visitor.page).to_have_title(re.compile("^Check your email"))
    expect(visitor.page.locator("bdi")).to_have_text(visitor.address)

    visitor.type_code(visitor.right_code())

    expect(visitor.page).to_have_url(f"{visitor.shop.url}?kept")
    assert visitor.complaints == []


@BOTH
def test_a_member_who_is_logged_in_is_sent_on(visitor):
    states.members(visitor)

    visitor.go(KEPT)

    expect(visitor.page).to_have_url(f"{visitor.shop.url}?kept")


@BOTH
def test_after_a_wrong_code_the_right_one_is_taken(visitor):
    visitor.go(KEPT)
    visitor.ask_for_code()
    visitor.type_code("wrong")
    expect(visitor.page.locator(FIELD_ERROR)).to_contain_text("The code is wrong")
    expect(visitor.page.locator("input[name=code]")).to_have_value("")

    visitor.type_code(visitor.right_code())

    expect(visitor.page).to_have_url(f"{visitor.shop.url}?kept")


@pytest.mark.parametrize(
    "dress",
    [
        "  {0[0]}{0[1]}{0[2]} {0[3]}{0[4]}{0[5]} ",
        "{0[0]}{0[1]}-{0[2]}{0[3]}–{0[4]}{0[5]}",
        "{1[0]}{1[1]}{1[2]}\u00a0{1[3]}{1[4]}{1[5]}\u200b",
    ],
    ids=["spaces", "dashes", "full width"],
)
def test_a_pasted_code_may_have_spaces_and_punctuation(visitor, dress):
    states.code(visitor)
    code = visitor.right_code()

    visitor.type_code(dress.format(code, [chr(ord(each) + 0xFEE0) for each in code]))

    expect(visitor.page).to_have_url(f"{visitor.shop.url}members/")


@pytest.mark.parametrize("has_script", [True, False], ids=["js", "no-js"])
def test_a_new_code_is_sent_after_the_wait(chromium, hasty_shop, has_script):
    with visiting(chromium, hasty_shop, java_script_enabled=has_script) as visitor:
        states.code(visitor)
        button = visitor.page.locator(f"{RESEND_FORM} button")
        expect(button).to_contain_text("New code in 0:0")
        if not has_script:
            visitor.reload_until(RESEND_BUTTON)
        # The page shows the button by itself.
        expect(visitor.page.locator(RESEND_BUTTON)).to_be_visible()

        visitor.ask_again()

        expect(visitor.page.locator(NOTICE)).to_contain_text("a new code is on its way")
        first, second = visitor.shop.codes(visitor.address)
        visitor.type_code(second)
        expect(visitor.page).to_have_url(f"{visitor.shop.url}members/")
        assert first != second


@pytest.mark.parametrize("visitor", [False], indirect=True, ids=["no-js"])
def test_without_the_script_a_press_that_comes_too_early_is_explained(visitor):
    states.code(visitor)
    visitor.page.click("summary")

    visitor.press(f"{RESEND_FORM} button", force=True)

    button = visitor.page.locator(f"{RESEND_FORM} button")
    expect(button).to_be_visible()
    expect(button).to_have_text(re.compile(r"New code in [01]:[0-5]\d"))
    expect(visitor.page.locator(NOTICE)).to_contain_text("We have not sent another")
    assert len(visitor.posts) == 2
    assert len(visitor.shop.codes(visitor.address)) == 1


def test_with_the_script_a_press_that_comes_too_early_does_nothing(visitor):
    states.code(visitor)
    visitor.page.click("summary")
    button = visitor.page.locator(f"{RESEND_FORM} button")

    # Playwright waits until a button is enabled, unless it is forced to press it.
    button.click(force=True)
    visitor.page.keyboard.press("Enter")

    expect(button).to_have_text(re.compile(r"New code in [01]:[0-5]\d"))
    assert len(visitor.posts) == 1


@BOTH
def test_another_address_can_be_used_and_next_is_kept(visitor):
    visitor.go(KEPT)
    visitor.type_address("typo@example.com")
    visitor.press(f"{CANCEL_FORM} button")
    expect(visitor.page).to_have_title(re.compile("^Log in"))
    expect(visitor.page.locator("input[name=email]")).to_have_value("")

    visitor.ask_for_code()
    visitor.type_code(visitor.right_code())

    expect(visitor.page).to_have_url(f"{visitor.shop.url}?kept")


@BOTH
def test_the_code_page_without_a_login_explains_itself(visitor):
    visitor.go("login/code/?next=/%3Fkept")

    expect(visitor.page.locator(NOTICE)).to_contain_text("Ask for a code first.")
    expect(visitor.page.locator("input[name=next]")).to_have_value("/?kept")


@pytest.mark.parametrize("has_script", [True, False], ids=["js", "no-js"])
def test_the_page_of_an_expired_login_keeps_the_address(
    chromium, forgetful_shop, has_script
):
    with visiting(chromium, forgetful_shop, java_script_enabled=has_script) as visitor:
        visitor.go(KEPT)
        visitor.ask_for_code()

        visitor.reload_until(NOTICE)

        address = visitor.page.locator("input[name=email]")
        expect(address).to_have_value(visitor.address)
        expect(visitor.page.locator("input[name=next]")).to_have_value("/?kept")


@BOTH
def test_the_page_after_too_many_wrong_codes_shows_the_wait(visitor):
    page = visitor.page
    page.clock.install()
    states.limited_code(visitor)

    expect(page).to_have_title(re.compile("^Too many attempts"))
    expect(page.locator("main")).to_contain_text(re.compile(r"in \d+ seconds?\."))
    expect(page.locator("main a")).to_have_text(re.compile(r"New code in 0:\d\d"))
    page.clock.fast_forward("01:01")
    # Without the script, the link stays grey, and works.
    page.click("main a", force=True)
    expect(page).to_have_title(re.compile("^Log in"))


@BOTH
def test_an_outage_leaves_the_login_in_progress(visitor):
    states.unavailable(visitor)
    expect(visitor.page.locator("h1")).to_have_text(
        "Logging in does not work right now"
    )

    visitor.page.click("main a")
    visitor.type_code(visitor.right_code())

    expect(visitor.page).to_have_url(f"{visitor.shop.url}members/")


def test_with_the_script_a_failed_send_appears_by_itself(visitor):
    visitor.go()
    with visitor.shop.misbehaving(fault="maintenance", delay="1"):
        visitor.type_address(visitor.address)
        expect(visitor.page).to_have_title(re.compile("^Check your email"))

        expect(visitor.page).to_have_title(re.compile("^We could not send a code"))

    assert visitor.status == 503
    assert len(visitor.posts) == 1
    assert visitor.complaints == []


def test_with_the_script_an_expired_access_appears_by_itself(chromium, transmit):
    with visiting(chromium, transmit) as visitor:
        visitor.address = f"stale.{visitor.address}"
        states.connect_phone(visitor)
        with transmit.misbehaving(delay="1"):
            visitor.connect(visitor.number, field="phone")
            expect(visitor.page).to_have_title(re.compile("^Check your phone"))

            expect(visitor.page).to_have_title(re.compile("^Log in again"))

        assert visitor.status == 403
        assert visitor.complaints == []


@pytest.mark.parametrize("visitor", [False], indirect=True, ids=["no-js"])
@pytest.mark.parametrize("form", [CODE_FORM, RESEND_FORM], ids=["code", "resend"])
def test_without_the_script_the_next_press_shows_a_failed_send(visitor, form):
    visitor.go()
    with visitor.shop.misbehaving(fault="maintenance", delay="1"):
        visitor.type_address(visitor.address)
        visitor.wait_for_failed_send()
        visitor.page.fill("input[name=code]", "123456")
        visitor.page.click("summary")

        visitor.press(f"{form} button", force=True)

        assert visitor.status == 503
        expect(visitor.page.locator("main")).to_contain_text("Try again in 30 seconds.")


@BOTH
def test_after_a_failed_send_another_code_can_be_asked_for(visitor):
    visitor.shop.add_contact(visitor.address)
    visitor.go(KEPT)
    with visitor.shop.misbehaving(fault="maintenance"):
        visitor.type_address(visitor.address)
        visitor.wait_for_failed_send()
        visitor.page.reload()

    visitor.ask_again()
    visitor.type_code(visitor.right_code())

    expect(visitor.page).to_have_url(f"{visitor.shop.url}?kept")


@BOTH
def test_after_a_failed_send_another_address_can_be_used(visitor):
    states.unsent(visitor)

    visitor.press(f"{CANCEL_FORM} button")

    expect(visitor.page).to_have_title(re.compile("^Log in"))


@BOTH
def test_during_an_outage_the_email_page_keeps_next(visitor):
    with visitor.shop.misbehaving(fault="maintenance"):
        visitor.go(KEPT)
        visitor.type_address(f"first.{visitor.address}")
        visitor.wait_for_failed_send()
        visitor.go(KEPT)
        visitor.type_address(visitor.address)
        expect(visitor.page.locator("main")).to_contain_text("Try again in 30 seconds.")

    visitor.page.click("main a")

    expect(visitor.page).to_have_url(f"{visitor.shop.url}{KEPT}")


@BOTH
def test_a_refused_member_sees_the_reason(visitor):
    states.refused(visitor)

    expect(visitor.page.locator("h1")).to_have_text("You cannot log in this way")
    visitor.page.click("main a")
    expect(visitor.page).to_have_title(re.compile("^Log in"))


@contextmanager
def without_cookies(chromium, folder, shop):
    """A browser that blocks all cookies."""
    preferences = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (folder / "Default").mkdir()
    (folder / "Default" / "Preferences").write_text(json.dumps(preferences))
    context = chromium.browser_type.launch_persistent_context(folder, **LAUNCH)
    yield Visitor(context.new_page(), shop, "visitor@example.com")
    context.close()


def test_a_browser_that_blocks_cookies_sees_an_explanation(chromium, shop, tmp_path):
    with without_cookies(chromium, tmp_path, shop) as visitor:
        visitor.go(KEPT)
        visitor.type_address(visitor.address)

        expect(visitor.page.locator("h1")).to_have_text("Please try again")
        expect(visitor.page.locator("main")).to_contain_text("allow cookies")
        assert visitor.status == 403
        visitor.page.click("main a")
        expect(visitor.page).to_have_url(f"{visitor.shop.url}{KEPT}")


@BOTH
def test_the_keyboard_is_enough(visitor):
    keyboard = visitor.page.keyboard
    visitor.shop.add_contact(visitor.address)
    visitor.go()

    keyboard.type(visitor.address)
    assert tab_through(visitor, "Send me a code") == ["Send me a code"]
    keyboard.press("Enter")
    expect(visitor.page).to_have_title(re.compile("^Check your email"))
    assert tab_through(visitor, "No email?") == ["Log in", "No email?"]
    keyboard.press("Enter")
    keyboard.press("Tab")
    assert focused(visitor).startswith("New code in ")
    while focused(visitor) != "code":
        keyboard.press("Shift+Tab")
    keyboard.press("Shift+Tab")
    assert focused(visitor) == "Change"
    keyboard.press("Tab")
    keyboard.type(visitor.right_code())
    keyboard.press("Enter")

    expect(visitor.page).to_have_url(f"{visitor.shop.url}members/")


@BOTH
@pytest.mark.parametrize(
    ("drive", "field"),
    [(states.email_error, "email"), (states.code_error, "code")],
    ids=["email", "code"],
)
def test_the_field_with_the_error_has_the_focus_and_is_described(visitor, drive, field):
    drive(visitor)

    page = visitor.page
    box = page.locator(f"input[name={field}]")
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.locator(ERRORS)).to_have_count(0)
    expect(box).to_be_focused()
    error = page.locator(FIELD_ERROR).inner_text()
    expect(box).to_have_accessible_description(error)


@BOTH
def test_back_after_the_login_shows_no_code(visitor):
    states.code(visitor)
    visitor.type_code(visitor.right_code())
    expect(visitor.page).to_have_url(f"{visitor.shop.url}members/")

    for _page in range(2):
        visitor.page.go_back()
        expect(visitor.page).to_have_url(f"{visitor.shop.url}members/")


@BOTH
def test_a_reload_sends_nothing_again(visitor):
    states.code(visitor)

    visitor.page.reload()

    expect(visitor.page.locator("input[name=code]")).to_be_visible()
    assert len(visitor.posts) == 1


def test_the_button_counts_down_and_the_help_opens_at_the_end(visitor):
    clock = visitor.page.clock
    clock.install()
    clock.pause_at(LATER)
    states.code(visitor)
    button = visitor.page.locator(f"{RESEND_FORM} button")
    begin = int(button.locator("time").get_attribute("datetime").strip("PTS"))

    expect(button).to_be_hidden()
    for left in (begin - 1, begin - 2, begin - 3):
        clock.run_for(1000)
        expect(button).to_have_text(f"New code in 0:{left:02}")
    clock.run_for(1000 * (begin - 4))
    expect(button).to_have_text("New code in 0:01")
    expect(button).to_have_attribute("aria-disabled", "true")
    clock.run_for(1000)

    expect(button).to_have_text("Send a new code")
    expect(button).not_to_have_attribute("aria-disabled", "true")
    expect(button).to_be_visible()
    expect(visitor.page.locator("input[name=code]")).to_be_focused()
    live = "[aria-live], [role=status], [role=alert], [role=timer], output"
    assert not button.evaluate("(e, live) => e.closest(live)", live)


@pytest.mark.parametrize(
    ("drive", "form"),
    [(states.email, ""), (states.code, RESEND_FORM)],
    ids=["email", "resend"],
)
def test_with_the_script_a_double_press_is_one_request(
    chromium, hasty_shop, drive, form
):
    with visiting(chromium, hasty_shop) as visitor:
        drive(visitor)
        press_twice(visitor, form)


def press_twice(visitor, form):
    earlier = len(visitor.posts)
    # A 204 keeps the page, so the test can read what changes on it later.
    visitor.page.route(re.compile("/login/"), lambda route: route.fulfill(status=204))
    if not form:
        visitor.page.fill("input[name=email]", visitor.address)
    button = visitor.page.locator(f"{form or 'main form'} button")
    expect(button).not_to_have_attribute("aria-disabled", "true")

    button.dblclick()
    expect(button).to_have_text("Sending…")
    expect(button).to_have_attribute("aria-disabled", "true")
    button.press("Enter")
    expect(button).to_be_focused()

    assert len(visitor.posts) == earlier + 1


@BOTH
def test_a_double_press_sends_one_code(visitor):
    visitor.shop.add_contact(visitor.address)
    visitor.go()
    visitor.page.fill("input[name=email]", visitor.address)

    visitor.page.locator("main button").dblclick()

    expect(visitor.page).to_have_title(re.compile("^Check your email"))
    assert len(visitor.shop.codes(visitor.address)) == 1


@pytest.mark.parametrize("drive", [states.email, states.code], ids=["email", "code"])
@BOTH
def test_the_field_has_the_focus_at_once(visitor, drive):
    drive(visitor)

    assert focused(visitor) in {"email", "code"}


def test_typing_the_last_digit_does_not_submit(visitor):
    states.code(visitor)

    visitor.page.locator("input[name=code]").press_sequentially(visitor.right_code())
    visitor.page.evaluate("new Promise(done => setTimeout(done, 100))")

    assert len(visitor.posts) == 1
    expect(visitor.page).to_have_url(f"{visitor.shop.url}login/code/")


def test_the_policy_of_the_guide_is_the_one_of_these_tests(shop):
    guide = pages.parsed(pages.DOCS / "howto" / "templates.rst")
    [policy] = pages.blocks_of(guide, "text")

    sent = requests.get(f"{shop.url}login/", timeout=PATIENCE).headers

    assert sent["Content-Security-Policy"] == " ".join(policy.split())


def front_end():
    """Return the code of docs/howto/front-end.rst as one script."""
    page = pages.parsed(pages.DOCS / "howto" / "front-end.rst")
    return "\n".join(pages.blocks_of(page, "javascript"))


def test_the_front_end_of_the_docs_logs_in(visitor):
    visitor.shop.add_contact(visitor.address)
    visitor.go()
    run = visitor.page.evaluate
    run(f"() => {{ {front_end()}\nObject.assign(window, {FRONT_END}) }}")

    sent = run("address => askForCode(address, '/?kept')", visitor.address)
    known = run("() => readLogin()")
    again = run("recipient => resend(recipient)", sent["recipient"])
    typed = [visitor.right_code(), again["recipient"]]
    run("typed => { typeCode(...typed) }", typed)

    expect(visitor.page).to_have_url(f"{visitor.shop.url}?kept")
    assert [each["status"] for each in (sent, known, again)] == [202, 200, 202]


BOTH_GUESTS = pytest.mark.parametrize(
    "guest", [True, False], indirect=True, ids=["js", "no-js"]
)


@BOTH_GUESTS
def test_a_guest_logs_in_with_a_number_and_is_led_where_they_wanted(guest):
    guest.go(KEPT)
    guest.press("main a[href*='by=phone']")
    guest.agree()
    guest.type_number(guest.number)
    expect(guest.page).to_have_title(re.compile("^Check your phone"))

    guest.type_code(guest.right_code(guest.number))

    expect(guest.page).to_have_url(f"{guest.shop.url}?kept")
    assert guest.complaints == []


def test_a_text_to_agree_to_opens_beside_the_page(guest):
    states.phone(guest)
    guest.page.fill("input[name=phone]", guest.number)

    with guest.page.context.expect_page() as opened:
        guest.page.click("label[for=id_consent_terms] a")

    expect(opened.value).to_have_url(f"{guest.shop.url}terms/")
    expect(guest.page.locator("input[name=phone]")).to_have_value(guest.number)
    expect(guest.page.locator("input[name=consent_terms]")).not_to_be_checked()


def test_the_page_for_numbers_can_be_filled_in_with_the_keyboard_alone(guest):
    states.phone(guest)

    assert focused(guest) == "phone"
    assert tab_through(guest, "Send me a code") == [
        "consent_terms",
        "terms and conditions, version 2026-01 (opens in a new tab)",
        "consent_privacy",
        "privacy policy, version 2026-01 (opens in a new tab)",
        "Send me a code",
    ]


@BOTH_GUESTS
def test_an_error_leads_to_the_box_that_is_not_ticked(guest):
    states.consent_error(guest)

    guest.page.click(f"{ERRORS} a[href='#id_consent_privacy']")

    assert focused(guest) == "consent_privacy"
    expect(guest.page.locator("input[name=consent_terms]")).to_be_checked()


def test_with_the_script_a_refusal_leads_back_by_itself(guest):
    states.number_refused(guest)

    expect(guest.page.locator(ERRORS)).to_contain_text("We cannot send a code to this")
    expect(guest.page.locator("input[name=phone]")).to_have_value(guest.number)
    assert len(guest.posts) == 1
    assert guest.complaints == []


def test_after_a_refusal_another_number_can_be_used(guest):
    states.number_refused(guest)
    another = guest.number.replace("5678", "5679")

    guest.type_number(another)
    guest.type_code(guest.right_code(another))

    expect(guest.page).to_have_url(f"{guest.shop.url}members/")


@pytest.mark.parametrize("guest", [False], indirect=True, ids=["no-js"])
def test_without_the_script_a_spent_code_is_replaced_after_the_wait(guest):
    states.spent(guest)
    button = guest.page.locator(f"{RESEND_FORM} button")
    expect(button).to_have_text(re.compile(r"New code in [01]:[0-5]\d"))

    guest.press(f"{RESEND_FORM} button", force=True)

    expect(guest.page).to_have_title(re.compile("^Check your phone"))
    expect(guest.page.locator(NOTICE)).to_contain_text("not sent another code yet")


def test_with_the_script_a_spent_code_is_replaced_after_the_wait(guest):
    guest.page.clock.install()
    states.spent(guest)
    guest.shop.demo.end_cooldown()
    guest.page.clock.fast_forward(60_000)

    guest.ask_again()

    expect(guest.page.locator(NOTICE)).to_contain_text("A new code is on its way")
    assert len(guest.shop.codes(guest.number)) == 2
