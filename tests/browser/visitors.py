"""
Visit the running example with a real browser. Without a browser, skip the tests.

This module does not use the ORM. Playwright runs an event loop in this thread, and
the shop runs in another process.
"""

# ruff: noqa: E402  without playwright, the module is skipped before these imports

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

REQUIRED = "PIGGY_VERIFY_REQUIRE_SERVICES" in os.environ
if not REQUIRED:
    pytest.importorskip("playwright")
    pytest.importorskip("axe_playwright_python")
    if not shutil.which("chromium"):
        pytest.skip("needs chromium", allow_module_level=True)

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.browser.shops import Shop
from tests.waiting import PATIENCE, wait_until

LAUNCH: dict[str, Any] = {
    "executable_path": shutil.which("chromium") or "chromium",
    "args": [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ],
}
NUMBERS = count(1)
RANGES = count(100)
CODE_FORM = "form[action$='/code/']"
RESEND_FORM = "form[action$='/resend/']"
CANCEL_FORM = "form[action$='/cancel/']"
CONNECT_FORM = "form[action$='/connect/']"
DISCONNECT_FORM = "form[action$='/disconnect/']"
RESEND_BUTTON = f"{RESEND_FORM} button:not([aria-disabled])"
ERRORS = ".piggy-verify-errors"
FIELD_ERROR = ".errorlist"
NOTICE = ".piggy-verify-notice"

expect.set_options(timeout=PATIENCE * 1000)


@contextmanager
def running_chromium(*flags: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = LAUNCH | {"args": [*LAUNCH["args"], *flags]}
        browser = playwright.chromium.launch(**options)
        yield browser
        browser.close()


class Visitor:
    """A contact with a browser."""

    def __init__(self, page: Page, shop: Shop, address: str) -> None:
        self.page = page
        self.shop = shop
        self.address = address
        # Few texts may go to numbers that differ in their last four digits only.
        self.number = f"+3161{next(RANGES)}5678"
        self.status = 0
        self.posts: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._note_request)
        page.on("response", self._note_response)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def go(self, path: str = "login/") -> None:
        self.page.goto(f"{self.shop.url}{path}")

    def ask_for_code(self, address: str = "") -> None:
        address = address or self.address
        self.shop.add_contact(address)
        self.type_address(address)

    def type_address(self, address: str) -> None:
        self.page.fill("input[name=email]", address)
        self.press("main button")

    def type_number(self, number: str) -> None:
        self.page.fill("input[name=phone]", number)
        self.press("main button")

    def agree(self) -> None:
        """Tick every box."""
        for box in self.page.locator("input[type=checkbox]").all():
            box.check()

    def log_in_by_password(self) -> None:
        """Log in as a user who is no contact yet."""
        self.go("password/")
        name = self.address.partition("@")[0]
        self.page.fill("input[name=username]", name)
        self.page.fill("input[name=password]", name)
        self.press("main button")

    def connect(self, recipient: str, field: str = "email") -> None:
        self.page.fill(f"input[name={field}]", recipient)
        self.press(f"{CONNECT_FORM} button")

    def type_code(self, code: str) -> None:
        self.page.fill("input[name=code]", code)
        self.press(f"{CODE_FORM} button")

    def press(self, selector: str, *, force: bool = False) -> None:
        """
        Press a button or link, and wait for the next page.

        Playwright presses a button with ``aria-disabled`` only by force.
        """
        with self.page.expect_navigation():
            self.page.click(selector, force=force)

    def right_code(self, recipient: str = "") -> str:
        return self.shop.demo.last_code(recipient or self.address)

    def ask_again(self) -> None:
        self.press(f"{RESEND_FORM} button")
        self.page.wait_for_selector(NOTICE)

    def wait_for_failed_send(self, path: str = "login/code/") -> None:
        """Wait until the failure of the last send is known. The page stays."""
        url, headers = f"{self.shop.url}{path}", {"Accept": "application/json"}
        get = self.page.request.get
        wait_until(lambda: get(url, headers=headers).status == 503)

    def reload_until(self, selector: str) -> None:
        """Reload the page until it shows the selector."""
        deadline = time.monotonic() + PATIENCE
        while not self.page.locator(selector).count():
            assert time.monotonic() < deadline, self.page.content()
            self.page.reload()

    def _note_request(self, request: Request) -> None:
        if request.method == "POST":
            self.posts.append(request.url)

    def _note_response(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self.status = response.status

    def _note_message(self, message: ConsoleMessage) -> None:
        # The browser reports each status such as 429. The tests expect such pages.
        is_status = "the server responded with a status of" in message.text
        if message.type in {"error", "warning"} and not is_status:
            self.complaints.append(message.text)


@contextmanager
def visiting(chromium: Browser, shop: Shop, **options: Any) -> Iterator[Visitor]:
    """Open a browser without cookies, with its own client address."""
    number = next(NUMBERS)
    headers = {"X-Forwarded-For": f"10.0.{number // 256}.{number % 256}"}
    context = chromium.new_context(extra_http_headers=headers, **options)
    context.set_default_timeout(PATIENCE * 1000)
    yield Visitor(context.new_page(), shop, f"visitor{number}@example.com")
    context.close()
