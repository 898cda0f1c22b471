"""Follow docs/howto/other-origin.rst with a real browser, and fall into its traps."""

from tests.browser.visitors import LAUNCH, Visitor  # isort: skip  first: it skips where there is no browser

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread

import pytest
from playwright.sync_api import Error, expect

from tests.browser.shops import SETTINGS, running_shop
from tests.documentation import pages
from tests.example.demo import PACKAGE

FRONT_END = "http://localhost:3000"
DJANGO = "http://localhost:8000"
FUNCTIONS = "{ call, askForCode, readLogin, resend, cancel, typeCode }"
FAILED = "Failed to fetch"
NUMBERS = count(1)
ALLOW, BLOCK = 0, 1
"""The settings of Chromium for the cookies of other sites."""
EVERYWHERE, OTHER_SITE = pages.blocks("other-origin")
SCRIPT = "\n".join(
    block
    for guide in ("front-end", "other-origin")
    for block in pages.blocks(guide, of="javascript")
)


class Page(BaseHTTPRequestHandler):
    """A page of a front end, at every path."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>Front end</title>")

    def log_message(self, *_args):
        """Print nothing."""


@contextmanager
def front_end():
    """Serve a front end on a free port, and yield its origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@contextmanager
def shop_of_the_guide(folder, own, *lines):
    """Run a shop with the settings of the guide, for the front end at `own`."""
    source = EVERYWHERE.replace("[...,", "[*INSTALLED_APPS,")
    source = source.replace(", ...]", ", *MIDDLEWARE]").replace(FRONT_END, own)
    base = f"from {SETTINGS['DJANGO_SETTINGS_MODULE']} import *"
    # All visitors of this module have the same address.
    limits = 'PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "100/1h"}'
    module = folder / "two_origins.py"
    module.write_text("\n".join([base, source, limits, *lines]))
    where = {"PYTHONPATH": f"{folder}:{PACKAGE}"}
    with running_shop(folder, DJANGO_SETTINGS_MODULE="two_origins", **where) as shop:
        yield shop


@pytest.fixture(scope="module")
def own():
    with front_end() as origin:
        yield origin


@pytest.fixture(scope="module")
def other():
    """The origin of a second front end, which may not post."""
    with front_end() as origin:
        yield origin


@pytest.fixture(scope="module")
def shop(tmp_path_factory, own, other):
    folder = tmp_path_factory.mktemp("shop")
    reader = f'CORS_ALLOWED_ORIGINS = [*FRONT_ENDS, "{other}"]'
    slash = f'CSRF_TRUSTED_ORIGINS = [*FRONT_ENDS, "{other}/"]'
    with shop_of_the_guide(folder, own, reader, slash) as shop:
        yield shop


@contextmanager
def visiting(chromium, shop):
    """Open a browser without cookies. CORS would have to allow more headers."""
    with chromium.new_context() as context:
        yield Visitor(context.new_page(), shop, f"{next(NUMBERS)}@example.com")


@pytest.fixture
def visitor(chromium, shop):
    with visiting(chromium, shop) as visitor:
        yield visitor


def open_front_end(visitor, origin, host="localhost", **changes):
    """Open a front end that calls the shop at this host, and return `evaluate`."""
    django = visitor.shop.url.rstrip("/").replace("127.0.0.1", host)
    script = SCRIPT.replace(DJANGO, django)
    for old, new in changes.items():
        assert old in script
        script = script.replace(old, new)
    visitor.page.goto(f"{origin}/")
    run = visitor.page.evaluate
    run(f"() => {{ {script}\nObject.assign(window, {FUNCTIONS}) }}")
    return run


def errors_of(run, address):
    """Ask for a code, and return the status and the error."""
    answer = run("address => askForCode(address)", address)
    return answer["status"], answer["error"]["code"]


def assert_logs_in(visitor, run, origin):
    """Log in with the functions of the guide. Then the session is known."""
    sent = run("address => askForCode(address)", visitor.address)
    known = run("() => readLogin()")
    assert [sent["status"], known["status"]] == [202, 200]

    typed = [visitor.right_code(), known["recipient"]]
    run("typed => { typeCode(...typed) }", typed)

    expect(visitor.page).to_have_url(f"{origin}/members")


def test_the_front_end_of_the_guide_logs_in(visitor, own):
    visitor.shop.add_contact(visitor.address)

    assert_logs_in(visitor, open_front_end(visitor, own), own)

    again = open_front_end(visitor, own)("address => askForCode(address)", "a@b.nl")
    assert again["redirect_to"] == "/members/"
    assert visitor.complaints == []


