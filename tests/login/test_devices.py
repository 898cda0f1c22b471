import json
import time

import pytest
from django.core import signing
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_piggy_verify.conf import DEFAULT_RATE_LIMITS
from django_piggy_verify.sandbox import Fault
from tests.steps import (
    ADDRESS,
    SPELLINGS,
    STRANGER,
    UNLIMITED,
    ask_for_code,
    calls,
    log_in,
    log_out,
    type_code,
)

DAY = 86400
ONE_TRY = UNLIMITED | {"check_recipient": "1/1h", "check_recipient_day": "1/1d"}


@pytest.fixture
def known(client, user):
    """A browser that the member has logged in with and out of before."""
    log_out(client)
    return client


@pytest.fixture
def burned(known, settings):
    """Unknown browsers have no attempts left."""
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


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_the_browser_is_known_for_any_spelling_of_the_address(
    known, burned, piggy_sandbox, spelling
):
    ask_for_code(known, spelling)

    assert type_code(known, piggy_sandbox.last_code(ADDRESS)).url == "/members/"


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
    """Otherwise each copy of an older cookie would have attempts of its own."""
    copy = Client()
    copy.cookies.load({each.key: each.value for each in known.cookies.values()})
    log_in(known, piggy_sandbox)
    log_out(known)
    settings.PIGGY_VERIFY_RATE_LIMITS = ONE_TRY
    for browser in (known, copy):
        ask_for_code(browser)

    statuses = [type_code(each, "wrong").status_code for each in (known, copy)]

    assert statuses == [200, 429]


def forged(value):
    return signing.Signer(key="not the site's own key", salt=SALT).sign_object(value)


def with_signature_of(value, other):
    return ":".join([value.rpartition(":")[0], other.rpartition(":")[2]])


SALT = "django_piggy_verify.devices"
FORGED = forged([["0" * 32, "x", 2**33]])


@pytest.mark.parametrize(
    "value",
    ["forged", "", '"x":1abc:def', "é:é", ":", FORGED],
    ids=["rubbish", "blank", "other parts", "not ASCII", "nothing", "other key"],
)
def test_a_forged_cookie_changes_nothing(known, burned, piggy_sandbox, value):
    known.cookies[device_cookie(known).key] = value

    assert log_in(known, piggy_sandbox).status_code == 429


@pytest.mark.parametrize(
    "value",
    [
        signing.Signer(salt=SALT).sign("no JSON"),
        signing.Signer(salt=SALT).sign_object({"members": []}),
        signing.Signer(salt=SALT).sign_object([["0" * 32, "x"]]),
        signing.Signer(salt=SALT).sign_object([["0" * 32, "x", "today"]]),
    ],
    ids=["no JSON", "an object", "a field less", "no time"],
)
def test_a_cookie_of_another_version_changes_nothing(
    known, burned, piggy_sandbox, value
):
    """While an upgrade is rolled out or back, two versions set the cookie."""
    known.cookies[device_cookie(known).key] = value

    assert log_in(known, piggy_sandbox).status_code == 429


def test_a_member_signed_under_another_key_changes_nothing(
    known, burned, piggy_sandbox
):
    """The entries are right, and only the signature is not the site's."""
    cookie = device_cookie(known)
    entries = signing.Signer(salt=SALT).unsign_object(cookie.value)
    known.cookies[cookie.key] = forged(entries)

    assert log_in(known, piggy_sandbox).status_code == 429


@pytest.fixture
def bob(piggy_sandbox):
    """The browser of another member."""
    piggy_sandbox.add_contact("bob@example.com")
    browser = Client()
    log_in(browser, piggy_sandbox, "bob@example.com")
    log_out(browser)
    return browser


def test_the_cookie_of_another_member_changes_nothing(
    known, burned, bob, piggy_sandbox
):
    assert log_in(bob, piggy_sandbox).status_code == 429


def test_an_entry_cannot_move_to_the_cookie_of_another_member(
    known, burned, bob, piggy_sandbox
):
    stolen, own = device_cookie(known), device_cookie(bob)
    bob.cookies[own.key] = with_signature_of(stolen.value, own.value)

    assert log_in(bob, piggy_sandbox).status_code == 429


def test_a_login_that_is_too_long_ago_changes_nothing(
    known, settings, piggy_sandbox, time_machine
):
    time_machine.move_to(time.time() + 180 * DAY)
    burn(settings)

    assert log_in(known, piggy_sandbox).status_code == 429


