"""The page that a mailed link leads back to, opened by anybody and in any way."""

import re
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client

from django_piggy_verify.models import OpenChallenge, Tally
from tests.connecting.links import follow, go_on
from tests.connecting.steps import CODE, LINK, ask, become, contacts_of, twin_of
from tests.steps import BOB, JSON, calls

TOKEN = re.compile(r'(?<=name="csrfmiddlewaretoken" value=")[^"]*')
QUERIES = {
    "true": "result=true",
    "false": "result=false",
    "twice": "result=false&result=true",
    "list": "result[]=true",
    "number": "result=1",
    "blank": "result=",
    "no value": "result",
    "long": "result=" + "a" * 60_000,
    "many": "&".join(f"a{number}=1" for number in range(900)),
    "bytes": "result=%ff%00&%fe=%c0%80",
    "markup": "result=<script>alert(1)</script>",
    "next": "next=https://evil.example/&expired=1&refused=recipient",
    "login": "login=abc&recipient=bob@example.com&by=phone",
}
PREFETCHES = {
    "Sec-Purpose": {"sec-purpose": "prefetch"},
    "prerender": {"sec-purpose": "prefetch;prerender"},
    "Purpose": {"purpose": "prefetch"},
    "X-Moz": {"x-moz": "prefetch"},
    "X-Purpose": {"x-purpose": "preview"},
    "scanner": {"user-agent": "Mozilla/5.0 (compatible; mail scanner)"},
    "frame": {"sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site"},
}


def state():
    """Return every row that a request to the page could change."""
    counts = Tally.objects.order_by("key").values_list("key", "count", "ends_at")
    return list(counts), list(OpenChallenge.objects.values_list())


def page(response):
    """Return what the visitor gets, without the CSRF token."""
    names = {*response.headers} - {"Expires", "Content-Length"}
    headers = {name: response[name] for name in names}
    return response.status_code, headers, TOKEN.sub("", response.text)


@pytest.fixture
def stranger_page(db, transmit):
    return page(Client().get(LINK))


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_the_query_changes_nothing(asked, transmit, stranger_page, query):
    before = state()

    response = asked.get(f"{LINK}?{query}")

    assert page(response) == stranger_page
    assert state() == before
    assert calls(transmit) == ["send"]


@pytest.mark.parametrize("headers", PREFETCHES.values(), ids=PREFETCHES)
def test_a_program_that_fetches_the_page_changes_nothing(
    asked, transmit, stranger_page, shopper, headers
):
    follow(transmit)
    before = state()

    response = asked.get(f"{LINK}?result=true", headers=headers)

    assert page(response) == stranger_page
    assert state() == before
    assert "user" not in calls(transmit)
    assert not contacts_of(shopper)


def log_out(browser, _users):
    browser.logout()


def become_another(browser, users):
    become(browser, users.create_user("other"))


def become_staff(browser, users):
    users.update(is_staff=True)


def become_inactive(browser, users):
    users.update(is_active=False)


def lose_the_login(browser, _users):
    del browser.cookies["piggy_verify_connect"]


def forge_the_login(browser, _users):
    browser.cookies["piggy_verify_connect"] = "forged"


CHANGES = [log_out, become_another, become_staff, become_inactive]
CHANGES += [lose_the_login, forge_the_login]


@pytest.mark.parametrize("change", CHANGES)
def test_everybody_gets_the_same_page(
    asked, transmit, stranger_page, django_user_model, change
):
    follow(transmit)
    change(asked, django_user_model.objects)
    before = state()

    response = asked.get(f"{LINK}?result=true")

    assert page(response) == stranger_page
    assert state() == before
    assert calls(transmit) == ["send", "link"]


def test_before_the_user_has_asked_it_is_the_same_page(client, shopper, stranger_page):
    assert page(client.get(LINK)) == stranger_page


def test_the_page_sets_no_cookie_but_that_of_the_csrf_token(asked):
    session = dict(asked.session.items())

    response = asked.get(f"{LINK}?result=true")

    assert set(response.cookies) == {"csrftoken"}
    assert dict(asked.session.items()) == session


def test_the_page_writes_nothing(asked):
    writes: list[str] = []

    def watch(execute, sql, params, many, context):
        if not sql.startswith("SELECT"):
            writes.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        asked.get(f"{LINK}?result=true")

    assert writes == []


def test_no_cache_keeps_the_page(asked):
    response = asked.get(f"{LINK}?result=true")

    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_no_other_method_asks_the_provider(asked, transmit, shopper, method):
    follow(transmit)
    before = state()

    response = asked.generic(method, f"{LINK}?result=true")

    assert response.status_code == (200 if method in {"HEAD", "OPTIONS"} else 405)
    assert state() == before
    assert "user" not in calls(transmit)
    assert not contacts_of(shopper)


def test_a_method_in_a_header_or_a_field_is_no_method(asked, transmit):
    headers = {"x-http-method-override": "POST"}

    asked.get(f"{LINK}?_method=POST", headers=headers)

    assert calls(transmit) == ["send"]


def test_a_script_gets_a_csrf_token_and_no_more(asked, transmit):
    before = state()

    response = asked.get(f"{LINK}?result=true", headers=JSON)

    assert set(response.json()) == {"csrf_token"}
    assert state() == before
    assert calls(transmit) == ["send"]


def test_a_post_from_another_site_is_refused(asked, transmit, shopper):
    follow(transmit)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = asked.cookies

    response = strict.post(f"{LINK}?result=true")

    assert response.status_code == 403
    assert "user" not in calls(transmit)
    assert not contacts_of(shopper)


def test_a_scanner_that_follows_the_link_connects_nothing(asked, transmit, shopper):
    way_back = follow(transmit)

    page = Client().get(urlsplit(way_back)._replace(scheme="", netloc="").geturl())

    assert way_back.endswith(f"{LINK}?result=true")
    assert page.status_code == 200
    assert "user" not in calls(transmit)
    assert not contacts_of(shopper)


def test_a_button_of_a_scanner_connects_nothing(asked, transmit, shopper):
    """Some scanners press each button, but they have no cookie of the user."""
    follow(transmit)

    response = go_on(Client())

    assert response.url == f"/login/?next={LINK}"
    assert "user" not in calls(transmit)
    assert not contacts_of(shopper)


def test_without_the_setting_there_is_no_page(asked, settings):
    settings.PIGGY_VERIFY_CONNECT = False

    assert asked.get(LINK).status_code == 404


def test_a_link_from_before_a_change_to_codes_leads_to_the_page(asked, settings):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS |= {"email_by": "code"}

    assert asked.get(LINK).status_code == 200
    assert asked.post(LINK).url == CODE


def test_the_page_after_a_no_is_for_the_login_in_progress_of_its_tab(
    asked, transmit, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "9/1s"}
    first = go_on(asked).context["login"]
    other_tab = twin_of(asked)
    ask(other_tab, BOB)
    follow(transmit)

    response = asked.post(LINK, {"login": str(first)})

    assert response.status_code == 302
