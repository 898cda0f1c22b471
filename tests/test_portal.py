from urllib.parse import parse_qs, urlsplit

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import HttpResponse
from django.urls import path, re_path

from django_piggy_verify.exceptions import (
    ContactUnknown,
    ProviderRefused,
    ProviderUnavailable,
)
from django_piggy_verify.models import AuthToken
from django_piggy_verify.portal import aget_portal_url, get_portal_url
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.views import PortalView
from tests.http.hostile import reply, serving
from tests.steps import JSON, calls, log_in, log_out
from tests.urls import urlpatterns

pytestmark = pytest.mark.usefixtures("unlimited")


def visitor(sandbox, url):
    """Answer who is let into the portal."""
    [token] = parse_qs(urlsplit(url).query)["token"]
    return sandbox.visitor(token)


def test_the_link_lets_the_contact_of_the_user_in(user, contact, piggy_sandbox):
    url = get_portal_url(user)

    assert url.startswith("https://portal.invalid/home?token=")
    assert visitor(piggy_sandbox, url) == contact


def test_the_link_is_plain_text_for_its_caller(user):
    assert type(get_portal_url(user)) is str


def test_each_call_fetches_another_link(user, piggy_sandbox, django_assert_num_queries):
    with django_assert_num_queries(2):
        links = {get_portal_url(user), get_portal_url(user)}

    assert len(links) == 2
    assert calls(piggy_sandbox).count("portal") == 2


def test_it_can_be_awaited(user, contact, piggy_sandbox):
    url = async_to_sync(aget_portal_url)(user)

    assert visitor(piggy_sandbox, url) == contact


def test_a_user_who_is_no_contact_has_no_link(db, piggy_sandbox):
    for stranger in (User.objects.create_user("bob"), AnonymousUser()):
        with pytest.raises(ContactUnknown):
            get_portal_url(stranger)

    assert calls(piggy_sandbox) == []


def test_a_contact_of_another_account_has_no_link(user, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"name": "second-shop"}

    with pytest.raises(ContactUnknown):
        get_portal_url(user)


def test_a_contact_that_a_replica_does_not_have_yet_has_a_link(user, settings):
    settings.DATABASE_ROUTERS = ["tests.db.routers.ReadsFromReplica"]

    assert get_portal_url(user)


class Plain:
    """A provider without a portal."""

    name = "plain"


