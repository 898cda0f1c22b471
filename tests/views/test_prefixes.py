"""Serve the pages below a language or below a prefix."""

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.decorators import login_required
from django.urls import include, path, set_script_prefix

from django_piggy_verify.testing import assert_strangers_look_like_contacts
from tests.steps import ADDRESS
from tests.urls import members

LOGIN = path("login/", include("django_piggy_verify.urls"))
MEMBERS = path("members/", login_required(members), name="members")


def walk(browser, sandbox, path):
    """Open a page for members, and return all addresses on the way there."""
    asked = browser.get(path, follow=True)
    login = asked.redirect_chain[-1][0].partition("?")[0]
    form = {"email": ADDRESS, "next": asked.context["form"]["next"].value()}
    coded = browser.post(login, form, follow=True)
    [(code_page, _)] = coded.redirect_chain
    form = {"code": sandbox.last_code(ADDRESS)}
    page = browser.post(code_page, form, follow=True)
    return [login, code_page, *(address for address, _ in page.redirect_chain)]


@pytest.fixture
def languages(settings):
    """Serve the pages below their language."""

    def languages(**options):
        settings.LANGUAGE_CODE = "en"
        settings.MIDDLEWARE = [
            *settings.MIDDLEWARE[:2],
            "django.middleware.locale.LocaleMiddleware",
            *settings.MIDDLEWARE[2:],
        ]
        settings.ROOT_URLCONF = tuple(i18n_patterns(LOGIN, MEMBERS, **options))

    return languages


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_pages_are_below_the_language_they_are_shown_in(
    client, contact, piggy_sandbox, languages, language
):
    languages()

    way = walk(client, piggy_sandbox, f"/{language}/members/?page=2")

    assert way == [
        f"/{language}/login/",
        f"/{language}/login/code/",
        f"/{language}/members/?page=2",
    ]


@pytest.mark.parametrize("prefix", ["", "/nl"], ids=["default", "other"])
def test_the_default_language_may_go_without_a_prefix(
    client, contact, piggy_sandbox, languages, prefix
):
    languages(prefix_default_language=False)

    way = walk(client, piggy_sandbox, f"{prefix}/members/?page=2")

    assert way == [
        f"{prefix}/login/",
        f"{prefix}/login/code/",
        f"{prefix}/members/?page=2",
    ]


@pytest.mark.parametrize("address", ["/login/", "/members/"])
def test_an_address_without_a_language_leads_to_the_visitors_own(
    client, db, languages, address
):
    languages()

    page = client.get(address, headers={"accept-language": "nl"}, follow=True)

    assert page.redirect_chain[-1][0].startswith("/nl/login/")
    assert '<html lang="nl"' in page.text


def test_below_a_language_strangers_look_like_contacts(db, piggy_sandbox, languages):
    languages()

    assert_strangers_look_like_contacts(piggy_sandbox)


@pytest.fixture
def prefixed(settings):
    """Serve the site below a prefix that the server in front removes."""
    settings.FORCE_SCRIPT_NAME = "/shop"
    settings.ROOT_URLCONF = (LOGIN, MEMBERS)
    settings.LOGIN_REDIRECT_URL = "members"
    set_script_prefix("/shop/")  # as `django.setup` does
    yield
    set_script_prefix("/")


def test_all_addresses_are_below_the_prefix(client, contact, piggy_sandbox, prefixed):
    asked = client.get("/members/?page=2")
    form = {"email": ADDRESS, "next": "/shop/members/?page=2"}
    coded = client.post("/login/", form)
    form = {"code": piggy_sandbox.last_code(ADDRESS)}
    arrived = client.post("/login/code/", form)

    assert asked.url == "/shop/login/?next=/shop/members/%3Fpage%3D2"
    assert coded.url == "/shop/login/code/"
    assert arrived.url == "/shop/members/?page=2"


def test_without_a_next_the_target_has_the_prefix(
    client, contact, piggy_sandbox, prefixed
):
    client.post("/login/", {"email": ADDRESS})
    form = {"code": piggy_sandbox.last_code(ADDRESS)}

    assert client.post("/login/code/", form).url == "/shop/members/"
