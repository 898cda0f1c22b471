"""The URL to which the vendor leads after a link was followed."""

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path, set_script_prefix

from tests.connecting.links import follow, go_on
from tests.connecting.steps import CONNECT, LINK, ask, contacts_of
from tests.steps import ADDRESS, calls

PAGES = path("login/", include("django_piggy_verify.urls"))
FIXED = "https://shop.example/login/connect/link/"


def return_url(sandbox):
    """Return the URL in the newest request for a link."""
    return sandbox.calls[-1].body["redirect_uri"]


def test_by_default_it_is_the_link_page(asked, transmit):
    assert return_url(transmit) == f"http://testserver{LINK}"


def test_the_vendor_leads_back_to_it(asked, transmit):
    assert follow(transmit) == f"http://testserver{LINK}?result=true"


def test_https_behind_a_proxy_stays_https(client, shopper, transmit, settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    headers = {"host": "testserver", "x-forwarded-proto": "https"}

    client.post(CONNECT, {"email": ADDRESS}, headers=headers)

    assert return_url(transmit) == f"https://testserver{LINK}"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-host": "evil.example"},
        {"x-forwarded-proto": "https"},
        {"x-forwarded-port": "666"},
        {"forwarded": "host=evil.example;proto=https"},
        {"referer": "https://evil.example/"},
        {"origin": "https://evil.example"},
        {"x-script-name": "/evil"},
        {"x-original-url": "/evil/"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_no_other_header_has_a_part_in_it(client, shopper, transmit, headers):
    client.post(CONNECT, {"email": ADDRESS}, headers=headers)

    assert return_url(transmit) == f"http://testserver{LINK}"


@pytest.mark.parametrize("name", ["next", "redirect_uri", "return_url", "result"])
def test_no_field_has_a_part_in_it(client, shopper, transmit, name):
    fields = {"email": ADDRESS, name: "https://evil.example/"}

    client.post(f"{CONNECT}?{name}=//evil.example", fields)

    assert return_url(transmit) == f"http://testserver{LINK}"


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver.evil.example", "testserver@evil.example", ""]
)
def test_a_forged_host_has_no_link_mailed(client, shopper, transmit, host):
    response = client.post(CONNECT, {"email": ADDRESS}, headers={"host": host})

    assert response.status_code == 400
    assert calls(transmit) == []


def test_a_site_that_accepts_every_host_has_the_forged_host_mailed(
    client, shopper, transmit, settings
):
    settings.ALLOWED_HOSTS = ["*"]

    client.post(CONNECT, {"email": ADDRESS}, headers={"host": "evil.example"})

    assert return_url(transmit) == f"http://evil.example{LINK}"


def test_the_option_fixes_it(client, shopper, transmit, settings):
    settings.ALLOWED_HOSTS = ["*"]
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS |= {"redirect_uri": FIXED}

    client.post(CONNECT, {"email": ADDRESS}, headers={"host": "evil.example"})

    assert return_url(transmit) == FIXED
    assert follow(transmit) == f"{FIXED}?result=true"
    assert go_on(client).url == CONNECT


@pytest.fixture
def prefixed(settings):
    """Serve the site below a prefix that the server in front removes."""
    settings.FORCE_SCRIPT_NAME = "/shop"
    set_script_prefix("/shop/")  # as `django.setup` does
    yield
    set_script_prefix("/")


def test_it_has_the_script_prefix(client, shopper, transmit, prefixed):
    response = ask(client)

    assert response.url == f"/shop{LINK}"
    assert return_url(transmit) == f"http://testserver/shop{LINK}"


@pytest.mark.parametrize("language", ["en", "nl"])
def test_it_is_below_the_language_of_the_page(
    client, shopper, transmit, settings, language
):
    settings.LANGUAGE_CODE = "en"
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:2],
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE[2:],
    ]
    settings.ROOT_URLCONF = tuple(i18n_patterns(PAGES))

    client.post(f"/{language}{CONNECT}", {"email": ADDRESS})

    assert return_url(transmit) == f"http://testserver/{language}{LINK}"


def test_it_is_in_the_namespace_of_the_page(client, shopper, transmit, settings):
    named = include("django_piggy_verify.urls", namespace="shop")
    settings.ROOT_URLCONF = (PAGES, path("shop/", named))

    response = client.post("/shop/connect/", {"email": ADDRESS})

    assert response.url == "/shop/connect/link/"
    assert return_url(transmit) == "http://testserver/shop/connect/link/"


def test_only_the_connect_pages_need_be_routed(client, shopper, transmit, settings):
    pages = include("django_piggy_verify.urls_connect")
    settings.ROOT_URLCONF = (path("me/", pages),)

    client.post("/me/connect/", {"email": ADDRESS})
    way_back = follow(transmit)

    assert way_back == "http://testserver/me/connect/link/?result=true"
    assert client.post("/me/connect/link/").url == "/me/connect/"
    assert contacts_of(shopper) == [ADDRESS]
