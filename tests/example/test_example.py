"""Run the example over real HTTP, as the README says."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import requests
from django.contrib.auth.models import User

from django_piggy_verify.providers.base import Identity
from tests.example.demo import (
    EXAMPLE,
    Demo,
    free_port,
    manage,
    running_demo,
    taken_port,
)
from tests.example.http_browser import get, new_browser, submit
from tests.waiting import wait_until

PUBLIC = {
    "DEBUG": "False",
    "SECRET_KEY": "long enough for a key, and with enough different signs: 0123",
    "ALLOWED_HOSTS": "shop.example.com",
    "PIGGY_VERIFY_API_KEY": "live-key",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("example")
    with running_demo(folder, "--port", free_port()) as demo:
        yield demo


@pytest.fixture(scope="module")
def browser() -> Iterator[requests.Session]:
    with new_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def members_page(browser: requests.Session, demo: Demo) -> requests.Response:
    """The page that a newcomer sees after a login, once the token is fetched."""
    member = demo.wait_for(r"Members: +([^\s,]+)")
    page = submit(browser, get(browser, f"{demo.url()}members/"), email=member)
    code = demo.wait_for(rf"code for {re.escape(member)}: (\S+)")
    page = submit(browser, page, code=code)
    # The token is fetched after the response to the login.
    wait_until(lambda: "cached" in get(browser, page.url).text)
    return get(browser, page.url)


@pytest.fixture(scope="module")
def portal_page(
    demo: Demo, browser: requests.Session, members_page: requests.Response
) -> requests.Response:
    return get(browser, f"{demo.url()}portal/")


def test_a_newcomer_logs_in_with_the_printed_address_and_code(
    demo: Demo, members_page: requests.Response
) -> None:
    assert members_page.url == f"{demo.url()}members/"
    assert "ann@example.com" in members_page.text
    assert "demo-contact-ann" in members_page.text
    assert re.search(r"cached \d seconds? ago", members_page.text)


def test_the_members_page_shows_no_token(members_page: requests.Response) -> None:
    assert members_page.ok
    assert "eyJpdiI6" not in members_page.text
    assert not re.search(r"[\w+/=-]{100}", members_page.text)


def test_a_member_is_led_to_the_points(
    demo: Demo, members_page: requests.Response, portal_page: requests.Response
) -> None:
    assert 'href="/portal/">See your rewards' in members_page.text
    assert portal_page.url.startswith(f"{demo.url()}sandbox/portal/?token=")
    assert "belongs to ann@example.com" in portal_page.text


def test_a_member_sees_the_points(members_page: requests.Response) -> None:
    assert "<strong>1,250</strong> points" in members_page.text


def test_the_members_page_survives_an_outage(tmp_path: Path) -> None:
    slow = {"error_status": "400", "errors_as": "absent", "delay": "0"}
    ben = "ben@example.com"
    with (
        running_demo(tmp_path, "--port", free_port()) as demo,
        new_browser() as browser,
    ):
        page = submit(browser, get(browser, f"{demo.url()}members/"), email=ben)
        code = demo.last_code(ben)
        mailbox = get(browser, f"{demo.url()}sandbox/")
        submit(browser, mailbox, **slow, fault="maintenance", fault_on="contact")
        page = submit(browser, page, code=code)

    assert page.status_code == 200
    assert "Your points are not available now." in page.text
    assert ben in page.text


@pytest.mark.usefixtures("portal_page")  # which needs the login that ends here
def test_a_member_who_logs_out_is_asked_to_log_in_again(
    demo: Demo, browser: requests.Session, members_page: requests.Response
) -> None:
    home = submit(browser, members_page)
    page = get(browser, members_page.url)

    assert home.url == demo.url()
    assert page.url == f"{home.url}login/?next=/members/"


def test_the_home_page_leads_to_the_mailbox(
    demo: Demo, browser: requests.Session
) -> None:
    home = get(browser, demo.url())
    mailbox = get(browser, demo.wait_for(r"Mailbox: +(\S+)"))

    assert 'href="/sandbox/"' in home.text
    assert "ben@example.com" in mailbox.text


def test_an_unknown_address_shows_the_page_of_the_shop(
    demo: Demo, browser: requests.Session
) -> None:
    missing = get(browser, f"{demo.url()}cakes")

    assert missing.url == f"{demo.url()}cakes/"
    assert missing.status_code == 404
    assert "This shelf is empty" in missing.text


def test_a_public_server_shows_the_same_page(tmp_path: Path) -> None:
    code = (
        "from django.test import Client; "
        "page = Client(headers={'host': 'shop.example.com'}).get('/x/', secure=True); "
        "print(page.status_code, 'This shelf is empty' in page.text)"
    )

    _, printed = manage(tmp_path, "shell", "--no-imports", "-c", code, **PUBLIC)

    assert "404 True" in printed


def test_the_login_pages_have_the_brand_and_the_help_of_the_shop(
    demo: Demo, browser: requests.Session
) -> None:
    login = get(browser, f"{demo.url()}login/")

    assert "Molenaar Bakery</title>" in login.text
    assert 'src="/static/shop/logo.svg"' in login.text
    assert "Ask at the counter" in login.text
    assert 'href="/sandbox/"' in login.text


@pytest.mark.parametrize("name", ["shop.css", "logo.svg", "favicon.svg"])
def test_the_static_files_of_the_shop_are_served(
    demo: Demo, browser: requests.Session, name: str
) -> None:
    assert get(browser, f"{demo.url()}static/shop/{name}").ok


def test_a_live_key_takes_the_place_of_the_sandbox(
    tmp_path: Path, browser: requests.Session
) -> None:
    live = {
        "PIGGY_VERIFY_API_KEY": "live-key",
        "PIGGY_VERIFY_BASE_URL": "https://api.example.com/v3",
    }
    with running_demo(tmp_path, **live) as demo:
        mailbox = get(browser, f"{demo.url()}sandbox/")

    printed = demo.console.read_text()
    assert mailbox.status_code == 404
    assert "https://api.example.com/v3" in printed
    assert "Members:" not in printed
    assert "live-key" not in printed


def test_with_another_vendor_anybody_logs_in(tmp_path: Path) -> None:
    with (
        running_demo(
            tmp_path, "--port", free_port(), PIGGY_VERIFY_VENDOR="verifik"
        ) as demo,
        new_browser() as browser,
    ):
        address = "anybody@example.com"
        page = submit(browser, get(browser, f"{demo.url()}members/"), email=address)
        page = submit(browser, page, code=demo.last_code(address))

        printed = demo.console.read_text()
    assert page.url == f"{demo.url()}members/"
    assert address in page.text
    assert "See your rewards" not in page.text
    assert 'id="points"' not in page.text
    assert re.search(r"cached \d seconds? ago", page.text)
    assert "piggy_verify.W005" in printed
    assert "Members:" not in printed


@pytest.fixture(scope="module")
def punchh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("punchh")
    vendor = {"PIGGY_VERIFY_VENDOR": "punchh"}
    with running_demo(folder, "--port", free_port(), **vendor) as demo:
        yield demo


@pytest.mark.parametrize(
    ("first_page", "typed", "recipient"),
    [
        pytest.param(
            "login/?next=/members/",
            {"email": "anybody@example.com"},
            "anybody@example.com",
            id="email",
        ),
        pytest.param(
            "login/?by=phone&next=/members/",
            {"phone": "06 12345678"},
            "+31612345678",
            id="phone",
        ),
    ],
)
def test_anybody_who_agrees_logs_in(
    punchh: Demo, first_page: str, typed: dict[str, str], recipient: str
) -> None:
    consents = {"consent_terms": "on", "consent_privacy": "on"}
    with new_browser() as browser:
        page = get(browser, f"{punchh.url()}{first_page}")
        page = submit(browser, page, **typed, **consents)
        page = submit(browser, page, code=punchh.last_code(recipient))

    assert page.url == f"{punchh.url()}members/"
    assert recipient in page.text
    assert "None" not in page.text
    assert re.search(r"cached \d seconds? ago", page.text)


@pytest.mark.parametrize("name", ["terms", "privacy"])
def test_the_texts_of_the_consents_can_be_read(punchh: Demo, name: str) -> None:
    with new_browser() as browser:
        first = get(browser, f"{punchh.url()}login/")
        text = get(browser, f"{punchh.url()}{name}/")

    assert f'href="/{name}/"' in first.text
    assert text.ok
    assert "<h1>" in text.text


def test_the_other_vendor_is_told_about_on_the_console(punchh: Demo) -> None:
    punchh.url()

    printed = punchh.console.read_text()
    assert "any mobile number of these countries: NL, DE, BE, US" in printed
    assert "piggy_verify.W005" in printed
    assert "piggy_verify.E" not in printed


def test_a_login_by_number_keeps_the_address(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    backend = import_module("shop.backends").ShopBackend()
    user = User.objects.create(email="ann@example.com")

    proved = Identity(provider="punchh", uid="1", phone="+31612345678")
    backend.update_user(None, user, proved)

    user.refresh_from_db()
    assert user.email == "ann@example.com"


def test_a_used_port_is_skipped(tmp_path: Path) -> None:
    with taken_port() as port, running_demo(tmp_path, PORT=str(port)) as demo:
        url = demo.url()

    assert int(url.rpartition(":")[2].strip("/")) > port


def test_a_chosen_port_is_not_replaced(tmp_path: Path) -> None:
    with taken_port() as port:
        status, printed = manage(tmp_path, "demo", "--port", str(port))

    assert status == 1
    assert f"Port {port} is taken" in printed


def test_the_demo_is_not_for_public_servers(tmp_path: Path) -> None:
    status, printed = manage(tmp_path, "demo", **PUBLIC)

    assert status == 1
    assert "set DEBUG=True" in printed


def test_the_checks_pass(tmp_path: Path) -> None:
    status, printed = manage(tmp_path, "check", "--fail-level", "WARNING")

    assert status == 0, printed
    assert "no issues" in printed


def test_the_checks_of_a_public_server_pass(tmp_path: Path) -> None:
    words = ("check", "--deploy", "--fail-level", "WARNING")
    status, printed = manage(tmp_path, *words, **PUBLIC)

    assert status == 0, printed
    assert "no issues" in printed


@pytest.mark.parametrize("name", ["SECRET_KEY", "PIGGY_VERIFY_API_KEY"])
def test_a_public_server_has_no_key_by_default(tmp_path: Path, name: str) -> None:
    words = ("check", "--deploy", "--fail-level", "WARNING")
    status, printed = manage(tmp_path, *words, **PUBLIC | {name: ""})

    assert status == 1
    assert name in printed


def test_the_migrations_are_complete(tmp_path: Path) -> None:
    status, printed = manage(tmp_path, "makemigrations", "--check", "--dry-run")

    assert status == 0, printed


def test_every_variable_is_documented() -> None:
    settings = (EXAMPLE / "shop" / "settings.py").read_text()
    documented = (EXAMPLE / ".env.example").read_text()

    read = re.findall(r"env[.\w]*\(\s*[\"']([A-Z_]+)", settings)
    assert set(read) == set(re.findall(r"^#([A-Z_]+)=", documented, re.MULTILINE))