def test_a_provider_may_have_no_portal(user, settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.test_portal.Plain"

    with pytest.raises(ImproperlyConfigured, match="Plain has no portal"):
        get_portal_url(user)


@pytest.mark.parametrize(
    ("code", "error", "is_kept"),
    [
        (55031, ContactUnknown, False),
        (1053, ProviderRefused, False),
        (3000, ProviderRefused, False),
        (1003, ProviderRefused, True),
        (55032, ProviderRefused, True),
        (9999, ProviderUnavailable, True),
    ],
)
def test_some_refusals_drop_the_auth_token(user, settings, code, error, is_kept):
    with serving(settings) as upstream:
        upstream.answers["portal"] = reply({"code": code}, 400)

        with pytest.raises(error):
            get_portal_url(user)

    assert AuthToken.objects.exists() is is_kept


@pytest.mark.parametrize(
    ("fault", "level"), [(Fault.OUTAGE, "WARNING"), (Fault.UNAUTHORIZED, "ERROR")]
)
def test_a_failure_is_logged_for_whoever_can_mend_it(
    user, piggy_sandbox, caplog, fault, level
):
    piggy_sandbox.switches.fault = fault

    with pytest.raises((ProviderUnavailable, ProviderRefused)):
        get_portal_url(user)

    [record] = [each for each in caplog.records if "portal failed" in each.message]
    assert record.levelname == level


def test_a_failure_of_the_portal_is_not_remembered(user, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.OUTAGE
    with pytest.raises(ProviderUnavailable):
        get_portal_url(user)
    piggy_sandbox.switches.fault = None

    assert get_portal_url(user)


def test_the_page_leads_a_contact_to_the_portal(client, user, contact, piggy_sandbox):
    response = client.get("/portal/")

    assert response.status_code == 302
    assert visitor(piggy_sandbox, response.url) == contact
    assert response.url == response["Location"]
    assert response.text == ""


def test_the_way_there_is_kept_by_nobody(client, user):
    response = client.get("/portal/")

    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "no-referrer"
    assert "token" not in repr([response, response.headers, dict(response.headers)])


def test_servers_get_headers_of_plain_text(client, user):
    response = client.get("/portal/")

    assert {type(value) for _, value in response.items()} == {str}
    assert dict(response.items())["Location"] == response.url


def test_whoever_is_not_logged_in_logs_in_and_comes_back(
    client, contact, piggy_sandbox
):
    response = client.get("/portal/?a=1")

    assert response.url == "/login/?next=/portal/%3Fa%3D1"
    assert log_in(client, piggy_sandbox, next="/portal/?a=1").url == "/portal/?a=1"
    assert "portal" not in calls(piggy_sandbox)


def test_a_user_who_is_no_contact_is_told_so(admin_client, piggy_sandbox):
    response = admin_client.get("/portal/")

    assert response.status_code == 404
    assert "Not Found" in response.text
    assert "no-store" in response["Cache-Control"]


def own_404(request, exception):
    return HttpResponse("not here", status=404)


def test_a_project_has_its_own_words_for_that(admin_client, settings, monkeypatch):
    monkeypatch.setattr("tests.urls.handler404", own_404, raising=False)

    assert admin_client.get("/portal/").text == "not here"


def test_an_outage_leads_back_to_the_page_itself(client, user, piggy_sandbox):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    response = client.get("/portal/?a=1")

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert 'href="/portal/?a=1"' in response.text
    assert "attempt" not in response.text


def test_after_an_outage_no_path_leads_off_the_site(
    client, user, piggy_sandbox, settings
):
    settings.ROOT_URLCONF = (*urlpatterns, re_path("desk/", PortalView.as_view()))
    piggy_sandbox.switches.fault = Fault.MAINTENANCE

    response = client.get("/", PATH_INFO="//evil.example/desk/")

    assert response.status_code == 503
    assert 'href="//' not in response.text


def test_scripts_are_not_told_the_link(client, user, piggy_sandbox):
    response = client.get("/portal/", headers=JSON)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
    assert "portal" not in calls(piggy_sandbox)
    assert "Accept" in response["Vary"]


def test_a_script_that_says_only_as_browsers_do_is_not_told(
    client, user, piggy_sandbox
):
    response = client.get("/portal/", headers={"Sec-Fetch-Mode": "cors"})

    assert response.status_code == 404
    assert "portal" not in calls(piggy_sandbox)


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender"])
def test_a_browser_that_looks_ahead_fetches_no_link(
    client, user, piggy_sandbox, purpose
):
    response = client.get("/portal/", headers={"Sec-Purpose": purpose})

    assert response.status_code == 503
    assert "no-store" in response["Cache-Control"]
    assert "portal" not in calls(piggy_sandbox)


def test_a_browser_that_follows_a_link_is_led_there(client, user):
    response = client.get("/portal/", headers={"Sec-Fetch-Mode": "navigate"})

    assert response.status_code == 302


@pytest.fixture
def exposed(settings):
    settings.PIGGY_VERIFY_EXPOSE_AUTH_TOKEN = True


def test_scripts_that_are_trusted_with_tokens_are_told_the_link(
    client, user, contact, exposed, piggy_sandbox
):
    response = client.get("/portal/", headers=JSON)

    assert visitor(piggy_sandbox, response.json()["redirect_to"]) == contact
    assert "no-store" in response["Cache-Control"]


def test_scripts_are_told_why_there_is_no_link(client, user, exposed, piggy_sandbox):
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
def test_the_page_can_be_opened_only(client, user, piggy_sandbox, method):
    response = getattr(client, method)("/portal/")

    assert response.status_code == 405
    assert response["Allow"] == "GET, OPTIONS"
    assert "portal" not in calls(piggy_sandbox)


def test_nobody_is_sent_to_the_login_by_what_the_page_does_not_have(client, db):
    assert client.post("/portal/").status_code == 405


def test_a_project_that_asks_for_logins_everywhere_lets_it_answer(client, settings, db):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    assert client.get("/portal/", headers=JSON).status_code == 403


def test_no_transaction_is_open_while_the_portal_is_asked(
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


def test_a_project_sends_to_a_login_of_its_own(client, db, settings):
    settings.ROOT_URLCONF = (*urlpatterns, path("desk/", CashierView.as_view()))

    assert client.get("/desk/").url == "/cash-desk/?next=/desk/"
