"""Connect contacts in the running example, after a login by password."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest
import requests
from django.contrib.auth.models import User
from django.test import RequestFactory

from tests.example.demo import EXAMPLE, Demo, free_port, manage, running_demo
from tests.example.http_browser import get, new_browser, submit
from tests.waiting import wait_until

ADDRESS = "carla@example.com"
NUMBER = "+31612345678"


@pytest.fixture(scope="module")
def piggy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("piggy")
    with running_demo(folder, "--port", free_port()) as demo:
        yield demo


@pytest.fixture(scope="module")
def transmit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("transmit")
    vendor = {"PIGGY_VERIFY_VENDOR": "transmit"}
    with running_demo(folder, "--port", free_port(), **vendor) as demo:
        yield demo


@contextmanager
def carla(demo: Demo) -> Iterator[requests.Session]:
    """Log the user of the demo in by password, as the console says."""
    url = demo.wait_for(r"Password: +(\S+)\n")
    name = demo.wait_for(r"User: +(\w+)")
    demo.url()
    with new_browser() as browser:
        page = submit(browser, get(browser, url), username=name, password=name)
        assert page.url == f"{demo.url()}members/"
        yield browser


def connected(page: requests.Response) -> list[str]:
    """Return the addresses and numbers that a page lists."""
    return re.findall(r">([^<>\s]+@[^<\s]+|\+[0-9]+)<", page.text)


def test_a_member_connects_a_contact_and_then_logs_in_by_code(piggy: Demo) -> None:
    ben = "ben@example.com"
    with carla(piggy) as browser:
        members = get(browser, f"{piggy.url()}members/")
        assert "You are not a contact" in members.text
        assert 'href="/login/connect/"' in members.text
        page = submit(browser, get(browser, f"{piggy.url()}login/connect/"), email=ben)
        first_code = piggy.last_code(ben)
        page = submit(browser, page, code=first_code)
        assert page.url == f"{piggy.url()}login/connect/"
        assert connected(page) == [ben]
        submit(browser, get(browser, members.url))

        piggy.end_cooldown()
        first = get(browser, members.url)
        assert first.url == f"{piggy.url()}login/?next=/members/"
        page = submit(browser, first, email=ben)
        wait_until(lambda: piggy.last_code(ben) != first_code)
        page = submit(browser, page, code=piggy.last_code(ben))
        assert page.url == members.url
        assert connected(get(browser, f"{piggy.url()}login/connect/")) == [ben]

    assert "demo-contact-ben" in page.text
    assert "<dd>carla</dd>" in page.text


@pytest.mark.parametrize(
    ("query", "typed", "recipient"),
    [
        pytest.param("", {"email": ADDRESS}, ADDRESS, id="email"),
        pytest.param("?by=phone", {"phone": "06 12345678"}, NUMBER, id="phone"),
    ],
)
def test_a_user_connects_an_address_or_a_number_by_code(
    transmit: Demo, query: str, typed: dict[str, str], recipient: str
) -> None:
    with carla(transmit) as browser:
        page = get(browser, f"{transmit.url()}login/connect/{query}")
        page = submit(browser, page, **typed)
        page = submit(browser, page, code=transmit.last_code(recipient))
        members = get(browser, f"{transmit.url()}members/")

    assert page.url == f"{transmit.url()}login/connect/"
    assert recipient in members.text
    assert "Auth token" not in members.text


def test_a_user_connects_an_address_by_link(tmp_path: Path) -> None:
    by_link = {"PIGGY_VERIFY_VENDOR": "transmit", "TRANSMIT_EMAIL_BY": "link"}
    with (
        running_demo(tmp_path, "--port", free_port(), **by_link) as demo,
        carla(demo) as browser,
    ):
        page = submit(
            browser, get(browser, f"{demo.url()}login/connect/"), email=ADDRESS
        )
        assert page.url == f"{demo.url()}login/connect/link/"
        link = demo.last_link(ADDRESS)
        too_soon = submit(browser, page)

        back = get(browser, link)
        page = submit(browser, back)

    assert "piggy-verify-notice" in too_soon.text
    assert back.url == f"{demo.url()}login/connect/link/?result=true"
    assert page.url == f"{demo.url()}login/connect/"
    assert connected(page) == [ADDRESS]


def test_the_members_page_of_a_vendor_that_only_proves_speaks_of_no_membership(
    tmp_path: Path,
) -> None:
    vendor = {"PIGGY_VERIFY_VENDOR": "transmit"}
    with (
        running_demo(tmp_path, "--port", free_port(), **vendor) as demo,
        carla(demo) as browser,
    ):
        members = get(browser, f"{demo.url()}members/")

    assert "You have not proved an address or a number yet." in members.text
    assert ">Prove your address or number</a>" in members.text
    assert "loyalty" not in members.text


def test_nobody_logs_in_by_code_where_the_vendor_only_proves(transmit: Demo) -> None:
    with new_browser() as browser:
        home = get(browser, transmit.url())
        login = get(browser, f"{transmit.url()}login/")
        members = get(browser, f"{transmit.url()}members/")

    assert 'href="/password/"' in home.text
    assert 'href="/login/' not in home.text
    assert login.status_code == 404
    assert members.url == f"{transmit.url()}password/?next=/members/"


def test_the_console_says_what_the_vendor_proves(transmit: Demo) -> None:
    transmit.url()

    printed = transmit.console.read_text()
    assert "This vendor logs nobody in." in printed
    assert "countries, of a user who is logged in: NL, DE, BE, US" in printed
    assert "piggy_verify.E" not in printed


def test_a_wrong_password_is_told(piggy: Demo) -> None:
    with new_browser() as browser:
        page = get(browser, f"{piggy.url()}password/")
        page = submit(browser, page, username="carla", password="wrong")

    assert page.url == f"{piggy.url()}password/"
    assert "Please enter a correct username and password" in page.text


def test_staff_are_not_led_to_the_connect_page(piggy: Demo) -> None:
    folder = piggy.console.parent
    piggy.url()
    words = (
        "createsuperuser",
        "--noinput",
        "--username=staff",
        "--email=s@example.com",
    )
    manage(folder, *words, DJANGO_SUPERUSER_PASSWORD="staff")
    with new_browser() as browser:
        page = get(browser, f"{piggy.url()}password/")
        page = submit(browser, page, username="staff", password="staff")

    assert page.url == f"{piggy.url()}members/"
    assert "/login/connect/" not in page.text
    assert "You are staff" in page.text
    assert 'href="/admin/"' in page.text


@pytest.mark.parametrize("email_by", ["code", "link"])
def test_the_checks_report_only_that_anybody_gets_codes(
    tmp_path: Path, email_by: str
) -> None:
    vendor = {"PIGGY_VERIFY_VENDOR": "transmit", "TRANSMIT_EMAIL_BY": email_by}

    status, printed = manage(tmp_path, "check", **vendor)

    assert status == 0
    assert re.findall(r"\(([\w.]+)\)", printed) == ["piggy_verify.W005"]


def test_without_the_sandbox_nobody_is_signed_in(
    monkeypatch: pytest.MonkeyPatch, rf: RequestFactory
) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    request = rf.get("/")
    request.user = User(pk=1)

    assert import_module("shop.transmit").user_access(request) is None
