import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.steps import ADDRESS, ask_for_code, type_code


@pytest.fixture
def scoped(settings):
    """The session cookie is secure, for one path and a whole domain."""
    settings.SESSION_COOKIE_PATH = "/shop/"
    settings.SESSION_COOKIE_DOMAIN = ".example.com"
    settings.SESSION_COOKIE_SECURE = True


@pytest.fixture
def cookies(client, contact, piggy_sandbox):
    """Each cookie that a whole login sets, and the cookie that it deletes."""
    asked = ask_for_code(client)
    typed = type_code(client, piggy_sandbox.last_code(ADDRESS))
    return [
        cookie
        for response in (asked, typed)
        for cookie in response.cookies.values()
        if "piggy" in cookie.key
    ]


def test_cookies_have_the_domain_and_path_of_the_session_cookie(scoped, cookies):
    scopes = {(each["path"], each["domain"]) for each in cookies}

    assert len(cookies) == 3
    assert scopes == {("/shop/", ".example.com")}


def test_cookies_are_secure_if_the_session_cookie_is(scoped, cookies):
    kept = [each for each in cookies if each.value]

    assert [each["secure"] for each in kept] == [True, True]


def test_the_cookie_of_a_finished_login_is_deleted(cookies):
    assert [each["max-age"] for each in cookies if not each.value] == [0]


def test_a_login_in_progress_outlives_a_change_of_the_secret_key(
    client, code, settings
):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key, which is just as long as the old one"

    assert type_code(client, code).url == "/members/"


class Framed(Client):
    """A browser in which the site stands in a frame of another site."""

    def request(self, **request):
        response = super().request(**request)
        for name, cookie in list(self.cookies.items()):
            if cookie["samesite"] != "None" or not cookie["secure"]:
                del self.cookies[name]
        return response


@pytest.fixture
def embedded(settings):
    settings.SESSION_COOKIE_SAMESITE = settings.CSRF_COOKIE_SAMESITE = "None"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True


def test_a_member_logs_in_within_a_frame_of_another_site(
    embedded, contact, piggy_sandbox
):
    browser = Framed(enforce_csrf_checks=True, headers={"origin": "https://testserver"})

    def post(path, **fields):
        token = browser.get(path, secure=True).context["csrf_token"]
        fields["csrfmiddlewaretoken"] = str(token)
        return browser.post(path, fields, secure=True)

    post("/login/", email=ADDRESS)
    post("/login/code/", code=piggy_sandbox.last_code(ADDRESS))

    page = browser.get("/members/", secure=True)
    assert page.text == f"user {User.objects.get().pk}"
    assert any("device" in name for name in browser.cookies)


@pytest.mark.parametrize("samesite", ["None", "none"])
def test_cookies_follow_a_session_that_other_sites_may_send(
    settings, request, samesite
):
    settings.SESSION_COOKIE_SAMESITE = samesite

    cookies = request.getfixturevalue("cookies")

    assert {(each["samesite"], each["secure"]) for each in cookies} == {("None", True)}


@pytest.mark.parametrize("samesite", ["Lax", "Strict", None, False])
def test_cookies_are_for_this_site_alone_with_any_other_session(
    settings, request, samesite
):
    settings.SESSION_COOKIE_SAMESITE = samesite

    cookies = request.getfixturevalue("cookies")

    assert {each["samesite"] for each in cookies} == {"Lax"}
