"""Only some users may see the connect pages. The pages lead to URLs of this site."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import include, path

from django_piggy_verify import views
from django_piggy_verify.models import Contact
from tests.connecting.steps import (
    CANCEL,
    CODE,
    CONNECT,
    DISCONNECT,
    LINK,
    RESEND,
    ask,
    become,
    connect,
    contacts_of,
    type_code,
)
from tests.steps import ADDRESS, JSON, calls, log_in, log_out
from tests.urls import urlpatterns as pages_of_the_site

pytestmark = pytest.mark.usefixtures("contact")

GETS = [("get", CONNECT), ("get", CODE)]
POSTS = [("post", url) for url in (CONNECT, CODE, RESEND, CANCEL, DISCONNECT)]
EVERY_PAGE = GETS + POSTS
HOME = "/login/?next=/login/connect/"


@pytest.fixture
def make(shopper):
    """Return a function that changes the shopper's row."""

    def change(**columns):
        type(shopper).objects.filter(pk=shopper.pk).update(**columns)

    return change


def visit(browser, page, **options):
    method, url = page
    data = {"email": ADDRESS, "code": "123456", "contact": "1"}
    return getattr(browser, method)(url, data if method == "post" else {}, **options)


# Off by default.


@pytest.mark.parametrize("page", [*EVERY_PAGE, ("get", LINK)])
@pytest.mark.parametrize("headers", [{}, JSON], ids=["HTML", "JSON"])
def test_without_the_setting_there_is_no_page(client, shopper, settings, page, headers):
    del settings.PIGGY_VERIFY_CONNECT

    assert visit(client, page, headers=headers).status_code == 404


@pytest.mark.usefixtures("shopper")
@pytest.mark.parametrize("page", POSTS)
def test_without_the_setting_a_forged_post_finds_no_page(settings, page):
    settings.PIGGY_VERIFY_CONNECT = False

    assert visit(Client(enforce_csrf_checks=True), page).status_code == 404


# Visitors.


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_visitor_is_led_to_the_login_and_back(client, piggy_sandbox, page):
    response = visit(client, page)

    back = page[1] if page in GETS else CONNECT
    assert response.url == f"/login/?next={back}"
    assert calls(piggy_sandbox) == []


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_script_of_a_visitor_has_to_log_in(client, piggy_sandbox, page):
    response = visit(client, page, headers=JSON)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"
    assert calls(piggy_sandbox) == []


def test_a_visitor_who_logs_in_comes_back_to_the_page(client, piggy_sandbox):
    page = client.get(f"{CONNECT}?next=/members/")

    response = log_in(client, piggy_sandbox, next="/login/connect/?next=/members/")

    assert page.url == "/login/?next=/login/connect/%3Fnext%3D/members/"
    assert response.url == "/login/connect/?next=/members/"
    assert client.get(response.url).status_code == 200


@pytest.mark.parametrize("page", [CONNECT, CODE, RESEND, CANCEL])
def test_next_is_kept_if_the_session_ends_midway(client, shopper, page):
    shown = client.get(CONNECT, {"next": "/members/?page=2"})
    fields = shown.context["form"].initial
    if page != CONNECT:
        ask(client, **fields)
        fields = {"login": str(client.get(CODE).context["login"])}
    log_out(client)

    response = client.post(page, {"email": ADDRESS, "code": "123456", **fields})

    back = parse_qs(urlsplit(response.url).query)["next"][0]
    assert urlsplit(back).path == CONNECT
    assert parse_qs(urlsplit(back).query) == {"next": ["/members/?page=2"]}


@pytest.mark.parametrize("url", [CONNECT, CODE])
def test_another_login_url_is_used(client, settings, url):
    settings.LOGIN_URL = "/sign-in/?from=shop"

    assert client.get(url).url == f"/sign-in/?from=shop&next={url}"


def test_the_login_page_sends_no_one_round_in_circles(client, shopper, settings):
    """A user who is refused gets a page, and no redirect back to the login."""
    settings.LOGIN_REDIRECT_URL = CONNECT
    type(shopper).objects.update(is_staff=True)

    response = client.get("/login/", follow=True)

    assert [url for url, _ in response.redirect_chain] == [CONNECT]
    assert response.status_code == 403


# Users who are refused.


@pytest.mark.parametrize("column", ["is_staff", "is_superuser"])
@pytest.mark.parametrize("page", EVERY_PAGE)
def test_staff_are_refused_at_once(client, make, piggy_sandbox, page, column):
    make(**{column: True})

    response = visit(client, page)

    assert response.status_code == 403
    assert calls(piggy_sandbox) == []


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_script_of_staff_is_refused(client, make, page):
    make(is_staff=True)

    response = visit(client, page, headers=JSON)

    assert response.json()["error"]["code"] == "login_refused"


