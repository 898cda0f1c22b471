"""Log in with other session engines, old cookies, two tabs and planted cookies."""

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.test import Client

from tests.steps import ADDRESS, ask_for_code, calls, is_logged_in, log_in, type_code

BOB = "bob@example.com"


@pytest.mark.parametrize(
    "engine", ["cache", "cached_db", "db", "file", "signed_cookies"]
)
def test_any_session_engine_carries_the_whole_flow(
    client, contact, piggy_sandbox, settings, engine
):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"

    log_in(client, piggy_sandbox)

    assert client.get("/members/").text == f"user {User.objects.get().pk}"


class Blind(ModelBackend):
    """A backend that finds no user any more."""

    def get_user(self, user_id):
        return None


BLIND = f"{__name__}.Blind"


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("listed", [True, False], ids=["vouches for nobody", "removed"])
def test_the_session_key_changes_for_a_user_whom_no_backend_vouches_for(
    client, user, piggy_sandbox, settings, listed
):
    client.force_login(user, backend=BLIND)
    backends = settings.AUTHENTICATION_BACKENDS
    settings.AUTHENTICATION_BACKENDS = [*backends, *[BLIND] * listed]
    before = client.session.session_key

    response = log_in(client, piggy_sandbox)

    assert response.url == "/members/"
    assert is_logged_in(client)
    assert client.session.session_key != before


@pytest.fixture
def in_cookies(settings):
    """Store sessions in cookies, so that a browser can send an old session."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"


def cookies_of(browser):
    return {name: each.value for name, each in browser.cookies.items()}


@pytest.mark.parametrize(
    "limit", [{"check_login": 2}, {"check_recipient": "2/1h"}, {"check_ip": "2/1h"}]
)
def test_an_old_cookie_does_not_uncount_a_wrong_code(
    in_cookies, client, code, settings, limit
):
    settings.PIGGY_VERIFY_RATE_LIMITS = limit
    old = cookies_of(client)
    for typed in ("wrong", "wrong", code):
        client.cookies.load(old)
        response = type_code(client, typed)

    assert response.status_code == 429
    assert not is_logged_in(client)


def test_an_old_cookie_does_not_uncount_a_send(in_cookies, client, contact, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    old = cookies_of(client)
    ask_for_code(client)
    client.cookies.load(old)

    assert ask_for_code(client, BOB).status_code == 429


def test_an_old_cookie_opens_no_login_that_was_closed(in_cookies, client, code):
    old = cookies_of(client)
    for _ in range(5):
        response = type_code(client, "wrong")
    client.cookies.load(old)

    again = type_code(client, code)

    assert (response.status_code, again.status_code) == (429, 429)
    assert not is_logged_in(client)


def test_an_old_cookie_does_not_make_a_used_code_right(
    in_cookies, client, code, piggy_sandbox
):
    piggy_sandbox.switches.reuse_codes = True
    thief = Client()
    thief.cookies.load(cookies_of(client))
    type_code(client, code)

    response = type_code(thief, code)

    assert response.url == "/members/"
    assert not is_logged_in(thief)
    assert calls(piggy_sandbox).count("verify") == 1


@pytest.fixture
def tab(client, code, piggy_sandbox):
    """The fields of the first tab. The second tab has since asked for Bob's code."""
    piggy_sandbox.add_contact(BOB)
    login = client.get("/login/code/").context["form"]["login"].value()
    ask_for_code(client, BOB)
    return {"code": code, "login": login}


def test_each_tab_resends_to_the_address_it_shows(
    client, unlimited, tab, piggy_sandbox
):
    client.post("/login/code/resend/", tab)

    assert [each.recipient for each in piggy_sandbox.mails] == [ADDRESS, BOB, ADDRESS]


def test_wrong_codes_of_one_tab_close_no_other(client, tab, piggy_sandbox, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    type_code(client, "wrong")

    assert type_code(client, **tab).url == "/members/"


def test_a_tab_that_was_left_open_checks_nothing_after_a_login(
    client, tab, piggy_sandbox
):
    type_code(client, piggy_sandbox.last_code(BOB))

    response = type_code(client, **tab)

    assert response.url == "/members/"
    assert calls(piggy_sandbox).count("verify") == 1
    assert client.get("/members/").text == f"user {User.objects.get().pk}"


def test_cancelling_in_one_tab_cancels_in_all(client, tab, piggy_sandbox):
    client.post("/login/cancel/")

    assert type_code(client, **tab).url == "/login/?expired=lost"
    assert "verify" not in calls(piggy_sandbox)


@pytest.mark.parametrize(
    ("origin", "status"), [("http://evil.testserver", 403), ("http://testserver", 302)]
)
def test_planted_cookies_log_nobody_in(client, code, settings, origin, status):
    """A site on a sister domain can set cookies here, but cannot post forms."""
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "Csrf" not in each]
    victim, token = Client(enforce_csrf_checks=True), "a" * 32
    victim.cookies.load(cookies_of(client) | {"csrftoken": token})
    form = {"code": code, "csrfmiddlewaretoken": token}

    response = victim.post("/login/code/", form, headers={"origin": origin})

    assert response.status_code == status


def test_a_planted_login_does_not_change_the_login_of_the_victim(
    client, code, piggy_sandbox
):
    piggy_sandbox.add_contact(BOB)
    victim = Client()
    victim.cookies.load(cookies_of(client))
    ask_for_code(victim, BOB)

    type_code(client, piggy_sandbox.last_code(BOB))

    assert not is_logged_in(client)
    assert type_code(victim, piggy_sandbox.last_code(BOB)).url == "/members/"
