"""The limits that count text messages only, and the limit of all sends."""

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from django_piggy_verify.exceptions import (
    ConsentMissing,
    ContactUnknown,
    ProviderUnavailable,
    RecipientRefused,
    TooManyAttempts,
)
from django_piggy_verify.limits import fixed_windows
from django_piggy_verify.login import devices, verification
from django_piggy_verify.models import Tally
from tests.steps import ADDRESS, JSON, NUMBER, ask_for_code, is_logged_in, type_code
from tests.texting import CODE

pytestmark = pytest.mark.django_db

START = 1_800_000_000
HOUR = 3600
DAY = 86400
NEIGHBOUR = "+31612340000"
"""A number of the same range as NUMBER."""
OTHER = "+31612355678"
"""A number of another range."""


@pytest.fixture(autouse=True)
def texter(settings):
    settings.PIGGY_VERIFY_BACKGROUND = False
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
    use(settings, "Texter")


def use(settings, provider):
    settings.PIGGY_VERIFY_PROVIDER = f"tests.texting.{provider}"


@pytest.fixture
def limit(settings, unlimited):
    """Return a function that sets one limit. All other limits are out of reach."""

    def limit(name, rate):
        settings.PIGGY_VERIFY_RATE_LIMITS |= {name: rate}

    return limit


def send(recipient=NUMBER, request=None):
    """Send a code to the end, and return whether it was sent."""
    result = verification.send_code(recipient, request=request)
    if request:
        request.close()
    return result.is_sent


def refusal(recipient=NUMBER, request=None):
    with pytest.raises(TooManyAttempts) as caught:
        send(recipient, request)
    return caught.value.limit, caught.value.retry_after


def counts():
    """Return the counts by limit, without those that are zero."""
    rows = Tally.objects.exclude(count=0).values_list("key", "count")
    return {fixed_windows.limit_of(key): count for key, count in rows}


def test_a_text_counts_under_every_limit_of_sends(rf):
    send(request=rf.post("/"))

    of_every_send = {"send_cooldown", "send_recipient", "send_recipient_day", "send_ip"}
    of_texts = {"send_sms_ip", "send_sms_range", "send_sms_day"}
    assert counts() == dict.fromkeys(of_every_send | of_texts, 1)


def test_an_email_counts_under_no_limit_of_texts(rf):
    send(ADDRESS, rf.post("/"))

    assert not [name for name in counts() if "sms" in name]


def test_a_text_takes_as_many_statements_as_an_email(rf):
    """The first of each, so that all rows of counts are inserted."""
    numbers = []
    for recipient, visitor in ((ADDRESS, "192.0.2.1"), (NUMBER, "192.0.2.2")):
        request = rf.post("/", REMOTE_ADDR=visitor)
        with CaptureQueriesContext(connection) as captured:
            send(recipient, request)
        numbers.append(len(captured))

    assert numbers[0] == numbers[1]


# The cost cap


@pytest.mark.parametrize(("after", "wait"), [(0, DAY), (HOUR, DAY - HOUR), (DAY, None)])
def test_an_exhausted_cap_says_when_its_window_ends(limit, time_machine, after, wait):
    time_machine.move_to(0, tick=False)
    limit("send_sms_day", "1/1d")
    send()
    time_machine.shift(after)

    if wait:
        assert refusal(OTHER) == ("send_sms_day", wait)
    else:
        assert send(OTHER)


def caps_logged(caplog):
    return [
        (each.levelname, each.limit, each.retry_after)
        for each in caplog.records
        if each.event_name == "cost_cap_reached"
    ]


def test_an_exhausted_cap_is_logged_once_in_each_window(limit, time_machine, caplog):
    time_machine.move_to(0.5, tick=False)
    limit("send_sms_day", "1/1d")
    for _window in range(2):
        send()
        for _attempt in range(3):
            time_machine.shift(HOUR)
            refusal(OTHER)
        time_machine.shift(DAY - 3 * HOUR)

    assert caps_logged(caplog) == 2 * [("ERROR", "send_sms_day", DAY - HOUR)]


def test_a_cap_that_is_exhausted_at_once_again_is_logged(limit, time_machine, caplog):
    """The seconds of a wait are whole, so they end later than the window."""
    time_machine.move_to(0, tick=False)
    limit("send_sms_day", "1/1d")
    send()
    time_machine.shift(0.5)
    refusal(OTHER)
    time_machine.shift(DAY - 0.5)
    send()
    refusal(OTHER)

    assert len(caps_logged(caplog)) == 2