def test_a_login_of_another_member_does_not_renew_a_login(
    known, settings, piggy_sandbox, time_machine
):
    piggy_sandbox.add_contact("bob@example.com")
    time_machine.move_to(time.time() + 100 * DAY)
    log_in(known, piggy_sandbox, "bob@example.com")
    log_out(known)
    time_machine.move_to(time.time() + 80 * DAY)
    burn(settings)

    assert log_in(known, piggy_sandbox).status_code == 429


def test_two_members_share_a_browser(known, burned, piggy_sandbox):
    piggy_sandbox.add_contact("bob@example.com")
    log_in(known, piggy_sandbox, "bob@example.com")
    log_out(known)

    assert log_in(known, piggy_sandbox).url == "/members/"


def test_the_cookie_is_http_only_and_names_no_member(known):
    cookie = device_cookie(known)

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 180 * 24 * 3600
    assert "ann" not in cookie.OutputString()


@pytest.fixture
def serve(db, piggy_sandbox):
    """Return a function that logs members in with one browser, one after another."""

    def log_them_in(tablet, members):
        for address in members:
            piggy_sandbox.add_contact(address)
            log_in(tablet, piggy_sandbox, address)
            log_out(tablet)

    return log_them_in


def members(count):
    return [f"member{number}@example.com" for number in range(count)]


def test_a_browser_remembers_the_five_members_who_logged_in_last(serve, settings):
    """A member who logs in again moves to the front."""
    tablet, (first, second, *others) = Client(), members(7)
    serve(tablet, [first, second, *others[:3], first, *others[3:]])
    settings.PIGGY_VERIFY_RATE_LIMITS = ONE_TRY

    known = [each for each in members(7) if is_known(tablet, each)]

    assert known == [first, *others[1:]]


def test_a_member_takes_one_place_when_the_secret_key_has_changed(serve, settings):
    tablet, served = Client(), members(5)
    serve(tablet, served)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key, which is just as long as the old one"
    serve(tablet, [served[4]])
    settings.PIGGY_VERIFY_RATE_LIMITS = ONE_TRY

    assert all(is_known(tablet, each) for each in served)


def is_known(browser, address):
    """Whether the browser has tries left after a stranger has used up all others."""
    for each in (Client(), browser):
        ask_for_code(each, address)
        response = type_code(each, "wrong")
    return response.status_code == 200


def test_sixty_members_of_a_browser_take_600_bytes_of_cookies(serve):
    tablet = Client()
    serve(tablet, members(60))

    names = [name for name in tablet.cookies if "device" in name]

    assert len(names) == 1
    assert 500 < len(f"{names[0]}={tablet.cookies[names[0]].value}") <= 600


def test_the_key_of_a_member_in_the_cookie_depends_on_the_secret_key(
    known, settings, piggy_sandbox
):
    def tag(browser):
        payload = device_cookie(browser).value.rpartition(":")[0]
        return json.loads(signing.b64_decode(payload.encode()))[0][0]

    settings.SECRET_KEY = "another secret key, just as long as the first one was"
    other = Client()
    log_in(other, piggy_sandbox)

    assert tag(other) != tag(known)


def test_a_login_deletes_the_cookies_that_earlier_versions_left(known, piggy_sandbox):
    """Ten cookies at a time are deleted, and no cookie of another name."""
    theirs = [f"piggy_verify_device_{number:016x}" for number in range(12)]
    others = ["piggy_verify_device_", "piggy_verify_device_x=y", "device"]
    ask_for_code(known)
    header = "; ".join(f"{name}=x" for name in [*others, *theirs])
    cookies = known.cookies.output(header="", sep=";")

    response = known.post(
        "/login/code/",
        {"code": piggy_sandbox.last_code(ADDRESS)},
        headers={"cookie": f"{cookies}; {header}"},
    )

    assert [name for name in response.cookies if name in theirs] == theirs[:10]
    assert not set(others) & set(response.cookies)
    assert {response.cookies[name]["max-age"] for name in theirs[:10]} == {0}


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
    """A known browser, after a change of the secret key."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key, which is just as long as the old one"


def test_a_browser_stays_known_when_the_secret_key_changes(
    known, rotated, burned, piggy_sandbox
):
    assert log_in(known, piggy_sandbox).url == "/members/"


def test_the_next_login_uses_the_new_key_only(known, rotated, piggy_sandbox, settings):
    log_in(known, piggy_sandbox)
    log_out(known)
    settings.SECRET_KEY_FALLBACKS = []
    burn(settings)

    assert log_in(known, piggy_sandbox).url == "/members/"


# Sends, and the limits of a client address


def sends(sandbox):
    return calls(sandbox).count("send")


@pytest.fixture(params=["send_recipient", "send_recipient_day"])
def one_send(request, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {request.param: "1/1d"}


@pytest.fixture
def no_sends_left(known, one_send):
    """A stranger has used up the sends to the member's address."""
    assert ask_for_code(Client()).status_code == 429


