"""Check that every page in every state is accessible."""

from tests.browser.visitors import visiting  # isort: skip  first: it skips where there is no browser

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser import states
from tests.browser.states import CONNECTING, OF_PUNCHH, OF_TRANSMIT, STATES

MEDIA = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced": {"color_scheme": "light", "forced_colors": "active"},
    "forced dark": {
        "color_scheme": "dark",
        "forced_colors": "active",
        "reduced_motion": "reduce",
    },
}
RULES = {
    "runOnly": [
        "wcag2a",
        "wcag2aa",
        "wcag21a",
        "wcag21aa",
        "wcag22aa",
        "best-practice",
    ],
    "resultTypes": ["violations"],
}
OUTLINE = "[...document.querySelectorAll('h1, h2, h3')].map(e => e.tagName).join(' ')"
# Finds text and fields that the visitor cannot scroll to.
CUT_OFF = """
    [...document.querySelectorAll("main *")].filter(e => {
      const box = e.getBoundingClientRect();
      return box.width && (box.left < -1 || box.right > innerWidth + 1
        || (e.tagName != "INPUT" && e.clientWidth && e.scrollWidth > e.clientWidth));
    }).map(e => e.outerHTML)
"""
SMALL = """
    [...document.querySelectorAll("main :is(a, button, input:not([type=hidden]))")]
    .map(e => [e.outerHTML, e.getBoundingClientRect()])
    .filter(([, box]) => box.width < 24 || box.height < 24)
    .map(([html, box]) => `${box.width} x ${box.height}: ${html}`)
"""
# Chromium asks every host for an icon once. The icon does not count.
WEIGHTS = """
    performance.getEntries()
    .filter(e => e.decodedBodySize && e.initiatorType != "other")
    .map(e => [e.initiatorType, e.decodedBodySize])
"""
BUDGET = 20_000
EVERY_STATE = STATES | CONNECTING | OF_PUNCHH | OF_TRANSMIT
OWN_PAGES = [name for name in STATES if name not in {"home", "members"}]
WALKS = [
    *(
        ("bare", language, name)
        for language in ("nl", "he")
        for name in (*OWN_PAGES, *CONNECTING)
    ),
    *(("hasty_shop", "en", name) for name in (*STATES, *CONNECTING)),
    *(("punchh", language, name) for language in ("nl", "he") for name in OF_PUNCHH),
    *(
        ("transmit", language, name)
        for language in ("nl", "he")
        for name in OF_TRANSMIT
    ),
]


@pytest.fixture
def house(request):
    return request.getfixturevalue(request.param)


def violations(page):
    """Return what axe finds, in each medium."""
    found = []
    page.evaluate(Axe().axe_script)
    for medium, features in MEDIA.items():
        # Chromium draws forced colours, but reports the colour of the page to axe
        # for the text of a button.
        has_own_colors = features.get("forced_colors") != "active"
        rules = RULES | {"rules": {"color-contrast": {"enabled": has_own_colors}}}
        page.emulate_media(**features)
        results = page.evaluate("rules => axe.run(document, rules)", rules)
        for each in results["violations"]:
            found += [
                f"{medium}: {each['id']}: {node['html']}" for node in each["nodes"]
            ]
    return found


def scrolls(page, *, width=800, text="100%"):
    """Return what is out of sight or makes the page scroll sideways."""
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("size => document.documentElement.style.fontSize = size", text)
    is_too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return page.evaluate(CUT_OFF) + ["the page scrolls sideways"] * is_too_wide


def loaded(page):
    """Return the uncompressed bytes that a page has loaded, by kind of file."""
    weights = page.evaluate(WEIGHTS)
    return sorted(kind for kind, _ in weights), sum(size for _, size in weights)


@pytest.mark.parametrize(("house", "language", "state"), WALKS, indirect=["house"])
def test_every_page_is_accessible(chromium, house, language, state):
    with visiting(chromium, house, locale=language) as visitor:
        EVERY_STATE[state](visitor)
        page = visitor.page
        html = page.locator("html")

        assert html.get_attribute("lang") == language
        assert html.get_attribute("dir") == ("rtl" if language == "he" else "ltr")
        assert re.fullmatch("(H2 )?H1( H2)*", page.evaluate(OUTLINE))
        kinds, weight = loaded(page)
        assert set(kinds) <= {"navigation", "link", "script", "img"}
        # The shop has a second stylesheet.
        assert len(kinds) <= len(set(kinds) - {"link"}) + 2
        assert weight < BUDGET
        assert violations(page) == []
        assert page.evaluate(SMALL) == []
        assert scrolls(page, width=320) == []
        assert scrolls(page, width=640, text="200%") == []
        assert visitor.complaints == []


@pytest.mark.parametrize("state", ["email", "code"])
def test_typed_text_runs_from_left_to_right_in_every_language(chromium, bare, state):
    with visiting(chromium, bare, locale="he") as visitor:
        STATES[state](visitor)
        page = visitor.page

        expect(page.locator("body")).to_have_css("direction", "rtl")
        expect(page.locator(f"input[name={state}]")).to_have_css("direction", "ltr")


def test_a_number_runs_from_left_to_right_in_every_language(chromium, punchh):
    with visiting(chromium, punchh, locale="he") as visitor:
        states.phone(visitor)
        expect(visitor.page.locator("input[name=phone]")).to_have_css(
            "direction", "ltr"
        )

        states.phone_code(visitor)

        expect(visitor.page.locator("bdi")).to_have_css("direction", "ltr")
        expect(visitor.page.locator("bdi")).to_have_text(visitor.number)


@pytest.mark.parametrize("has_script", [True, False])
def test_a_login_needs_neither_style_nor_script(chromium, bare, has_script):
    with visiting(chromium, bare, java_script_enabled=has_script) as visitor:
        visitor.page.route(re.compile(r"/static/"), lambda route: route.abort())
        states.members(visitor)

        expect(visitor.page.locator("dl").first).to_contain_text(visitor.address)