def test_a_cap_is_logged_again_after_staff_have_cleared_it(limit, caplog):
    limit("send_sms_day", "1/1d")
    for _window in range(2):
        send()
        refusal(OTHER)
        Tally.objects.filter(key__endswith=":send_sms_day").delete()

    assert len(caps_logged(caplog)) == 2


def test_no_other_limit_is_logged_as_a_cost_cap(limit, caplog):
    limit("send_sms_range", "1/1h")
    send()
    refusal(NEIGHBOUR)

    assert caps_logged(caplog) == []


def test_with_an_exhausted_cap_an_address_still_logs_in(client, limit):
    limit("send_sms_day", "1/1d")
    send()
    refusal(OTHER)

    ask_for_code(client)
    type_code(client, CODE)

    assert is_logged_in(client)


def test_the_page_says_when_the_window_of_the_cap_ends(client, limit, time_machine):
    time_machine.move_to(START, tick=False)
    limit("send_sms_day", "1/1d")
    send(OTHER)
    time_machine.shift(HOUR)

    page = client.post("/login/", {"phone": NUMBER})

    assert page.status_code == 429
    assert page.headers["Retry-After"] == str(DAY - HOUR)


def test_a_script_reads_when_the_window_of_the_cap_ends(client, limit, time_machine):
    time_machine.move_to(START, tick=False)
    limit("send_sms_day", "1/1d")
    send(OTHER)

    answer = client.post("/login/", {"phone": NUMBER}, headers=JSON)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == str(DAY)
    assert answer.json()["error"]["retry_after"] == DAY


def test_a_resend_stays_within_the_cap(client, limit):
    limit("send_sms_day", "2/1d")
    client.post("/login/", {"phone": NUMBER})
    pages = [client.post("/login/code/resend/") for _ in range(2)]

    assert [page.status_code for page in pages] == [302, 429]
    assert counts()["send_sms_day"] == 2


# What does not count


@pytest.mark.parametrize(
    ("provider", "error"),
    [
        ("Unreachable", ProviderUnavailable),
        ("Picky", RecipientRefused),
        ("Unagreed", ConsentMissing),
    ],
)
def test_a_text_that_fails_openly_counts_nowhere(settings, provider, error):
    use(settings, provider)

    with pytest.raises(error):
        send(NEIGHBOUR)

    assert not [name for name in counts() if name.startswith("send_sms")]
    assert counts().keys() <= {"circuit", "send_failed"}


@pytest.mark.parametrize("provider", ["Unreachable", "Picky", "Unagreed"])
def test_a_text_that_fails_after_the_response_counts_nowhere(settings, rf, provider):
    use(settings, provider)

    send(NEIGHBOUR, rf.post("/"))

    assert counts().keys() <= {"circuit", "send_failed", "send_refused_ip"}


def test_a_text_to_a_blocked_visitor_counts_for_the_visitor_only(settings, rf):
    """Otherwise a visitor could cause calls without end, because no circuit opens."""
    use(settings, "Blocking")

    send(NEIGHBOUR, rf.post("/"))

    assert counts().keys() == {"send_ip", "send_failed"}


def test_in_a_known_browser_the_counts_of_this_browser_stay(settings, rf):
    """No limit counts such a browser by its client address."""
    request, response = rf.post("/"), HttpResponse()
    devices.remember(request, response, NEIGHBOUR)
    request.COOKIES[devices.COOKIE] = response.cookies[devices.COOKIE].value
    use(settings, "Blocking")

    send(NEIGHBOUR, request)

    own = {"send_recipient", "send_recipient_day"}
    assert counts().keys() == own | {"send_failed"}


def test_a_text_that_may_have_left_counts(settings):
    use(settings, "Unsure")

    send()

    assert counts()["send_sms_range"] == counts()["send_sms_day"] == 1


def test_a_text_within_the_cooldown_counts_nowhere(rf):
    send(request=rf.post("/"))
    before = counts()

    assert not send(request=rf.post("/"))
    assert counts() == before


def test_a_text_that_another_limit_refuses_counts_nowhere(limit):
    limit("send_sms_range", "1/1h")
    send()
    refusal(NEIGHBOUR)

    assert counts()["send_sms_day"] == 1


def test_a_text_to_a_stranger_who_is_told_so_counts(settings):
    """Otherwise strangers' numbers would have as many sends as somebody likes."""
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False
    use(settings, "Exclusive")

    with pytest.raises(ContactUnknown):
        send()

    numbers = counts()
    assert numbers["send_sms_range"] == numbers["send_sms_day"] == 1
    assert "send_cooldown" not in numbers


