"""Visit a running project over real HTTP, and submit its forms."""

import html
import re
from urllib.parse import urljoin

import requests

from tests.waiting import PATIENCE


def new_browser() -> requests.Session:
    """Return a session that ignores proxies and .netrc files of the environment."""
    browser = requests.Session()
    browser.trust_env = False
    return browser


def get(browser: requests.Session, url: str) -> requests.Response:
    return browser.get(url, timeout=PATIENCE)


def submit(
    browser: requests.Session, page: requests.Response, **typed: str
) -> requests.Response:
    """Submit the first form of a page that has the typed fields."""
    forms = re.findall(r"<form.*?</form>", page.text, re.DOTALL)
    form = next(
        each for each in forms if all(f'name="{name}"' in each for name in typed)
    )
    action = re.search(r'action="([^"]*)"', form)
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    assert action
    return browser.post(
        urljoin(page.url, action[1]),
        {name: html.unescape(value) for name, value in hidden} | typed,
        timeout=PATIENCE,
    )
