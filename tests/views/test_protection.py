"""Every page has the CSRF check and a readable error page."""

import pytest
from django.contrib.auth import logout
from django.http import HttpResponse, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.test import Client
from django.urls import path

from django_piggy_verify.models import Tally
from django_piggy_verify.views import EmailView
from tests.steps import ADDRESS, JSON, ask_for_code, calls, is_logged_in
from tests.urls import urlpatterns

FORMS = ["", "code/", "code/resend/", "cancel/"]
CSRF = "django.middleware.csrf.CsrfViewMiddleware"


@pytest.fixture
def strict(contact):
    """A browser whose posts are checked for CSRF, as outside of tests."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture(params=[True, False], ids=["middleware", "none"])
def middleware(request, settings):
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if each != CSRF]
    settings.MIDDLEWARE += [CSRF] * request.param


@pytest.mark.parametrize("page", FORMS)
def test_a_post_without_a_token_does_nothing(strict, middleware, page, piggy_sandbox):
    response = strict.post(f"/login/{page}", {"email": ADDRESS})

    assert response.status_code == 403
    assert "no-store" in response["Cache-Control"]
    assert calls(piggy_sandbox) == []


def test_a_right_code_without_a_token_logs_nobody_in(strict, piggy_sandbox):
    token = strict.get("/login/").cookies["csrftoken"].value
    ask_for_code(strict, csrfmiddlewaretoken=token)

    strict.post("/login/code/", {"code": piggy_sandbox.last_code(ADDRESS)})

    assert not is_logged_in(strict)
    assert calls(piggy_sandbox) == ["send"]


@pytest.mark.parametrize("header", ["https://evil.example", "null"])
def test_a_post_from_elsewhere_does_nothing(strict, middleware, piggy_sandbox, header):
    token = strict.get("/login/").cookies["csrftoken"].value
    fields = {"email": ADDRESS, "csrfmiddlewaretoken": token}

    response = strict.post("/login/", fields, headers={"origin": header})

    assert response.status_code == 403
    assert calls(piggy_sandbox) == []


def test_without_a_csrf_token_the_page_says_what_to_do(strict, middleware):
    page = strict.post("/login/", {"email": ADDRESS, "next": "/members/"})

    assert "allow cookies for this site" in page.text
    assert 'href="/login/?next=%2Fmembers%2F"' in page.text


@pytest.mark.parametrize("page", FORMS)
def test_a_script_without_a_csrf_token_gets_an_error(strict, middleware, page):
    response = strict.post(f"/login/{page}", {}, "application/json", headers=JSON)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "csrf_failed"
    assert "Accept" in response["Vary"]


def test_a_token_in_a_header_is_enough(strict, middleware, piggy_sandbox):
    token = strict.get("/login/", headers=JSON).json()["csrf_token"]
    headers = {**JSON, "x-csrftoken": token}

    response = strict.post(
        "/login/", {"email": ADDRESS}, "application/json", headers=headers
    )

    assert response.status_code == 202


def test_a_token_in_the_form_is_enough(strict, middleware):
    token = strict.get("/login/").cookies["csrftoken"].value

    response = ask_for_code(strict, csrfmiddlewaretoken=token)

    assert response.url == "/login/code/"


def test_a_failed_check_is_logged_where_django_logs_it(strict, caplog):
    strict.post("/login/")

    assert "django.security.csrf" in [each.name for each in caplog.records]


@pytest.mark.parametrize(
    ("page", "back"),
    [("code/resend/", "/login/code/"), ("cancel/", "/login/?next=%2Fmembers%2F")],
)
def test_a_get_of_a_post_only_page_leads_back(client, code, page, back):
    response = client.get(f"/login/{page}?next=/members/")

    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"
    assert f'href="{back}">Try again' in response.text


def test_without_a_login_a_get_of_the_resend_leads_to_the_start(client, db):
    response = client.get("/login/code/resend/?next=/members/")

    assert 'href="/login/?next=%2Fmembers%2F">Try again' in response.text


def test_a_failed_check_of_the_code_page_leads_back_to_it(
    strict, middleware, piggy_sandbox
):
    token = strict.get("/login/").cookies["csrftoken"].value
    ask_for_code(strict, csrfmiddlewaretoken=token)

    response = strict.post("/login/code/", {"code": "1"})

    assert response.status_code == 403
    assert 'href="/login/code/">Try again' in response.text
    assert strict.get("/login/code/").status_code == 200


@pytest.mark.parametrize("page", [*FORMS, "token/"])
def test_a_script_gets_the_allowed_methods(client, db, page):
    response = client.delete(f"/login/{page}", headers=JSON)

    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"
    assert "OPTIONS" in response["Allow"]


@pytest.fixture
def old_form(strict, middleware, piggy_sandbox):
    """The fields that a second click posts after the first click has logged in."""
    token = strict.get("/login/").cookies["csrftoken"].value
    ask_for_code(strict, csrfmiddlewaretoken=token, next="/members/?a=1")
    page = strict.get("/login/code/").context
    form = {
        "code": piggy_sandbox.last_code(ADDRESS),
        "login": page["form"]["login"].value(),
        "csrfmiddlewaretoken": str(page["csrf_token"]),
    }
    strict.post("/login/code/", form)
    return form


def test_the_second_click_on_a_form_leads_where_the_first_one_did(strict, old_form):
    response = strict.post("/login/code/", old_form)

    assert (response.status_code, response.url) == (302, "/members/?a=1")


@pytest.mark.parametrize("page", FORMS)
def test_an_old_form_sends_on_who_is_logged_in(strict, old_form, page, piggy_sandbox):
    before = state_of(strict)

    response = strict.post(f"/login/{page}?next=/members/%3Fb", {"email": ADDRESS})

    assert (response.status_code, response.url) == (302, "/members/?b")
    assert not response.cookies
    assert state_of(strict) == before
    assert calls(piggy_sandbox) == ["send", "verify", "auth-token"]


def state_of(browser):
    """Everything that a login changes: the counts, the session and the cookies."""
    counts = list(Tally.objects.order_by("key").values_list())
    return counts, dict(browser.session), browser.cookies.output()


@pytest.mark.parametrize("page", FORMS)
def test_a_script_without_a_token_is_sent_on_if_logged_in(strict, old_form, page):
    form = {"next": "/members/?b"}

    response = strict.post(f"/login/{page}", form, "application/json", headers=JSON)

    assert response.status_code == 200
    assert response.json() == {"redirect_to": "/members/?b"}


@pytest.mark.parametrize("url", ["//evil.example", "https://evil.example/", "/\\a"])
def test_an_old_form_leads_to_no_other_site(strict, old_form, url):
    responses = [
        strict.post("/login/", {"next": url}),
        strict.post("/login/code/", {"login": url, "next": url}),
        strict.post("/login/", query_params={"next": url}),
    ]

    assert {each.url for each in responses} == {"/members/"}


def test_a_page_for_logged_in_users_redirects_nobody(strict, old_form, settings):
    page = EmailView.as_view(redirect_authenticated_user=False)
    settings.ROOT_URLCONF = (*urlpatterns, path("own/", page))

    assert strict.post("/own/").status_code == 403


def test_a_method_that_a_page_lacks_redirects_nobody(strict, old_form):
    assert strict.put("/login/").status_code == 403


class LaxView(EmailView):
    def dispatch(self, *args, **kwargs):
        return HttpResponse("done")


def test_a_subclass_cannot_lose_the_check(strict, middleware, settings):
    settings.ROOT_URLCONF = (*urlpatterns, path("lax/", LaxView.as_view()))

    assert strict.post("/lax/").status_code == 403
    assert strict.get("/lax/").text == "done"


class HardenedMiddleware(CsrfViewMiddleware):
    def process_view(self, request, *args):
        if request.headers.get("sec-fetch-site") == "cross-site":
            return HttpResponseForbidden()
        return super().process_view(request, *args)


def test_a_check_of_the_project_is_the_one_that_counts(strict, settings):
    hardened = f"{__name__}.{HardenedMiddleware.__name__}"
    settings.MIDDLEWARE = [
        hardened if each == CSRF else each for each in settings.MIDDLEWARE
    ]
    token = strict.get("/login/").cookies["csrftoken"].value
    fields = {"email": ADDRESS, "csrfmiddlewaretoken": token}

    refused = strict.post("/login/", fields, headers={"sec-fetch-site": "cross-site"})

    assert refused.status_code == 403
    assert strict.post("/login/", fields).status_code == 302


def test_a_check_of_the_project_may_end_the_session(strict, old_form, settings):
    middleware = [each for each in settings.MIDDLEWARE if each != CSRF]
    settings.MIDDLEWARE = [*middleware, f"{__name__}.{LogsOut.__name__}"]

    assert strict.post("/login/code/", old_form).status_code == 403


class LogsOut(CsrfViewMiddleware):
    def process_view(self, request, *args):
        refusal = super().process_view(request, *args)
        if refusal:
            logout(request)
        return refusal


def test_origins_that_are_trusted_later_are_trusted(strict, settings):
    token = strict.get("/login/", headers=JSON).json()["csrf_token"]
    headers = {**JSON, "x-csrftoken": token, "origin": "https://a.example.com"}
    before = strict.post("/login/", {"email": ADDRESS}, headers=headers)

    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.com"]

    after = strict.post("/login/", {"email": ADDRESS}, headers=headers)
    assert (before.status_code, after.status_code) == (403, 202)


class Broken:
    """The body of a request whose client has disconnected."""

    def read(self, *args):
        raise OSError("gone")

    readline = read


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", *JSON.values()])
@pytest.mark.parametrize("accept", [*JSON.values(), "text/html"])
def test_a_body_that_breaks_off_is_no_error_of_ours(strict, kind, accept):
    body = {"CONTENT_LENGTH": "100", "wsgi.input": Broken()}

    response = strict.post("/login/", {}, kind, headers={"accept": accept}, **body)

    assert response.status_code == 403


def test_a_subclass_does_not_see_forged_posts(strict, settings):
    class Page(EmailView):
        def setup(self, *args, **kwargs):
            pytest.fail("set up")

    settings.ROOT_URLCONF = (*urlpatterns, path("own/", Page.as_view()))

    assert strict.post("/own/").status_code == 403


def test_the_arguments_of_the_view_count_when_the_check_fails(strict, settings):
    page = EmailView.as_view(interrupted_template_name="piggy_verify/refused.html")
    settings.ROOT_URLCONF = (*urlpatterns, path("own/", page))

    assert "You cannot log in this way" in strict.post("/own/").text


def test_a_message_may_hold_a_per_cent_sign(client, contact, settings):
    class Page(EmailView):
        messages = {**EmailView.messages, "too_many_attempts": "100% in %(wait)s"}

    settings.ROOT_URLCONF = (*urlpatterns, path("own/", Page.as_view()))
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    ask_for_code(client)

    answer = client.post("/own/", {"email": "ben@example.com"}, headers=JSON)

    assert answer.json()["error"]["message"] == "100% in 60 minutes"


def test_a_project_can_replace_the_csrf_page(strict, settings):
    class Page(EmailView):
        messages = {**EmailView.messages, "csrf_failed": "Come in by the door."}

    settings.ROOT_URLCONF = (path("own/", Page.as_view()),)

    response = strict.post("/own/", headers=JSON)

    assert response.json()["error"]["message"] == "Come in by the door."


@pytest.mark.parametrize("charset", ["hex", "undefined", "utf-16", "no-such"])
@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_request_is_always_read_as_utf_8(client, contact, kind, charset):
    posted = {
        "application/x-www-form-urlencoded": f"email={ADDRESS}",
        "multipart/form-data; boundary=x": (
            f'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n{ADDRESS}\r\n'
            "--x--\r\n"
        ),
    }

    response = client.generic(
        "POST",
        "/login/",
        posted[kind],
        content_type=f"{kind}; charset={charset}",
        headers=JSON,
    )

    assert response.status_code == 202


def test_a_body_that_a_middleware_has_read_is_kept(client, contact, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.reads_the_form"]

    assert ask_for_code(client).url == "/login/code/"


def reads_the_form(get_response):
    def middleware(request):
        assert request.POST
        return get_response(request)

    return middleware


@pytest.mark.parametrize("page", [*FORMS, "token/"])
def test_options_always_lists_the_methods(client, db, page):
    response = client.options(f"/login/{page}", headers=JSON)

    assert response.status_code == 200
    assert "OPTIONS" in response["Allow"]


def test_head_is_answered_wherever_get_is(client, db):
    status = {
        page: client.head(f"/login/{page}").status_code
        for page in ("", "code/", "token/")
    }

    assert status == {"": 200, "code/": 302, "token/": 404}
