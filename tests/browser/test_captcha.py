"""Log in with the CAPTCHA of docs/howto/captcha.rst, under the policy of the guide."""

from tests.browser.visitors import visiting  # isort: skip  first: it skips where there is no browser

import re

import pytest
from playwright.sync_api import expect

from tests.browser.shops import running_shop
from tests.documentation import pages
from tests.example.demo import PACKAGE

_, URLS, _ = pages.blocks("captcha")
[policy] = pages.blocks("captcha", of="text")
# The shop's own icon is the only image.
POLICY = f"{' '.join(policy.split())}; img-src 'self'"
ADDED = """
from tests.browser.shop_settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "django_altcha"]
MIDDLEWARE = ["with_captcha_urls.policy", *MIDDLEWARE]
ALTCHA_HMAC_KEY = "for tests only: 0123456789abcdef"
ROOT_URLCONF = "with_captcha_urls"
"""
OF_THE_SHOP = f"""
from shop.urls import urlpatterns as of_the_shop
urlpatterns += of_the_shop
def policy(get_response):
    def middleware(request):
        response = get_response(request)
        response["Content-Security-Policy"] = {POLICY!r}
        return response
    return middleware
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captcha")
    (folder / "with_captcha.py").write_text(ADDED)
    (folder / "with_captcha_urls.py").write_text(URLS + OF_THE_SHOP)
    module = {"DJANGO_SETTINGS_MODULE": "with_captcha"}
    with running_shop(folder, **module, PYTHONPATH=f"{folder}:{PACKAGE}") as shop:
        yield shop


@pytest.fixture
def visitor(chromium, shop):
    with visiting(chromium, shop) as visitor:
        yield visitor


def test_the_browser_solves_the_task_while_the_visitor_waits(visitor):
    visitor.go()
    visitor.shop.add_contact(visitor.address)
    visitor.page.fill("input[name=email]", visitor.address)

    visitor.page.click("main form button")

    expect(visitor.page).to_have_title(re.compile("^Check your email"))
    visitor.type_code(visitor.right_code())
    expect(visitor.page).to_have_url(f"{visitor.shop.url}members/")
    assert visitor.complaints == []