def test_a_known_browser_gets_a_code_when_strangers_have_used_up_the_sends(
    no_sends_left, known, piggy_sandbox
):
    assert log_in(known, piggy_sandbox).url == "/members/"
    assert sends(piggy_sandbox) == 2


def test_a_known_browser_has_a_limit_of_sends_of_its_own(no_sends_left, known):
    statuses = [ask_for_code(known).status_code for _ in range(2)]

    assert statuses == [302, 429]


def test_sends_from_a_known_browser_do_not_count_for_others(known, settings, contact):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"send_recipient": "2/1h"}
    statuses = [ask_for_code(known).status_code for _ in range(3)]

    assert statuses == [302, 302, 429]
    assert ask_for_code(Client()).status_code == 302


def test_a_resend_counts_for_the_known_browser_too(no_sends_left, known):
    ask_for_code(known)

    assert known.post("/login/code/resend/").status_code == 429


def test_a_shown_failure_uses_up_no_send_of_a_known_browser(
    no_sends_left, known, piggy_sandbox
):
    piggy_sandbox.switches.fault = Fault.MAINTENANCE
    ask_for_code(known)
    piggy_sandbox.switches.fault = None

    assert ask_for_code(known).status_code == 302


def test_all_browsers_share_the_cooldown(known, settings, piggy_sandbox):
    """Or known browsers would flood the member's mailbox together."""
    call_command("piggy_verify_unlock", ADDRESS, verbosity=0)
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"send_cooldown": "1/60s"}
    ask_for_code(Client())

    assert ask_for_code(known).url == "/login/code/"
    assert sends(piggy_sandbox) == 2


def test_the_browser_of_another_member_shares_the_sends(no_sends_left, bob):
    assert ask_for_code(bob).status_code == 429


def test_a_forged_cookie_brings_no_sends(no_sends_left, known):
    known.cookies[device_cookie(known).key] = FORGED

    assert ask_for_code(known).status_code == 429


@pytest.fixture
def neighbour(known):
    """A stranger's browser behind the same client address, which is a fresh one."""
    known.defaults["REMOTE_ADDR"] = "203.0.113.7"
    return Client(REMOTE_ADDR="203.0.113.7")


@pytest.fixture
def crowded(neighbour, settings):
    """The neighbour has used up the limits of the client address."""
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {
        "send_ip": "1/1h",
        "check_ip": "1/1h",
    }
    ask_for_code(neighbour, STRANGER)
    type_code(neighbour, "wrong")
    assert type_code(neighbour, "wrong").status_code == 429
    assert ask_for_code(neighbour, STRANGER).status_code == 429


def test_a_known_browser_logs_in_from_a_crowded_address(known, crowded, piggy_sandbox):
    ask_for_code(known)
    type_code(known, "wrong")

    assert type_code(known, piggy_sandbox.last_code(ADDRESS)).url == "/members/"


def test_a_known_browser_is_a_new_one_to_another_member(known, crowded, piggy_sandbox):
    piggy_sandbox.add_contact("bob@example.com")

    assert ask_for_code(known, "bob@example.com").status_code == 429


def test_a_known_browser_uses_up_nothing_of_its_client_address(
    known, neighbour, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {
        "send_ip": "1/1h",
        "check_ip": "1/1h",
    }
    for _ in range(2):
        ask_for_code(known)
        assert type_code(known, "wrong").status_code == 200

    assert ask_for_code(neighbour, STRANGER).url == "/login/code/"
    assert type_code(neighbour, "wrong").status_code == 200


def test_a_known_browser_costs_no_further_statement(known, neighbour):
    """The counts of the browser replace the counts that all browsers share."""
    costs = []
    for browser in (known, neighbour):
        for act, field in ((ask_for_code, ADDRESS), (type_code, "wrong")):
            act(browser, field)
            with CaptureQueriesContext(connection) as captured:
                act(browser, field)
            costs.append([each["sql"].split()[0] for each in captured])

    assert costs[:2] == costs[2:]
    assert len(costs[0]) == 5


@pytest.mark.parametrize("limit", ["send_ip", "check_ip"])
def test_sixty_visitors_behind_one_address_are_let_through_in_an_hour(limit):
    assert DEFAULT_RATE_LIMITS[limit] == "60/1h"
