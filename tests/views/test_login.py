import re
import time

import pytest
from django.contrib.auth import get_user_model
from django.core import signing
from django.test import Client
from django.views.debug import ExceptionReporter

from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.sandbox import Fault
from django_piggy_verify.signals import code_rejected
from django_piggy_verify.tokens import get_auth_token
from django_piggy_verify.views import CodeView
from tests.steps import (
    ADDRESS,
    SPELLINGS,
    STRANGER,
    UNLIMITED,
    ask_for_code,
    calls,
    is_logged_in,
    log_in,
    type_code,
)


def test_a_contact_logs_in_with_three_upstream_calls(client, contact, piggy_sandbox):
    response = log_in(client, piggy_sandbox)

    assert (response.status_code, response.url) == (302, "/members/")
    assert is_logged_in(client)
    assert calls(piggy_sandbox) == ["send", "verify", "auth-token"]


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_contact_logs_in_with_any_spelling_of_the_address(
    client, contact, piggy_sandbox, spelling
):
    ask_for_code(client, spelling)

    assert type_code(client, piggy_sandbox.last_code(ADDRESS)).url == "/members/"
    assert piggy_sandbox.calls[0].body["email"].lower() == ADDRESS


@pytest.mark.parametrize(
    "typed",
    [
        "ann@example.com <bob@example.com>",
        "Ann <ann@example.com>, Bob <bob@example.com>",
        "Ann\r\nBcc: x <ann@example.com>",
        "mailto:ann@example.com?cc=bob@example.com",
    ],
)
def test_a_text_that_could_mean_two_recipients_is_a_field_error(
    client, contact, piggy_sandbox, typed
):
    piggy_sandbox.add_contact("bob@example.com")

    assert ask_for_code(client, typed).context["form"].errors["email"]
    assert not piggy_sandbox.calls


def test_a_contact_whose_id_has_signs_in_it_logs_in(client, piggy_sandbox, db):
    piggy_sandbox.add_contact(ADDRESS, uid="a_b.c~9")

    assert log_in(client, piggy_sandbox).url == "/members/"
    assert Contact.objects.get().uid == "a_b.c~9"
    assert calls(piggy_sandbox) == ["send", "verify", "auth-token"]


def test_a_contact_logs_in_where_times_have_no_zone(
    client, contact, piggy_sandbox, settings
):
    settings.USE_TZ = False
    ask_for_code(client)
    type_code(client, "wrong")

    assert type_code(client, piggy_sandbox.last_code(ADDRESS)).url == "/members/"
    assert get_auth_token(client.get("/members/").wsgi_request.user)


def test_asking_for_a_code_leads_to_the_page_that_shows_the_address(client, contact):
    response = client.post("/login/", {"email": ADDRESS}, follow=True)

    assert response.redirect_chain == [("/login/code/", 302)]
    assert ADDRESS in response.text


@pytest.mark.parametrize(
    "address",
    ["", "  ", "ann", "ann@", "@example.com", "a b@example.com", "ann@localhost"],
)
def test_a_malformed_address_is_a_field_error_and_sends_nothing(
    client, contact, piggy_sandbox, address
):
    response = client.post("/login/", {"email": address})

    assert response.status_code == 200
    assert "email" in response.context["form"].errors
    assert calls(piggy_sandbox) == []


