"""Look at the card on a phone, in the dark, and in the colours of a project."""

from tests.browser.visitors import FIELD_ERROR, RESEND_BUTTON, visiting  # isort: skip  first: it skips where there is no browser

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.states import STATES

PHONE = {"width": 390, "height": 844}
CONTRAST = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
LANGUAGES = ("en", "nl", "nl-x-informal", "de", "de-x-informal", "fr", "es", "he")
HELP = "Need help? Ask at the counter, or call 020 555 0142."
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(34, 36, 41)"
# Also for the text that is folded at first.
UNFOLD = "document.querySelectorAll('details').forEach(e => { e.open = true })"
SET = "([name, value]) => document.documentElement.style.setProperty(name, value)"


@pytest.fixture
def night(chromium, bare):
    """A page with an error, on a system that is dark."""
    with visiting(chromium, bare, color_scheme="dark") as visitor:
        STATES["code-error"](visitor)
        yield visitor.page


def unreadable(page):
    """Return the elements whose text has too little contrast, in light and dark."""
    page.evaluate(UNFOLD)
    page.evaluate(Axe().axe_script)
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        results = page.evaluate("rules => axe.run(document, rules)", CONTRAST)
        for each in results["violations"]:
            found += [f"{scheme}: {node['html']}" for node in each["nodes"]]
    return found


def height_with_help(page):
    """Return the height of the page with everything unfolded, and a project's help."""
    page.evaluate(UNFOLD)
    page.evaluate("text => document.querySelector('aside').append(text)", HELP)
    return page.evaluate("document.documentElement.scrollHeight")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_page_fits_on_a_phone(chromium, bare, language):
    with visiting(chromium, bare, viewport=PHONE) as visitor:
        page = visitor.page
        # Chromium knows no locale such as "nl-x-informal".
        page.set_extra_http_headers({"Accept-Language": language})
        STATES["code"](visitor)
        expect(page.locator("html")).to_have_attribute("lang", language)
        heights = {"code": height_with_help(page)}
        visitor.type_code("wrong")
        page.wait_for_selector(FIELD_ERROR)
        heights["error"] = height_with_help(page)
        expect(page.locator(RESEND_BUTTON)).to_be_visible()
        visitor.ask_again()
        heights["resent"] = height_with_help(page)

        too_high = {k: v for k, v in heights.items() if v > PHONE["height"]}
        assert too_high == {}


def test_the_card_begins_at_the_same_height_on_each_page(chromium, bare):
    places = []
    for state in ("email", "code-error", "limited-code"):
        with visiting(chromium, bare, viewport=PHONE) as visitor:
            STATES[state](visitor)
            card = visitor.page.locator("main").bounding_box()
            assert card
            places.append((card["x"], card["y"], card["width"]))

    [(x, y, width)] = set(places)
    assert (x, width) == (16, PHONE["width"] - 32)
    assert y < 100


@pytest.mark.parametrize(
    ("scheme", "paper"), [("light", LIGHT), ("dark", DARK), ("light dark", DARK)]
)
def test_one_property_switches_between_light_and_dark(night, scheme, paper):
    night.evaluate(SET, ["color-scheme", scheme])

    expect(night.locator("main")).to_have_css("background-color", paper)
    assert unreadable(night) == []


def test_in_a_layout_that_does_not_know_dark_the_card_is_light(night):
    night.evaluate("document.querySelector('meta[name=color-scheme]').remove()")
    night.evaluate("document.body.className = ''")

    expect(night.locator("main")).to_have_css("background-color", LIGHT)


@pytest.mark.parametrize(
    ("name", "color"),
    [
        ("paper", "#fff8e7"),
        ("paper", "#2b1d0e"),
        ("page", "#fbe9d7"),
        ("page", "#10241f"),
        ("accent", "#0b6b52"),
        ("accent", "#7a1f5c"),
        ("accent", "#ffd400"),
        ("accent", "#e4002b"),
        ("accent", "#111"),
    ],
)
def test_one_colour_of_a_project_leaves_the_page_readable(night, name, color):
    night.evaluate(SET, [f"--piggy-verify-{name}", color])

    assert unreadable(night) == []


def test_a_browser_without_light_dark_shows_readable_colours(chromium, bare):
    with visiting(chromium, bare, color_scheme="dark") as visitor:
        visitor.page.route("**/piggy_verify.css", without_light_dark)
        STATES["code-error"](visitor)

        expect(visitor.page.locator("main")).to_have_css("background-color", LIGHT)
        assert unreadable(visitor.page) == []


def without_light_dark(route):
    sheet = route.fetch().text()
    assert "@supports (color: lab(" in sheet
    body = sheet.replace("@supports (color: lab(", "@supports (color: unknown(")
    route.fulfill(body=body, content_type="text/css")
