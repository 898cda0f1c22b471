"""The pages in a real browser; skipped where there is none, unless CI wants it."""

# ruff: noqa: E402  a laptop may lack selenium: then all of this is skipped

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from django_piggy_verify.sandbox import Fault
from tests.steps import ADDRESS

REQUIRED = "PIGGY_VERIFY_REQUIRE_SERVICES" in os.environ
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=800,900",
]

if REQUIRED:
    import selenium  # noqa: F401
else:
    pytest.importorskip("selenium")

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.wait import WebDriverWait

needs_chromium = pytest.mark.skipif(
    not REQUIRED and not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="needs chromium and chromedriver",
)
pytestmark = [needs_chromium, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        driver = webdriver.Chrome(options, service)
        driver.implicitly_wait(5)
        yield driver
        driver.quit()


@pytest.fixture
def page(chromium, live_server, piggy_sandbox, unlimited):
    """The e-mail page, in a browser without cookies."""
    piggy_sandbox.add_contact(ADDRESS)
    chromium.get(f"{live_server.url}/login/?next=/members/")
    chromium.delete_all_cookies()
    chromium.refresh()
    return chromium


def type_into(page, name, text):
    field = page.find_element(By.NAME, name)
    field.clear()
    field.send_keys(text, Keys.ENTER)


def wait_for_title(page, title):
    WebDriverWait(page, 10).until(expected_conditions.title_is(title))


def test_a_contact_logs_in_by_keyboard_alone(page, piggy_sandbox, shot):
    shot("email")
    type_into(page, "email", ADDRESS)
    wait_for_title(page, "Check your email")
    shot("code")

    type_into(page, "code", piggy_sandbox.last_code(ADDRESS))

    WebDriverWait(page, 10).until(expected_conditions.url_contains("/members/"))


def test_after_a_wrong_code_the_focus_is_on_the_error(page, shot):
    type_into(page, "email", ADDRESS)
    wait_for_title(page, "Check your email")

    type_into(page, "code", "wrong")

    wait_for_title(page, "Error: Check your email")
    shot("error")
    assert "There is a problem" in page.switch_to.active_element.text


def test_an_outage_has_a_page_with_a_way_back(page, piggy_sandbox, shot):
    type_into(page, "email", ADDRESS)
    wait_for_title(page, "Check your email")
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    type_into(page, "code", "123456")
    wait_for_title(page, "Logging in does not work right now")
    shot("outage")
    piggy_sandbox.switches.fault = None

    page.find_element(By.LINK_TEXT, "Try again").click()

    wait_for_title(page, "Check your email")


def test_another_address_can_be_used_and_next_is_kept(page):
    type_into(page, "email", "typo@example.com")
    wait_for_title(page, "Check your email")

    page.find_element(By.XPATH, "//button[contains(., 'different')]").click()

    wait_for_title(page, "Log in")
    hidden = page.find_element(By.NAME, "next")
    assert hidden.get_attribute("value") == "/members/"


def test_nothing_is_refused_under_a_strict_content_security_policy(
    page, live_server, settings
):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.strict_policy"]
    page.get_log("browser")

    type_into(page, "email", "ann")
    wait_for_title(page, "Error: Log in")

    errors = [line["message"] for line in page.get_log("browser")]
    assert [each for each in errors if "Content Security Policy" in each] == []


def test_the_front_end_of_the_docs_logs_in(page, piggy_sandbox):
    ask = "askForCode(arguments[0], '/members/?a=1').then(arguments[1])"
    names = "window.frontEnd = { resend, typeCode }"
    sent = page.execute_async_script(f"{front_end()}\n{names}\n{ask}", ADDRESS)
    again = page.execute_async_script(
        "frontEnd.resend(arguments[0]).then(arguments[1])", sent["recipient"]
    )

    page.execute_async_script(
        "frontEnd.typeCode(arguments[0], arguments[1]).then(arguments[2])",
        piggy_sandbox.last_code(ADDRESS),
        again["recipient"],
    )

    assert (sent["status"], again["status"]) == (202, 202)
    WebDriverWait(page, 10).until(expected_conditions.url_contains("/members/?a=1"))


def front_end():
    """Answer what docs/json.rst has a front end do, as one script."""
    text = (Path(__file__).parents[1] / "docs" / "json.rst").read_text()
    page = publish_doctree(text, settings_overrides={"syntax_highlight": "none"})
    blocks = page.findall(nodes.literal_block)
    return "\n".join(b.astext() for b in blocks if "javascript" in b["classes"])


def strict_policy(get_response):
    def middleware(request):
        response = get_response(request)
        response["Content-Security-Policy"] = (
            "default-src 'self'; base-uri 'none'; object-src 'none'; "
            "form-action 'self'; frame-ancestors 'none'"
        )
        return response

    return middleware


@pytest.fixture
def shot(chromium):
    """Answer a function that saves a screenshot, if SCREENSHOTS names a folder."""
    folder = os.environ.get("SCREENSHOTS")

    def save(name):
        if folder:
            chromium.save_screenshot(Path(folder) / f"{name}.png")

    return save
