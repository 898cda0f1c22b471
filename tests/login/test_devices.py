import pytest
from django.core import signing
from django.test import Client

from tests.steps import ADDRESS, UNLIMITED, ask_for_code, log_in, log_out, type_code

ONE_TRY = UNLIMITED | {"check_recipient": "1/1h", "check_recipient_day": "1/1d"}


@pytest.fixture
def known(client, user):
    """A browser that its member has logged in with before, and out."""
    log_out(client)
    return client


@pytest.fixture
def burned(known, settings):
    """The tries of all strangers' browsers are used up."""
    burn(settings)


def burn(settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = ONE_TRY
    thief = Client()
    ask_for_code(thief)
    type_code(thief, "wrong")
    assert type_code(thief, "wrong").status_code == 429


def device_cookie(browser):
    return next(each for each in browser.cookies.values() if "device" in each.key)


@pytest.fixture(autouse=True)
def without_limits(unlimited):
    pass


def test_a_member_logs_in_from_a_browser_used_before(known, burned, piggy_sandbox):
    assert log_in(known, piggy_sandbox).url == "/members/"


def test_the_browser_is_known_for_any_spelling_of_the_address(
    known, burned, piggy_sandbox
):
    assert log_in(known, piggy_sandbox, ADDRESS.upper()).url == "/members/"


def test_from_a_new_browser_the_member_has_to_wait(burned, piggy_sandbox):
    assert log_in(Client(), piggy_sandbox).status_code == 429


def test_a_known_browser_has_a_limit_of_its_own(known, burned, piggy_sandbox):
    ask_for_code(known)
    type_code(known, "wrong")

    assert type_code(known, "wrong").status_code == 429


def test_two_known_browsers_are_counted_apart(known, settings, piggy_sandbox):
    second = Client()
    log_in(second, piggy_sandbox)
    log_out(second)
    settings.PIGGY_VERIFY_RATE_LIMITS = ONE_TRY
    for browser in (known, second):
        ask_for_code(browser)

    statuses = [type_code(each, "wrong").status_code for each in (known, second)]

    assert statuses == [200, 200]


def test_a_browser_keeps_its_count_at_its_next_login(known, settings, piggy_sandbox):
    """Or a copy of each older cookie would be worth tries of its own."""
    copy = Client()
    copy.cookies.load({each.key: each.value for each in known.cookies.values()})
    log_in(known, piggy_sandbox)
    log_out(known)
    settings.PIGGY_VERIFY_RATE_LIMITS = ONE_TRY
    for browser in (known, copy):
        ask_for_code(browser)

    statuses = [type_code(each, "wrong").status_code for each in (known, copy)]

    assert statuses == [200, 429]


FORGED = signing.dumps("x", key="not the site's own key")


@pytest.mark.parametrize(
    "value",
    ["forged", "", '"x":1abc:def', FORGED],
    ids=["rubbish", "blank", "other parts", "other key"],
)
def test_a_forged_cookie_changes_nothing(known, burned, piggy_sandbox, value):
    known.cookies[device_cookie(known).key] = value

    assert log_in(known, piggy_sandbox).status_code == 429


def test_the_cookie_of_another_member_changes_nothing(known, burned, piggy_sandbox):
    piggy_sandbox.add_contact("bob@example.com")
    thief = Client()
    log_in(thief, piggy_sandbox, "bob@example.com")
    log_out(thief)
    thief.cookies[device_cookie(known).key] = device_cookie(thief).value

    assert log_in(thief, piggy_sandbox).status_code == 429


def test_a_cookie_that_is_too_old_changes_nothing(
    known, burned, piggy_sandbox, monkeypatch
):
    monkeypatch.setattr("django_piggy_verify.login.devices.MAX_AGE", -1)

    assert log_in(known, piggy_sandbox).status_code == 429


def test_two_members_share_a_browser(known, burned, piggy_sandbox):
    piggy_sandbox.add_contact("bob@example.com")
    log_in(known, piggy_sandbox, "bob@example.com")
    log_out(known)

    assert log_in(known, piggy_sandbox).url == "/members/"


def test_the_cookie_is_out_of_reach_of_scripts_and_names_nobody(known):
    cookie = device_cookie(known)

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 180 * 24 * 3600
    assert "ann" not in cookie.OutputString()


def test_nobody_else_can_work_out_the_cookies_name(known, settings, piggy_sandbox):
    settings.SECRET_KEY = "another secret key, just as long as the first one was"
    other = Client()
    log_in(other, piggy_sandbox)

    assert device_cookie(other).key != device_cookie(known).key


def test_over_https_the_cookie_is_secure(contact, piggy_sandbox):
    browser = Client()
    browser.post("/login/", {"email": ADDRESS}, secure=True)
    code = piggy_sandbox.last_code(ADDRESS)
    browser.post("/login/code/", {"code": code}, secure=True)

    assert device_cookie(browser)["secure"]


def test_a_right_code_clears_the_known_browsers_own_count(
    known, settings, piggy_sandbox
):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"check_recipient": "2/1h"}
    for _ in range(2):
        ask_for_code(known)
        type_code(known, "wrong")
        assert log_in(known, piggy_sandbox).url == "/members/"
        log_out(known)


@pytest.fixture
def rotated(known, settings):
    """The secret key has changed since the browser became known."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key, which is just as long as the old one"


def test_a_browser_stays_known_when_the_secret_key_changes(
    known, rotated, burned, piggy_sandbox
):
    assert log_in(known, piggy_sandbox).url == "/members/"


def test_its_next_login_makes_it_known_under_the_new_key_alone(
    known, rotated, piggy_sandbox, settings
):
    log_in(known, piggy_sandbox)
    log_out(known)
    settings.SECRET_KEY_FALLBACKS = []
    burn(settings)

    assert log_in(known, piggy_sandbox).url == "/members/"