def test_an_error_says_how_long_to_wait_although_its_header_is_not_read(visitor, own):
    run = open_front_end(visitor, own)
    run("address => askForCode(address)", visitor.address)

    *_, last = [run("() => typeCode('wrong')") for _attempt in range(5)]

    assert last["status"] == 429
    assert last["wait"] == last["error"]["retry_after"] > 0


def test_errors_of_requests_that_no_page_makes_can_be_read(visitor, own):
    run = open_front_end(visitor, own)

    found = [
        run("([method, path]) => call(method, path)", each)
        for each in (["GET", "cancel/"], ["GET", "token/"], ["POST", ""])
    ]
    assert [(each["status"], each["error"]["code"]) for each in found] == [
        (405, "method_not_allowed"),
        (404, "not_found"),
        (403, "csrf_failed"),
    ]


def test_another_host_name_is_another_site(visitor, own):
    run = open_front_end(visitor, own, host="127.0.0.1")

    assert errors_of(run, visitor.address) == (403, "csrf_failed")
    assert visitor.page.context.cookies() == []


def test_an_origin_that_is_trusted_with_a_slash_cannot_post(visitor, other):
    run = open_front_end(visitor, other)

    assert errors_of(run, visitor.address) == (403, "csrf_failed")
    assert "csrftoken" in {each["name"] for each in visitor.page.context.cookies()}


def test_an_origin_that_is_not_allowed_reads_nothing(visitor):
    with front_end() as unknown:
        run = open_front_end(visitor, unknown)

        with pytest.raises(Error, match=FAILED):
            run("() => askForCode('ann@example.com')")


def test_without_credentials_the_browser_keeps_no_cookies(visitor, own):
    run = open_front_end(visitor, own, **{', credentials: "include"': ""})

    assert errors_of(run, visitor.address) == (403, "csrf_failed")
    assert visitor.page.context.cookies() == []


@pytest.fixture(scope="module")
def careless_shop(tmp_path_factory, own):
    """A shop with two of the mistakes that the guide names."""
    lines = (
        "CORS_ALLOW_CREDENTIALS = False",
        "MIDDLEWARE = [*MIDDLEWARE[1:], MIDDLEWARE[0]]",
    )
    folder = tmp_path_factory.mktemp("careless")
    with shop_of_the_guide(folder, own, *lines) as shop:
        yield shop


@pytest.fixture
def careless(chromium, careless_shop):
    with visiting(chromium, careless_shop) as visitor:
        yield visitor


def test_without_allow_credentials_nothing_is_read(careless, own):
    run = open_front_end(careless, own)

    with pytest.raises(Error, match=FAILED):
        run("() => askForCode('ann@example.com')")


def test_below_a_middleware_that_answers_there_are_no_headers(careless, own):
    run = open_front_end(careless, own, **{', credentials: "include"': ""})
    assert run("() => call('GET', '')")["status"] == 200

    # CommonMiddleware redirects to the path with a slash.
    with pytest.raises(Error, match=FAILED):
        run("() => call('GET', 'code')")


@pytest.fixture(scope="module")
def shop_of_another_site(tmp_path_factory, own):
    folder = tmp_path_factory.mktemp("other_site")
    with shop_of_the_guide(folder, own, OTHER_SITE) as shop:
        yield shop


@pytest.fixture
def visit_another_site(chromium, shop_of_another_site, tmp_path):
    """Return a function that opens a browser with these settings for cookies."""

    @contextmanager
    def visit(mode):
        (tmp_path / "Default").mkdir()
        preferences = {"profile": {"cookie_controls_mode": mode}}
        (tmp_path / "Default" / "Preferences").write_text(json.dumps(preferences))
        start = chromium.browser_type.launch_persistent_context
        with start(tmp_path, **LAUNCH) as context:
            # A member of the example.
            yield Visitor(context.new_page(), shop_of_another_site, "ann@example.com")

    return visit


def test_the_settings_for_another_site_send_the_cookies(visit_another_site, own):
    with visit_another_site(ALLOW) as visitor:
        run = open_front_end(visitor, own, host="127.0.0.1")

        assert_logs_in(visitor, run, own)


def test_a_browser_may_block_the_cookies_of_another_site(visit_another_site, own):
    with visit_another_site(BLOCK) as visitor:
        run = open_front_end(visitor, own, host="127.0.0.1")

        assert errors_of(run, visitor.address) == (403, "csrf_failed")