def test_a_probe_of_an_open_circuit_stays_within_the_cap(settings, limit):
    limit("send_sms_day", "1/1d")
    send()
    use(settings, "Unreachable")
    with pytest.raises(ProviderUnavailable):
        send(ADDRESS)
    use(settings, "Texter")

    with pytest.raises(ProviderUnavailable):
        send(OTHER)

    assert counts()["send_sms_day"] == 1
    assert send(ADDRESS)


# Which numbers get texts


def test_a_provider_that_sends_no_texts_is_not_asked_for_one(settings):
    use(settings, "Mailer")

    with pytest.raises(RecipientRefused):
        send()

    assert counts() == {}


def test_a_provider_that_sends_no_texts_checks_no_code_of_a_number(settings):
    use(settings, "Mailer")

    assert authenticate(None, recipient=NUMBER, secret_code=CODE) is None
    assert counts() == {}


@pytest.mark.parametrize("countries", [[], ["BE"]], ids=["none", "another"])
def test_a_number_whose_country_is_served_no_more_gets_no_text(settings, countries):
    """The login in progress began before the setting was changed."""
    settings.PIGGY_VERIFY_SMS_COUNTRIES = countries

    with pytest.raises(RecipientRefused):
        send()

    assert counts() == {}


@pytest.mark.parametrize("countries", [[], ["BE"]], ids=["none", "another"])
def test_a_resend_to_a_country_that_is_served_no_more_sends_nothing(
    client, settings, unlimited, countries
):
    client.post("/login/", {"phone": NUMBER})
    settings.PIGGY_VERIFY_SMS_COUNTRIES = countries
    before = counts()

    page = client.post("/login/code/resend/", follow=True)

    assert page.redirect_chain[0][0].startswith("/login/?refused")
    assert page.status_code == 200
    assert counts() == before


@pytest.mark.parametrize("spelling", ["+31 6 12345678", "0031612345678", "+3161234"])
def test_only_the_one_spelling_of_a_number_gets_a_text(spelling):
    """Another spelling would have counts of its own."""
    with pytest.raises(RecipientRefused):
        send(spelling)

    assert counts() == {}


# All sends


def test_by_default_nothing_limits_all_sends():
    send(ADDRESS)

    assert "send_day" not in counts()


def test_the_limit_of_all_sends_counts_texts_and_emails(limit, caplog):
    limit("send_day", "2/1d")
    send()
    send(ADDRESS)

    assert refusal("bob@example.com") == ("send_day", DAY)
    assert caps_logged(caplog) == [("ERROR", "send_day", DAY)]


# Who shares a count


@pytest.mark.parametrize(
    ("number", "is_sent"), [(NEIGHBOUR, False), (OTHER, True)], ids=["near", "far"]
)
def test_numbers_share_a_range_if_their_last_four_digits_differ(limit, number, is_sent):
    limit("send_sms_range", "1/1h")
    send()

    if is_sent:
        assert send(number)
    else:
        assert refusal(number) == ("send_sms_range", HOUR)


@pytest.mark.parametrize(
    ("address", "is_sent"),
    [("2001:db8:0:1::2", False), ("2001:db8:0:2::1", True)],
    ids=["same network", "other network"],
)
def test_texts_are_counted_by_the_network_of_an_ipv6_client(
    limit, rf, address, is_sent
):
    limit("send_sms_ip", "1/1h")
    send(request=rf.post("/", REMOTE_ADDR="2001:db8:0:1::1"))
    request = rf.post("/", REMOTE_ADDR=address)

    if is_sent:
        assert send(OTHER, request)
    else:
        assert refusal(OTHER, request) == ("send_sms_ip", HOUR)


def known_browser(rf, number):
    """Return a request of a browser that the number has logged in with before."""
    response = HttpResponse()
    devices.remember(rf.post("/"), response, number)
    request = rf.post("/")
    request.COOKIES = {name: each.value for name, each in response.cookies.items()}
    return request


def test_a_known_browser_counts_for_the_range_and_the_day_but_no_address(rf):
    send(request=known_browser(rf, NUMBER))

    numbers = counts()
    assert numbers["send_sms_range"] == numbers["send_sms_day"] == 1
    assert not [name for name in numbers if name.endswith("_ip")]


def test_a_browser_that_another_number_has_used_counts_for_its_address(rf):
    send(request=known_browser(rf, OTHER))

    assert counts()["send_sms_ip"] == 1


def test_an_unlock_does_not_clear_the_counts_that_others_share():
    send()

    call_command("piggy_verify_unlock", NUMBER, verbosity=0)

    assert counts() == {"send_sms_range": 1, "send_sms_day": 1}
