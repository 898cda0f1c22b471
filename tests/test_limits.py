import pytest
from django.http import HttpRequest
from django.test import Client, override_settings
from hypothesis import given, strategies as st

from django_piggy_verify import limits
from django_piggy_verify.exceptions import TooManyAttempts
from django_piggy_verify.limits import Claim, Rate
from django_piggy_verify.models import Tally
from tests.steps import ADDRESS, STRANGER, UNLIMITED, ask_for_code, calls, type_code


def claim(limit="check_ip", count=2, period=60, subject="ann"):
    return Claim(limit=limit, subject=subject, rate=Rate(count, period))


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1/60s", Rate(1, 60)),
        ("3/15m", Rate(3, 900)),
        ("20/h", Rate(20, 3600)),
        ("10/1d", Rate(10, 86400)),
    ],
)
def test_rates_are_read(text, rate):
    assert limits.parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "3", "0/1m", "3/0m", "-1/m", "3/1w", "3/1 m", " 3/1m", "٣/1m", "3/m\n"]
)
def test_misspelled_rates_are_refused(text):
    with pytest.raises(ValueError, match="written like"):
        limits.parse_rate(text)


def test_as_many_as_the_limit_says_are_let_through(db):
    limits.take([claim()])
    limits.take([claim()])

    with pytest.raises(TooManyAttempts) as caught:
        limits.take([claim()])

    assert caught.value.limit == "check_ip"
    assert 0 < caught.value.retry_after <= 60


def test_a_window_that_is_over_begins_anew(db, time_machine):
    time_machine.move_to(0, tick=False)
    limits.take([claim(count=1)])
    time_machine.shift(60)

    limits.take([claim(count=1)])

    assert limits.wait(claim(count=1)) == 60


def test_the_wait_is_true_to_the_second(db, time_machine):
    time_machine.move_to(0, tick=False)
    limits.take([claim(count=1)])
    time_machine.shift(59)

    assert limits.wait(claim(count=1)) == 1


def test_all_or_none_is_counted_and_the_longest_wait_reported(db):
    short, long = claim("a", 1, 60), claim("b", 1, 600)
    limits.take([short, long])

    with pytest.raises(TooManyAttempts) as caught:
        limits.take([claim("c"), short, long])

    assert caught.value.limit == "b"
    assert caught.value.retry_after > 500
    assert Tally.objects.get(key=claim("c").key).count == 0


def test_what_is_given_back_can_be_taken_again(db):
    limits.take([claim(count=1)])
    limits.give_back([claim(count=1)])

    limits.take([claim(count=1)])


def test_giving_back_what_was_never_taken_is_harmless(db):
    limits.give_back([claim()])

    assert limits.wait(claim()) == 0


def test_what_is_cleared_is_forgotten(db):
    limits.take([claim(count=1)])
    limits.clear([claim(count=1)])

    assert not Tally.objects.exists()


def test_subjects_and_limits_are_counted_apart(db):
    limits.take([claim(count=1)])

    limits.take([claim(count=1, subject="bob"), claim("other", count=1)])


def test_a_row_made_by_somebody_else_this_instant_is_counted_in(db, monkeypatch):
    real = limits._count_again
    answers = iter([False])

    def blind_once(each, now):
        return next(answers, None) is not False and real(each, now)

    limits.take([claim()])
    monkeypatch.setattr(limits, "_count_again", blind_once)
    limits.take([claim()])

    assert Tally.objects.get().count == 2


def test_no_address_is_stored(client, contact):
    ask_for_code(client)

    assert Tally.objects.count() == 4
    for tally in Tally.objects.all():
        assert len(tally.key) == 64
        assert "ann" not in str(tally)


@pytest.mark.parametrize(
    ("forwarded", "count", "address"),
    [
        (None, 0, "203.0.113.9"),
        ("198.51.100.1", 0, "203.0.113.9"),
        ("198.51.100.1", 1, "198.51.100.1"),
        ("6.6.6.6, 198.51.100.1", 1, "198.51.100.1"),
        ("6.6.6.6, 198.51.100.1, 10.0.0.1", 2, "198.51.100.1"),
        (None, 1, "unknown"),
        ("198.51.100.1", 2, "unknown"),
        ("nonsense", 1, "unknown"),
        ("198.51.100.1:443", 1, "unknown"),
        ("2001:db8:1:2:3:4:5:6", 1, "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.1", 1, "198.51.100.1"),
    ],
)
def test_the_client_address_is_what_our_own_proxies_saw(
    rf, settings, forwarded, count, address
):
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = count
    headers = {"x-forwarded-for": forwarded} if forwarded else {}

    request = rf.get("/", headers=headers, REMOTE_ADDR="203.0.113.9")

    assert limits.client_address(request) == address


@given(st.text(max_size=60), st.integers(0, 3))
def test_no_header_makes_the_client_address_raise(header, count):
    request = HttpRequest()
    request.META = {"HTTP_X_FORWARDED_FOR": header}

    with override_settings(PIGGY_VERIFY_TRUSTED_PROXY_COUNT=count):
        assert limits.client_address(request)


def exhaust(settings, name, rate="1/1h"):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {name: rate}


@pytest.mark.parametrize("name", ["send_recipient", "send_recipient_day", "send_ip"])
def test_each_limit_of_sends_is_enforced(client, contact, settings, name):
    exhaust(settings, name)

    statuses = [ask_for_code(client).status_code for _ in range(2)]

    assert statuses == [302, 429]


@pytest.mark.parametrize("name", ["check_recipient", "check_recipient_day", "check_ip"])
def test_each_limit_of_checks_is_enforced_over_all_sessions(
    contact, settings, name, piggy_sandbox
):
    exhaust(settings, name)
    browsers = [Client(), Client()]
    for browser in browsers:
        ask_for_code(browser)

    statuses = [type_code(browser, "wrong").status_code for browser in browsers]

    assert statuses == [200, 429]
    assert calls(piggy_sandbox).count("verify") == 1


def test_strangers_are_counted_like_contacts(client, contact, settings):
    exhaust(settings, "send_recipient")

    statuses = [ask_for_code(client, STRANGER).status_code for _ in range(2)]

    assert statuses == [302, 429]


def test_all_spellings_of_an_address_share_their_counts(client, contact, settings):
    exhaust(settings, "send_recipient")
    ask_for_code(client, "ann@example.com")

    assert ask_for_code(client, " ANN@Example.COM ").status_code == 429


def test_a_send_that_is_refused_starts_no_cooldown(client, contact, settings):
    exhaust(settings, "send_ip")
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "1/60s"
    ask_for_code(client, STRANGER)
    ask_for_code(client)
    settings.PIGGY_VERIFY_RATE_LIMITS["send_ip"] = "9/1h"

    client.post("/login/", {"email": ADDRESS})

    assert Tally.objects.filter(count=1).count() >= 1


def test_a_right_code_clears_the_recipients_counts_only(
    client, code, settings, piggy_sandbox
):
    exhaust(settings, "check_ip", "2/1h")
    type_code(client, "wrong")
    type_code(client, code)

    assert counted("check_recipient", ADDRESS) == 0
    assert counted("check_ip", "127.0.0.1") == 1


def counted(limit, subject):
    tally = Tally.objects.filter(key=limits.claim(limit, subject).key).first()
    return tally.count if tally else 0


def test_the_exception_says_what_is_reached_and_for_how_long():
    error = TooManyAttempts(limit="send_ip", retry_after=7)

    assert str(error) == "send_ip is reached for another 7 s"