@pytest.mark.parametrize("column", ["is_staff", "is_superuser"])
def test_staff_may_connect_if_the_settings_allow_it(
    client, make, piggy_sandbox, settings, column
):
    settings.PIGGY_VERIFY_ALLOW_STAFF = True
    make(**{column: True})

    connect(client, piggy_sandbox)

    assert Contact.objects.get().email == ADDRESS


def test_staff_keep_a_contact_from_before_but_cannot_log_in_with_it(
    client, make, shopper, piggy_sandbox, unlimited
):
    connect(client, piggy_sandbox)
    make(is_staff=True)
    visitor = Client()

    response = log_in(visitor, piggy_sandbox)

    assert response.status_code == 403
    assert "_auth_user_id" not in visitor.session
    assert contacts_of(shopper) == [ADDRESS]


class Picky:
    """Lets only users with a first name connect."""

    def can_connect(self, user):
        return bool(user.first_name)


def picky(view):
    subclass: Any = type("Picky", (Picky, view), {})
    return subclass.as_view()


connect_pages = [
    path("", picky(views.ConnectView), name="connect"),
    path("code/", picky(views.ConnectCodeView), name="connect-code"),
    path("code/resend/", picky(views.ConnectResendView), name="connect-resend"),
    path("cancel/", picky(views.ConnectCancelView), name="connect-cancel"),
    path("link/", picky(views.ConnectLinkView), name="connect-link"),
    path("disconnect/", picky(views.DisconnectView), name="disconnect"),
]
urlpatterns = [
    path("login/connect/", include((connect_pages, "piggy_verify"))),
    *pages_of_the_site,
]
of_a_picky_project = pytest.mark.urls(__name__)


@of_a_picky_project
@pytest.mark.usefixtures("shopper")
@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_project_can_refuse_users_on_every_page(client, piggy_sandbox, page):
    response = visit(client, page)

    assert response.status_code == 403
    assert calls(piggy_sandbox) == []


@of_a_picky_project
def test_a_project_can_refuse_a_user_between_send_and_check(
    client, shopper, make, piggy_sandbox
):
    make(first_name="Ann")
    ask(client)
    make(first_name="")

    response = type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert response.status_code == 403
    assert "verify" not in calls(piggy_sandbox)


@of_a_picky_project
def test_a_project_is_not_asked_about_staff(client, make):
    make(first_name="Ann", is_staff=True)

    assert client.get(CONNECT).status_code == 403


# Forged requests, redirects and caches.


@pytest.mark.parametrize("page", POSTS)
def test_a_forged_post_does_nothing(shopper, piggy_sandbox, page):
    victim = Client(enforce_csrf_checks=True)
    become(victim, shopper)
    Contact.objects.create(
        pk=1, user=shopper, provider="piggy", uid="1", verified_at="2026-01-01T00:00Z"
    )

    response = visit(victim, page)

    assert response.status_code == 403
    assert calls(piggy_sandbox) == []
    assert Contact.objects.exists()


@pytest.mark.parametrize(
    "evil",
    [
        "https://evil.example/",
        "//evil.example/",
        "javascript:alert(1)",
        "/\\evil.example",
    ],
)
def test_no_page_leads_to_another_site(client, shopper, piggy_sandbox, evil, unlimited):
    ask(client, next=evil)

    connected = type_code(client, piggy_sandbox.last_code(ADDRESS), next=evil)
    cancelled = client.post(CANCEL, {"next": evil})
    disconnected = client.post(
        DISCONNECT, {"contact": Contact.objects.get().pk, "next": evil}
    )

    pages = (connected, cancelled, disconnected)
    assert [page.url for page in pages] == [CONNECT] * 3


def test_a_visitor_is_not_led_to_another_site(client):
    response = client.post(CONNECT, {"next": "//evil.example/"})

    assert response.url == HOME


def test_a_next_on_this_site_is_followed(client, shopper, piggy_sandbox):
    assert connect(client, piggy_sandbox, next="/members/").url == "/members/"


@pytest.mark.parametrize("page", [*EVERY_PAGE, ("get", LINK)])
def test_no_page_is_cached(client, shopper, piggy_sandbox, page):
    ask(client)

    response = visit(client, page)

    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


@pytest.mark.parametrize("page", GETS)
def test_pages_vary_by_the_session(client, shopper, page):
    ask(client)
    shown = visit(client, page)
    log_out(client)

    turned_away = visit(client, page)

    for each in (shown, turned_away):
        assert {"Accept", "Cookie"} <= set(each["Vary"].split(", "))


def test_the_cookie_has_the_attributes_of_the_session_cookie(client, shopper):
    cookie = ask(client, secure=True).cookies["piggy_verify_connect"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
