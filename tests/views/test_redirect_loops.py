"""No visitor who is logged in is redirected without end."""

import pytest
from django.test.utils import override_script_prefix
from django.urls import include, path

from django_piggy_verify import urls as login_urls
from django_piggy_verify.views import CodeView, EmailView
from tests.steps import ADDRESS, JSON, ask_for_code, log_in

LOOPS = [
    "/login/",
    "/login",
    "/login/code/",
    "piggy_verify:email",
    "./",
    "/login/?next=/login/",
]
PAGES = ["/login/", "/login/code/"]


def follow(client, url):
    """Return where the redirects end; the test client raises if there is no end."""
    response = client.get(url, follow=True)
    return response.request["PATH_INFO"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("target", LOOPS)
def test_a_default_page_within_the_login_raises(client, member, settings, target, page):
    settings.LOGIN_REDIRECT_URL = target

    with pytest.raises(ValueError, match="LOGIN_REDIRECT_URL"):
        client.get(page)


@pytest.mark.parametrize("page", PAGES)
def test_a_post_raises_as_well(client, member, settings, page):
    settings.LOGIN_REDIRECT_URL = "/login/code/"

    with pytest.raises(ValueError, match="LOGIN_REDIRECT_URL"):
        client.post(page, headers=JSON)


def test_another_next_leads_out_of_a_loop(client, member, settings):
    settings.LOGIN_REDIRECT_URL = "/login/"

    assert client.get("/login/?next=/members/").url == "/members/"


def test_a_default_page_that_names_the_next_one_is_no_loop(client, member, settings):
    settings.LOGIN_REDIRECT_URL = "/login/?next=/members/"

    assert client.get("/login/code/").url == "/members/"


@pytest.mark.parametrize(
    ("next_url", "target"),
    [
        ("/login/", "/members/"),
        ("/login/code/?a=1", "/members/"),
        ("/login/code", "/members/"),
        ("http://testserver/login/", "/members/"),
        ("/login/?next=/portal/", "/portal/"),
        ("/login/" + "?next=/login/" * 20, "/members/"),
        ("/login/?next=//evil.example/", "/members/"),
    ],
)
def test_a_next_within_the_login_is_skipped(client, member, next_url, target):
    response = client.get("/login/", {"next": next_url})

    assert response.url == target


def test_a_login_in_progress_that_leads_to_itself_ends(client, contact, member):
    other = client.cookies.pop("sessionid")
    ask_for_code(client, next="/login/code/")
    client.cookies["sessionid"] = other.value

    assert follow(client, "/login/code/") == "/members/"


def test_a_page_of_the_same_path_on_another_host_is_no_loop(client, member, settings):
    settings.LOGIN_REDIRECT_URL = "https://members.example/login/"

    assert client.get("/login/").url == "https://members.example/login/"


def test_a_page_that_does_not_exist_is_no_loop(client, member, settings):
    settings.APPEND_SLASH = False
    settings.LOGIN_REDIRECT_URL = "/login"

    assert client.get("/login/").url == "/login"


@pytest.fixture
def open_to_members(settings):
    """The e-mail page is shown to members, too."""
    own = path("", EmailView.as_view(redirect_authenticated_user=False), name="email")
    pages = ([own, *login_urls.urlpatterns], "piggy_verify")
    settings.ROOT_URLCONF = (path("login/", include(pages)),)


def test_a_page_that_redirects_nobody_is_no_loop(
    client, member, settings, open_to_members
):
    settings.LOGIN_REDIRECT_URL = "piggy_verify:email"

    assert client.get("/login/code/").url == "/login/"
    assert client.get("/login/").status_code == 200


class ShopCodeView(CodeView):
    def get_target_url(self, next_url):
        return self.request.path


def test_a_view_of_a_project_that_leads_back_raises(client, member, settings):
    own = path("code/", ShopCodeView.as_view(), name="code")
    pages = ([own, *login_urls.urlpatterns], "piggy_verify")
    settings.ROOT_URLCONF = (path("login/", include(pages)),)

    with pytest.raises(ValueError, match="LOGIN_REDIRECT_URL"):
        client.get("/login/code/")


@override_script_prefix("/shop/")
def test_below_a_script_prefix_a_loop_is_found(client, member, settings):
    settings.LOGIN_REDIRECT_URL = "/shop/login/code/"

    with pytest.raises(ValueError, match="LOGIN_REDIRECT_URL"):
        client.get("/login/")


def test_a_login_still_ends_where_it_did(client, contact, piggy_sandbox):
    response = log_in(client, piggy_sandbox, ADDRESS, next="/members/?a=1")

    assert response.url == "/members/?a=1"
