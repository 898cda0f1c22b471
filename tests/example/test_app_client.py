"""Run the client of the guide for apps against the example."""

import subprocess
import sys
from pathlib import Path

import requests

from tests.documentation import pages
from tests.example.demo import running_demo
from tests.example.http_browser import new_browser
from tests.waiting import PATIENCE

ADDRESS = "ann@example.com"
[CLIENT] = [each for each in pages.blocks("apps") if "urlopen" in each]


def start(url: str, home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-W", "error", "-c", CLIENT],
        env={"HOME": str(home), "SHOP": f"{url}api/"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def members(url: str, header: str) -> requests.Response:
    with new_browser() as browser:
        return browser.get(
            f"{url}api/members/", headers={"Authorization": header}, timeout=PATIENCE
        )


def test_the_client_of_the_guide_logs_in_to_the_demo(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        url = demo.url()
        first = start(url, tmp_path)
        assert first.stdin
        first.stdin.write(f"{ADDRESS}\n")
        first.stdin.flush()
        told = first.communicate(f"{demo.last_code(ADDRESS)}\n", PATIENCE)[0]
        again = start(url, tmp_path).communicate(timeout=PATIENCE)[0]
        refused = [members(url, each) for each in ("", "Token forged", "Bearer x")]

    page = f"{{'email': '{ADDRESS}'}}\n"
    assert f"If you are a member, a code is on its way to {ADDRESS}." in told
    assert told.endswith(page)
    assert again == page
    assert [each.status_code for each in refused] == [401] * 3