@pytest.mark.parametrize("typed", ["", "  ", "--", "12\x00", "1" * 10_000, "12\r\n34"])
def test_a_malformed_code_is_a_field_error_and_uses_up_no_attempt(
    client, contact, piggy_sandbox, settings, typed
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    ask_for_code(client)

    for _ in range(2):
        response = type_code(client, typed)

    assert response.status_code == 200
    assert "code" in response.context["form"].errors
    assert calls(piggy_sandbox) == ["send"]


def test_query_parameters_are_no_form_fields(client, code, piggy_sandbox):
    """The query would appear in the logs of servers and proxies."""
    responses = [
        client.post(f"/login/code/?code={code}"),
        client.post("/login/?email=bob@example.com"),
    ]

    assert all(each.context["form"].errors for each in responses)
    assert calls(piggy_sandbox) == ["send"]


def test_a_wrong_code_is_a_field_error(client, code):
    response = client.post("/login/code/", {"code": "wrong"})

    assert response.status_code == 200
    assert response.context["form"].has_error("code", "code_rejected")
    assert not is_logged_in(client)


def test_a_typed_code_is_not_shown_again(client, code):
    assert "wrong-4711" not in type_code(client, "wrong-4711").text


def test_an_expired_code_is_refused_like_a_wrong_one(client, contact, piggy_sandbox):
    piggy_sandbox.code_lifetime = 0.0
    ask_for_code(client)
    piggy_sandbox.code_lifetime = 600.0

    response = client.post("/login/code/", {"code": piggy_sandbox.last_code(ADDRESS)})

    assert response.context["form"].has_error("code", "code_rejected")


def test_a_used_code_is_refused_even_if_upstream_takes_it(client, code, piggy_sandbox):
    piggy_sandbox.switches.reuse_codes = True
    thief = Client()
    ask_for_code(thief)
    type_code(client, code)

    response = type_code(thief, code)

    assert response.context["form"].has_error("code", "code_rejected")
    assert calls(piggy_sandbox) == ["send", "verify", "auth-token"]


def test_of_two_concurrent_uses_of_a_code_one_logs_in(
    client, code, piggy_sandbox, monkeypatch
):
    piggy_sandbox.switches.reuse_codes = True
    second, check, statuses = Client(), PiggyProvider.check_code, []
    ask_for_code(second)

    def slowly(*args):
        statuses.append(type_code(second, code).status_code)
        return check(*args)

    monkeypatch.setattr(PiggyProvider, "check_code", slowly)
    statuses.append(type_code(client, code).status_code)

    assert statuses == [200, 302]
    assert calls(piggy_sandbox).count("verify") == 1


@pytest.mark.parametrize("path", ["/login/code/", "/login/code/resend/"])
def test_without_a_login_in_progress_the_visitor_starts_again(client, db, path):
    response = client.post(f"{path}?next=/members/", {"code": "1"}, follow=True)

    assert response.redirect_chain == [
        ("/login/?expired=none&next=%2Fmembers%2F", 302),
    ]
    assert "Ask for a code first." in response.text
    assert 'name="next" value="/members/"' in response.text


def test_a_login_that_is_too_old_keeps_next_and_the_address(
    client, contact, settings, piggy_sandbox
):
    ask_for_code(client, next="/members/?a=1")
    settings.PIGGY_VERIFY_LOGIN_TTL = 0

    response = client.post("/login/code/", {"code": "1"}, follow=True)

    assert response.redirect_chain[0][0] == (
        "/login/?expired=1&next=%2Fmembers%2F%3Fa%3D1"
    )
    assert response.context["form"].initial["email"] == ADDRESS
    assert calls(piggy_sandbox) == ["send"]


def test_an_outage_at_check_leaves_the_login_in_progress(
    client, code, piggy_sandbox, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    piggy_sandbox.switches.fault = Fault.OUTAGE
    response = client.post("/login/code/", {"code": code})
    piggy_sandbox.switches.fault = None

    assert response.status_code == 503
    assert 'href="/login/code/"' in response.text
    assert "Your code still works." in response.text
    assert "Try again in" not in response.text
    assert client.post("/login/code/", {"code": code}).status_code == 302


def test_a_user_who_may_not_log_in_is_refused_on_a_page_of_its_own(
    client, member, piggy_sandbox, unlimited
):
    get_user_model().objects.update(is_active=False)

    response = log_in(Client(), piggy_sandbox)

    assert response.status_code == 403
    assert "cannot log in to this account with a code" in response.text
    assert response.cookies["piggy_verify_login"].value == ""


def test_the_fifth_wrong_code_says_what_to_do_and_closes_the_login(
    client, code, piggy_sandbox
):
    *first, fifth = (type_code(client, str(guess)) for guess in range(5))

    assert {each.status_code for each in first} == {200}
    assert fifth.status_code == 429
    assert 0 < int(fifth["Retry-After"]) <= 60
    assert "too many wrong codes" in fifth.text
    assert type_code(client, code).url == "/login/?expired=1"
    assert calls(piggy_sandbox).count("verify") == 5


def test_the_fifth_wrong_code_counts_once(client, code):
    for guess in range(5):
        type_code(client, str(guess))

    counts = {each.key.partition(":")[2]: each.count for each in Tally.objects.all()}
    names = ("check_login", "check_recipient", "check_recipient_day", "check_ip")
    assert [counts[name] for name in names] == [5, 5, 5, 5]


def test_a_used_code_may_be_the_last_wrong_one(client, code, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    thief = Client()
    ask_for_code(thief)
    type_code(client, code)

    assert type_code(thief, code).status_code == 429


def test_a_right_code_may_be_the_fifth(client, code):
    for guess in range(4):
        type_code(client, str(guess))

    assert type_code(client, code).url == "/members/"


def test_the_form_of_a_closed_login_is_refused_with_a_right_code(
    client, code, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    login = client.get("/login/code/").context["login"]
    type_code(client, "wrong")

    assert type_code(client, code, login=login).status_code == 429
    assert not is_logged_in(client)


def test_a_login_without_tries_gets_no_further_code(
    client, code, piggy_sandbox, settings, unlimited
):
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"check_login": 1}
    login = client.get("/login/code/").context["login"]
    type_code(client, "wrong")

    assert client.post("/login/code/resend/", {"login": login}).status_code == 429
    assert calls(piggy_sandbox) == ["send", "verify"]


def test_a_form_whose_cookie_is_gone_still_knows_next(client, contact):
    ask_for_code(client, next="/members/?a=1")
    login = client.get("/login/code/").context["form"]["login"].value()
    client.cookies.clear()

    response = type_code(client, "1", login=login)

    assert response.url == "/login/?expired=lost&next=%2Fmembers%2F%3Fa%3D1"


def test_a_limit_of_the_client_address_keeps_the_login_in_progress(
    client, code, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_ip": "1/1h"}
    statuses = [type_code(client, "wrong").status_code for _ in range(2)]

    assert statuses == [200, 429]
    assert client.get("/login/code/").status_code == 200


def test_the_page_after_too_many_sends_shows_the_wait(client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    ask_for_code(client)

    response = ask_for_code(client, STRANGER)

    assert response.status_code == 429
    assert 3590 < int(response["Retry-After"]) <= 3600
    assert "60 minutes" in response.text


def test_of_several_limits_the_longest_wait_is_shown(client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h", "send_recipient": "1/2h"}
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "9/1h"
    ask_for_code(client)

    assert int(ask_for_code(client)["Retry-After"]) > 3600


def test_within_the_cooldown_the_code_page_is_shown_and_nothing_is_sent(
    client, code, piggy_sandbox
):
    response = client.post("/login/code/resend/")

    assert response.url == "/login/code/"
    assert calls(piggy_sandbox) == ["send"]


def test_a_resend_sends_another_code(client, code, piggy_sandbox, unlimited):
    client.post("/login/code/resend/")

    response = type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert response.url == "/members/"
    assert calls(piggy_sandbox) == ["send", "send", "verify", "auth-token"]


def test_a_resend_does_not_reset_the_count_of_wrong_codes(
    client, code, settings, unlimited
):
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"check_login": 2}
    type_code(client, "wrong")
    client.post("/login/code/resend/")

    assert type_code(client, "wrong").status_code == 429


def test_wrong_codes_are_counted_for_as_long_as_the_login_is_open(
    client, contact, settings, time_machine, unlimited
):
    settings.PIGGY_VERIFY_RATE_LIMITS |= {"check_login": 2}
    time_machine.move_to(0)
    ask_for_code(client)
    type_code(client, "wrong")
    time_machine.shift(599)

    assert type_code(client, "wrong").status_code == 429


def test_a_resend_gives_the_login_a_fresh_deadline(
    client, contact, time_machine, unlimited
):
    time_machine.move_to(0)
    ask_for_code(client)
    time_machine.shift(590)
    client.post("/login/code/resend/")
    time_machine.shift(590)

    assert client.get("/login/code/").status_code == 200


def test_cancelling_forgets_the_login_and_keeps_next(client, contact):
    ask_for_code(client, next="/members/?a=1")

    response = client.post("/login/cancel/")

    assert response.url == "/login/?next=%2Fmembers%2F%3Fa%3D1"
    assert client.get("/login/code/").url == "/login/?expired=none"


def test_cancelling_nothing_leads_to_the_email_page(client, db):
    assert client.post("/login/cancel/").url == "/login/"


@pytest.mark.parametrize("path", ["/login/", "/login/code/"])
def test_a_logged_in_visitor_is_redirected(client, user, path, piggy_sandbox):
    responses = [
        client.get(f"{path}?next=/members/%3Fa"),
        client.post(path, {"email": ADDRESS, "code": "1", "next": "/members/?a"}),
    ]

    assert [each.url for each in responses] == ["/members/?a", "/members/?a"]
    assert calls(piggy_sandbox) == ["send", "verify", "auth-token"]


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("method", ["get", "head", "options"])
@pytest.mark.parametrize("page", ["", "code/", "code/resend/", "cancel/", "token/"])
def test_reading_a_page_sends_checks_and_uses_up_nothing(
    client, code, piggy_sandbox, method, page
):
    getattr(client, method)(f"/login/{page}?code={code}&email={ADDRESS}")

    assert calls(piggy_sandbox) == ["send"]
    assert type_code(client, code).url == "/members/"


@pytest.mark.parametrize("page", ["", "code/", "code/resend/", "cancel/"])
def test_pages_are_open_to_everybody_under_login_required_middleware(
    page, client, db, settings
):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    response = client.post(f"/login/{page}")

    assert not response.get("Location", "").startswith("/login/?next=")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("page", ["", "code/", "code/resend/", "cancel/", "token/"])
def test_pages_are_never_cached(page, method, client, db):
    """A 404 and a 405 may be cached too: RFC 9110 section 15.1."""
    response = getattr(client, method)(f"/login/{page}")

    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


NEWEST = "a new code is on its way"


def test_the_page_says_that_another_code_was_sent(client, contact, time_machine):
    time_machine.move_to(0)
    ask_for_code(client)
    first = client.get("/login/code/").text
    time_machine.shift(60)

    client.post("/login/code/resend/")

    assert NEWEST not in first
    assert NEWEST in client.get("/login/code/").text


def test_the_page_claims_no_other_code_within_the_cooldown(
    client, contact, time_machine
):
    time_machine.move_to(0.9, tick=False)
    ask_for_code(client)

    for _ in range(3):
        time_machine.shift(1.4)
        client.post("/login/code/resend/")

    assert NEWEST not in client.get("/login/code/").text


def test_a_page_with_an_error_does_not_mention_another_code(
    client, contact, time_machine
):
    time_machine.move_to(0)
    ask_for_code(client)
    time_machine.shift(60)
    client.post("/login/code/resend/")

    assert NEWEST not in type_code(client, "wrong").text


def test_a_code_requested_too_early_is_not_shown_as_sent(client, contact, time_machine):
    time_machine.move_to(0)
    ask_for_code(client)
    for wait in (60, 5):
        time_machine.shift(wait)
        client.post("/login/code/resend/")

    page = client.get("/login/code/").text
    assert "We have not sent another code yet." in page
    assert NEWEST not in page


def test_a_code_that_was_sent_at_once_is_claimed(client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "5/60s"}
    ask_for_code(client)

    client.post("/login/code/resend/")

    page = client.get("/login/code/").text
    assert NEWEST in page
    assert "New code in" not in page


def test_the_last_code_that_the_cooldown_allows_begins_a_wait(
    client, contact, settings, time_machine
):
    time_machine.move_to(0, tick=False)
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "2/60s"}
    ask_for_code(client)

    client.post("/login/code/resend/")

    assert client.get("/login/code/").context["resend_in"] == 60


def test_beginning_again_within_the_cooldown_claims_no_code(client, code):
    ask_for_code(client)

    page = client.get("/login/code/").text
    assert "We have not sent another code yet." in page


def test_a_wait_that_is_over_is_not_mentioned(client, contact, time_machine):
    time_machine.move_to(0)
    ask_for_code(client)
    client.post("/login/code/resend/")
    time_machine.shift(60)

    assert "We have not sent another" not in client.get("/login/code/").text


def test_after_too_many_sends_the_last_code_can_be_entered(
    client, code, time_machine, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_recipient": "1/15m"}
    time_machine.move_to(time.time() + 60)

    page = client.post("/login/code/resend/").text

    assert 'href="/login/code/">Enter the code from the newest email</a>' in page
    assert type_code(client, code).url == "/members/"


def test_after_a_new_start_the_last_code_can_be_entered(
    client, code, time_machine, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_recipient": "1/15m"}
    time_machine.move_to(time.time() + 60)

    page = ask_for_code(client)

    assert page.status_code == 429
    assert 'href="/login/code/">Enter the code from the newest email</a>' in page.text


def test_the_way_back_leads_to_the_address_of_the_page(
    client, code, time_machine, settings
):
    mine = client.get("/login/code/").context["login"]
    ask_for_code(client, "ben@example.com")
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_recipient": "1/15m"}
    time_machine.move_to(time.time() + 60)

    page = client.post("/login/code/resend/", {"login": mine})

    assert page.context["code_url"] == "/login/code/"
    assert client.get("/login/code/").context["recipient"] == ADDRESS


def test_a_login_that_is_used_up_leaves_another_one_open(client, code, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    used_up = client.get("/login/code/").context["login"]
    type_code(client, "wrong", login=used_up)
    ask_for_code(client, "ben@example.com")

    assert type_code(client, "wrong", login=used_up).status_code == 429

    assert client.get("/login/code/").context["recipient"] == "ben@example.com"


def test_a_limit_for_another_address_offers_no_code_form(client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/15m"}
    ask_for_code(client, "ben@example.com")

    page = ask_for_code(client).text

    assert "Too many codes were requested" in page
    assert "newest email" not in page


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_for_any_spelling_of_the_address_there_is_the_code_to_enter(
    client, contact, settings, spelling
):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"send_ip": "1/15m"}
    ask_for_code(client)

    assert "newest email" in ask_for_code(client, spelling).text


def test_the_page_after_too_many_wrong_codes_keeps_the_address(client, code, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    type_code(client, "wrong")

    assert client.get("/login/code/").url.startswith("/login/?expired=1")
    assert f'value="{ADDRESS}"' in client.get("/login/").text


def test_a_resend_works_as_soon_as_the_shown_wait_is_over(
    client, contact, time_machine, piggy_sandbox
):
    time_machine.move_to(0.9, tick=False)
    ask_for_code(client)
    time_machine.move_to(60.8, tick=False)
    waiting = client.get("/login/code/").context["resend_in"]
    time_machine.move_to(60.9, tick=False)
    over = client.get("/login/code/").context["resend_in"]

    client.post("/login/code/resend/")

    assert (waiting, over) == (1, 0)
    assert calls(piggy_sandbox) == ["send", "send"]


def test_the_page_shows_the_time_left_to_the_minute(client, contact, time_machine):
    time_machine.move_to(0, tick=False)
    ask_for_code(client)
    time_machine.shift(271)

    assert (
        "You have about 5 minutes to enter the code." in client.get("/login/code/").text
    )


def test_no_time_is_shown_when_none_is_left(client, code, time_machine, piggy_sandbox):
    def overtake(**kwargs):
        time_machine.move_to(time.time() + 700)

    code_rejected.connect(overtake)
    page = type_code(client, "wrong").text
    code_rejected.disconnect(overtake)

    assert "The code is wrong" in page
    assert "You have about" not in page


def test_the_wait_is_a_plain_number_for_the_script(client, contact, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "1/1h"}
    ask_for_code(client)

    assert 'datetime="PT3600S">1:00:00</time>' in client.get("/login/code/").text


def test_search_engines_must_not_index_the_pages(client):
    assert '<meta name="robots" content="noindex">' in client.get("/login/").text


SCRIPT = 'src="/static/piggy_verify/piggy_verify.js" defer'


def test_the_pages_have_nothing_inline(client, code):
    pages = client.get("/login/").text + client.get("/login/code/").text

    for inline in (r"<style", r"\sstyle=", r"\son\w+=", "javascript:"):
        assert not re.search(inline, pages)
    assert re.findall(r"<script (.+?)>.*?</script>", pages) == [SCRIPT, SCRIPT]


ELSEWHERE = [
    "//evil.example",
    "/\\evil.example",
    "///evil.example",
    "http:///evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "\x08//evil.example",
    " //evil.example",
    "https://testserver@evil.example/",
    "http://evil.example/",
    "/\t//evil.example",
    "/\n//evil.example",
    "/\t\\evil.example",
    "http://localhost/members/",
    "http://testserver:81/members/",
    "http://testserver.evil.example/",
    "/members/\r\nSet-Cookie: sessionid=evil",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_next_never_leaves_the_site(client, contact, piggy_sandbox, url):
    response = log_in(client, piggy_sandbox, next=url)

    assert response.url == "/members/"


@pytest.mark.parametrize("url", ELSEWHERE[:3])
def test_next_of_a_logged_in_visitor_never_leaves_the_site(client, member, url):
    responses = [
        client.get("/login/", {"next": url}),
        client.post("/login/", {"next": url}),
        client.get("/login/code/", {"next": url}),
        client.post("/login/cancel/", {"next": url}),
    ]

    assert {each.url for each in responses} == {"/members/"}


@pytest.mark.parametrize("url", ELSEWHERE[:3])
def test_next_after_an_expired_login_never_leaves_the_site(client, db, url):
    responses = [
        client.get("/login/code/", {"next": url}),
        client.post("/login/code/resend/", {"next": url}),
    ]

    assert {each.url for each in responses} == {"/login/?expired=none"}
    assert client.post("/login/cancel/", {"next": url}).url == "/login/"


@pytest.mark.parametrize(("secure", "url"), [(True, "/members/"), (False, None)])
def test_next_does_not_lead_from_https_to_http(
    client, contact, piggy_sandbox, secure, url
):
    plain = "http://testserver/members/?plain"
    client.post("/login/", {"email": ADDRESS, "next": plain}, secure=secure)
    code = piggy_sandbox.last_code(ADDRESS)

    response = client.post("/login/code/", {"code": code}, secure=secure)

    assert response.url == (url or plain)


@pytest.mark.parametrize("letter", ["a", "é", "\U0001f437"])
def test_no_next_makes_a_cookie_that_browsers_drop(client, contact, letter):
    """Browsers keep 4096 bytes, with name and attributes: RFC 6265 section 6.1."""
    for length in (70, 150, 320, 990, 2000):
        ask_for_code(client, next="/" + letter * length)

        assert len(client.cookies["piggy_verify_login"].OutputString()) < 4096


def test_the_next_that_a_login_began_with_counts(client, contact, piggy_sandbox):
    ask_for_code(client, next="/members/?a")
    fields = {"code": piggy_sandbox.last_code(ADDRESS), "next": "/members/?b"}

    response = client.post("/login/code/?next=/members/%3Fb", fields)

    assert response.url == "/members/?a"


def test_the_session_key_changes_at_login(client, contact, piggy_sandbox):
    client.session["basket"] = "full"
    before = client.session.session_key

    log_in(client, piggy_sandbox)

    assert client.session.session_key != before


def test_nothing_of_the_login_is_left_after_it(client, code):
    type_code(client, code)

    assert client.cookies["piggy_verify_login"].value == ""
    assert set(client.session.keys()) == {
        "_auth_user_id",
        "_auth_user_backend",
        "_auth_user_hash",
    }


def test_the_cookie_of_the_login_is_http_only(client, contact):
    cookie = ask_for_code(client).cookies["piggy_verify_login"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"


def test_an_expired_login_is_recognised_by_its_cookie(client, contact):
    cookie = ask_for_code(client).cookies["piggy_verify_login"]

    assert cookie["max-age"] == 600 + 3600


def test_over_https_the_cookie_is_secure(client, contact):
    response = client.post("/login/", {"email": ADDRESS}, secure=True)

    assert response.cookies["piggy_verify_login"]["secure"]


def test_a_page_shown_again_still_names_its_login(client, code):
    response = type_code(client, "wrong")

    login = response.context["form"]["login"].value()
    assert type_code(client, code, login=login).url == "/members/"


@pytest.mark.parametrize(
    ("method", "page"), [("put", ""), ("put", "code/"), ("post", "token/")]
)
def test_other_methods_are_not_allowed(client, code, method, page):
    assert getattr(client, method)(f"/login/{page}").status_code == 405


def test_each_tab_checks_its_code_for_the_address_it_shows(
    client, contact, piggy_sandbox
):
    piggy_sandbox.add_contact("bob@example.com")
    ask_for_code(client)
    form = client.get("/login/code/").context["form"]
    ask_for_code(client, "bob@example.com")

    type_code(client, piggy_sandbox.last_code(ADDRESS), login=form.initial["login"])

    assert Contact.objects.get().email == ADDRESS


def test_typed_text_never_reaches_another_visitor(client, contact, settings):
    ask_for_code(client, next="/members/?of=ann")
    settings.PIGGY_VERIFY_LOGIN_TTL = 0

    mine, others = (each.get("/login/").text for each in (client, Client()))

    assert ADDRESS in mine
    assert ADDRESS not in others
    assert "of=ann" not in others


def test_typed_text_is_shown_escaped(client, code):
    hostile = '"><script>alert(1)</script>'
    pages = [
        ask_for_code(client, hostile, next=hostile),
        client.get("/login/", {"next": hostile, "expired": hostile}),
        type_code(client, hostile),
        client.post("/login/code/resend/", {"login": hostile, "next": hostile}),
    ]

    assert not any("<script>" in each.text for each in pages)


def test_the_report_of_a_crash_hides_the_address(
    client, contact, settings, monkeypatch
):
    monkeypatch.setattr("django_piggy_verify.login.circuit.Circuit.take", None)
    client.raise_request_exception = False
    response = ask_for_code(client)
    settings.DEBUG = False

    reporter = ExceptionReporter(response.wsgi_request, *response.exc_info)

    assert "email = '********************'" in reporter.get_traceback_text()


def test_a_login_begun_in_another_browser_is_refused(client, code, piggy_sandbox):
    form = client.get("/login/code/").context["form"]
    victim = Client()
    ask_for_code(victim, STRANGER)

    response = type_code(victim, code, login=form.initial["login"])

    assert response.url == "/login/?expired=lost"
    assert "verify" not in calls(piggy_sandbox)


@pytest.mark.parametrize("login", ["forged", "a:b:c", "\x00", "x" * 10_000])
def test_a_forged_login_is_no_login(client, code, login):
    assert type_code(client, code, login=login).url == "/login/?expired=lost"


def test_a_login_that_was_tampered_with_is_no_login(client, code, piggy_sandbox):
    payload, _, signature = client.cookies["piggy_verify_login"].value.partition(":")
    forged = signing.b64_decode(payload.encode()).replace(b"ann@", b"bob@")
    forged_login = f"{signing.b64_encode(forged).decode()}:{signature}"
    with_field = type_code(client, code, login=forged_login)
    client.cookies["piggy_verify_login"] = forged_login
    with_cookie = type_code(client, code)

    assert with_field.url == "/login/?expired=lost"
    assert with_cookie.url == "/login/?expired=none"
    assert "verify" not in calls(piggy_sandbox)


def test_a_login_signed_for_something_else_is_no_login(client, db):
    client.cookies["piggy_verify_login"] = signing.dumps(
        ["too", "short"], salt="django_piggy_verify.pending"
    )

    assert client.get("/login/code/").url == "/login/?expired=none"


def test_a_view_may_ask_a_logged_in_user_for_a_code_again(
    client, member, piggy_sandbox, rf
):
    """A project may ask for a code again. This changes the session key too."""
    request = rf.get("/")
    request.session, request.user = client.session, member
    before = request.session.session_key
    view = CodeView(redirect_authenticated_user=False)
    view.setup(request)
    member.backend = "django_piggy_verify.backends.PiggyBackend"

    view.log_in(member)

    assert request.session.session_key != before
