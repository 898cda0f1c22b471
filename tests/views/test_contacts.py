"""The portal page and the token page, which contacts see after the login."""

import pytest
from django.db import connection
from django.http import HttpResponse
from django.urls import path, re_path

from django_piggy_verify.models import AuthToken
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.views import PortalView
from tests.steps import JSON, calls, log_in, log_out, portal_visitor
from tests.urls import urlpatterns

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def exposed(settings):
    settings.PIGGY_VERIFY_EXPOSE_AUTH_TOKEN = True


def test_the_portal_page_leads_a_contact_to_the_portal(
    client, user, contact, piggy_sandbox
):
    response = client.get("/portal/")

    assert response.status_code == 302
    assert portal_visitor(piggy_sandbox, response.url) == contact
    assert response.url == response["Location"]
    assert response.text == ""


def test_the_link_is_neither_cached_nor_logged(client, user):
    response = client.get("/portal/")

    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "no-referrer"
    assert "token" not in repr([response, response.headers, dict(response.headers)])


def test_the_headers_are_plain_strings_for_the_server(client, user):
    response = client.get("/portal/")

    assert {type(value) for _, value in response.items()} == {str}
    assert dict(response.items())["Location"] == response.url


def test_a_visitor_logs_in_before_the_portal_page(client, contact, piggy_sandbox):
    response = client.get("/portal/?a=1")

    assert response.url == "/login/?next=/portal/%3Fa%3D1"
    assert log_in(client, piggy_sandbox, next="/portal/?a=1").url == "/portal/?a=1"
    assert "portal" not in calls(piggy_sandbox)


def test_the_portal_page_is_not_found_for_a_user_who_is_no_contact(
    admin_client, piggy_sandbox
):
    response = admin_client.get("/portal/")

    assert response.status_code == 404
    assert "Not Found" in response.text
    assert "no-store" in response["Cache-Control"]


def own_404(request, exception):
    return HttpResponse("not here", status=404)


def test_the_portal_page_uses_the_404_page_of_the_project(
    admin_client, settings, monkeypatch
):
    monkeypatch.setattr("tests.urls.handler404", own_404, raising=False)

    assert admin_client.get("/portal/").text == "not here"


def test_the_portal_page_of_an_outage_links_to_itself(client, user, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    response = client.get("/portal/?a=1")

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert 'href="/portal/?a=1"' in response.text
    assert "attempt" not in response.text


def test_the_link_of_an_outage_never_leaves_the_site(
    client, user, piggy_sandbox, settings
):
    settings.ROOT_URLCONF = (*urlpatterns, re_path("desk/", PortalView.as_view()))
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    response = client.get("/", PATH_INFO="//evil.example/desk/")

    assert response.status_code == 503
    assert 'href="//' not in response.text


def test_scripts_do_not_get_the_link(client, user, piggy_sandbox):
    response = client.get("/portal/", headers=JSON)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
    assert "portal" not in calls(piggy_sandbox)
    assert "Accept" in response["Vary"]


def test_a_fetch_of_a_browser_does_not_get_the_link(client, user, piggy_sandbox):
    response = client.get("/portal/", headers={"Sec-Fetch-Mode": "cors"})

    assert response.status_code == 404
    assert "portal" not in calls(piggy_sandbox)


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender"])
def test_a_prefetch_fetches_no_link(client, user, piggy_sandbox, purpose):
    response = client.get("/portal/", headers={"Sec-Purpose": purpose})

    assert response.status_code == 503
    assert "no-store" in response["Cache-Control"]
    assert "portal" not in calls(piggy_sandbox)


def test_a_navigation_of_a_browser_is_redirected_to_the_portal(client, user):
    response = client.get("/portal/", headers={"Sec-Fetch-Mode": "navigate"})

    assert response.status_code == 302


def test_scripts_get_the_link_where_tokens_are_exposed(
    client, user, contact, exposed, piggy_sandbox
):
    response = client.get("/portal/", headers=JSON)

    assert portal_visitor(piggy_sandbox, response.json()["redirect_to"]) == contact
    assert "no-store" in response["Cache-Control"]


def test_scripts_get_the_reason_when_there_is_no_link(
    client, user, exposed, piggy_sandbox
):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    down = client.get("/portal/", headers=JSON)
    piggy_sandbox.reset()
    unknown = client.get("/portal/", headers=JSON)
    log_out(client)
    nobody = client.get("/portal/", headers=JSON)

    answers = [
        (each.status_code, each.json()["error"]["code"])
        for each in (down, unknown, nobody)
    ]
    assert answers == [
        (503, "provider_unavailable"),
        (404, "not_found"),
        (403, "login_required"),
    ]


@pytest.mark.parametrize("method", ["head", "post", "put", "delete"])
def test_the_portal_page_allows_get_only(client, user, piggy_sandbox, method):
    response = getattr(client, method)("/portal/")

    assert response.status_code == 405
    assert response["Allow"] == "GET, OPTIONS"
    assert "portal" not in calls(piggy_sandbox)


def test_a_post_to_the_portal_page_does_not_lead_to_the_login(client, db):
    assert client.post("/portal/").status_code == 405


def test_login_required_middleware_leaves_the_portal_page_alone(client, settings, db):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    assert client.get("/portal/", headers=JSON).status_code == 403


def test_no_transaction_is_open_while_the_portal_link_is_fetched(
    user, client, piggy_sandbox, monkeypatch, transactional_db
):
    seen, real = [], PiggyProvider.fetch_portal_url

    def watched(*args):
        seen.append(connection.in_atomic_block)
        return real(*args)

    monkeypatch.setattr(PiggyProvider, "fetch_portal_url", watched)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    client.get("/portal/")

    assert seen == [False]


class CashierView(PortalView):
    login_url = "/cash-desk/"


def test_a_subclass_has_a_login_url_of_its_own(client, db, settings):
    settings.ROOT_URLCONF = (*urlpatterns, path("desk/", CashierView.as_view()))

    assert client.get("/desk/").url == "/cash-desk/?next=/desk/"


def test_the_token_page_is_not_found_by_default(client, member):
    assert client.get("/login/token/").status_code == 404


def test_the_token_page_returns_the_token_where_it_is_exposed(client, user, exposed):
    response = client.get("/login/token/")

    assert response.json()["auth_token"].startswith("eyJ")
    assert response.json()["expires_at"] > "2020"
    assert "no-store" in response["Cache-Control"]


def test_the_token_page_refuses_visitors_who_are_not_logged_in(client, db, exposed):
    response = client.get("/login/token/")

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "login_required"


def test_the_token_page_is_not_found_for_a_user_who_is_no_contact(
    admin_client, piggy_sandbox, exposed
):
    assert admin_client.get("/login/token/").status_code == 404


@pytest.mark.parametrize("is_logged_in", [True, False])
def test_the_token_page_is_not_found_with_a_provider_that_cannot_log_in(
    admin_client, client, settings, exposed, is_logged_in
):
    settings.PIGGY_VERIFY_PROVIDER = "tests.attributes.Prover"
    visitor = admin_client if is_logged_in else client

    assert visitor.get("/login/token/").status_code == 404


def test_the_token_page_reports_options_that_do_not_fit(client, settings, exposed):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"no_such": "option"}

    assert client.get("/login/token/").status_code == 503


def test_the_token_page_reports_an_outage(client, member, piggy_sandbox, exposed):
    AuthToken.objects.all().delete()
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    response = client.get("/login/token/")

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert response.json()["error"]["code"] == "provider_unavailable"
