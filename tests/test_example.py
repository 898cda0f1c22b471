"""The example as a newcomer runs it: a process of its own, and real HTTP."""

import html
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

import django_piggy_verify

EXAMPLE = Path(__file__).parents[1] / "example_project"
PACKAGE = Path(django_piggy_verify.__file__).parents[1]
PATIENCE = 60
PUBLIC = {
    "DEBUG": "False",
    "SECRET_KEY": "long enough for a key, and with enough different signs: 0123",
    "ALLOWED_HOSTS": "shop.example.com",
    "PIGGY_VERIFY_API_KEY": "live-key",
}


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Little, so that neither a .env nor the environment of the tests matters."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE),
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "DEBUG": "True",
        "PIGGY_VERIFY_API_KEY": "",
        "PIGGY_VERIFY_BASE_URL": "",
        **variables,
    }


def manage(folder: Path, *words: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "manage.py"), *words],
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout


class Demo:
    """A running demo, and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], console: Path) -> None:
        self.process = process
        self.console = console

    def wait_for(self, pattern: str) -> str:
        """Answer the first group of `pattern` once it was printed."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            is_over = self.process.poll() is not None
            printed = self.console.read_text()
            if match := re.search(pattern, printed):
                return match[1]
            if is_over:
                break
            time.sleep(0.05)
        return pytest.fail(f"no {pattern!r} in:\n{self.console.read_text()}")

    def url(self) -> str:
        url = self.wait_for(r"Shop: +(\S+)\n")
        self.wait_for(r"(Quit the server)")
        return url


@contextmanager
def running_demo(folder: Path, *options: str, **variables: str) -> Iterator[Demo]:
    console = folder / "console.txt"
    command = [sys.executable, str(EXAMPLE / "manage.py"), "demo", *options]
    with (
        console.open("wb") as output,
        subprocess.Popen(
            command,
            env=environment(folder, **variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield Demo(process, console)
        finally:
            process.kill()


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with taken_port() as free_port:
        pass
    folder = tmp_path_factory.mktemp("example")
    with running_demo(folder, "--port", str(free_port)) as demo:
        yield demo


@pytest.fixture(scope="module")
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture(scope="module")
def members_page(browser: requests.Session, demo: Demo) -> requests.Response:
    """What a newcomer sees after logging in with the printed address and code."""
    member = demo.wait_for(r"Members: +([^\s,]+)")
    page = submit(browser, get(browser, f"{demo.url()}members/"), email=member)
    code = demo.wait_for(rf"code for {re.escape(member)}: (\S+)")
    return submit(browser, page, code=code)


def get(browser: requests.Session, url: str) -> requests.Response:
    return browser.get(url, timeout=PATIENCE)


def submit(
    browser: requests.Session, page: requests.Response, **typed: str
) -> requests.Response:
    """Fill in the first form of a page and send it off."""
    form = page.text.partition("<form")[2].partition("</form>")[0]
    action = re.search(r'action="([^"]*)"', form)
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    assert action
    return browser.post(
        urljoin(page.url, action[1]),
        {name: html.unescape(value) for name, value in hidden} | typed,
        timeout=PATIENCE,
    )


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


def test_a_port_that_is_taken_is_stepped_over(tmp_path: Path) -> None:
    with taken_port() as port, running_demo(tmp_path, PORT=str(port)) as demo:
        url = demo.url()

    assert int(url.rpartition(":")[2].strip("/")) > port


def test_a_port_that_was_asked_for_is_taken_or_nothing(tmp_path: Path) -> None:
    with taken_port() as port:
        status, printed = manage(tmp_path, "demo", "--port", str(port))

    assert status == 1
    assert f"Port {port} is taken" in printed


def test_the_demo_is_not_for_public_servers(tmp_path: Path) -> None:
    status, printed = manage(tmp_path, "demo", **PUBLIC)

    assert status == 1
    assert "set DEBUG=True" in printed


def test_the_check_has_nothing_to_say(tmp_path: Path) -> None:
    status, printed = manage(tmp_path, "check", "--fail-level", "WARNING")

    assert status == 0, printed
    assert "no issues" in printed


def test_the_check_of_a_public_server_has_nothing_to_say(tmp_path: Path) -> None:
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
