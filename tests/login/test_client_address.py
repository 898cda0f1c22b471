import pytest
from django.http import HttpRequest
from django.test import Client, override_settings
from hypothesis import given, strategies as st

from django_piggy_verify import events
from django_piggy_verify.login import client_address
from tests.steps import ADDRESS, STRANGER, UNLIMITED, ask_for_code


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
        ("2001:db8:1:2:3:4:5:6", 1, "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.1", 1, "198.51.100.1"),
        ("::ffff:c633:6401", 1, "198.51.100.1"),
        ("fe80::1%eth0", 1, "fe80::/64"),
        ("fe80::2%" + "x" * 9999, 1, "fe80::/64"),
        ("198.51.100.1,", 1, "unknown"),
        ("198.51.100.1,\t198.51.100.2 ", 1, "198.51.100.2"),
        ("0198.51.100.1", 1, "unknown"),
    ],
)
def test_the_client_address_is_the_one_that_our_proxies_saw(
    rf, settings, forwarded, count, address
):
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = count
    headers = {"x-forwarded-for": forwarded} if forwarded else {}

    request = rf.get("/", headers=headers, REMOTE_ADDR="203.0.113.9")

    assert client_address.of(request) == address


@pytest.mark.parametrize(
    ("found", "address"),
    [
        ("2001:DB8:0::7", "2001:db8::7"),
        ("fe80::1%any text", "fe80::1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("[2001:db8::7%1]:443", "2001:db8::7"),
    ],
)
def test_an_address_that_is_told_has_no_zone(rf, found, address):
    request = rf.get("/", REMOTE_ADDR=found)

    assert str(client_address.find(request)) == address


def forwarded_for(rf, entry):
    with override_settings(PIGGY_VERIFY_TRUSTED_PROXY_COUNT=1):
        return client_address.of(rf.get("/", headers={"x-forwarded-for": entry}))


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("203.0.113.7:51234", "203.0.113.7"),
        ("6.6.6.6:1, 203.0.113.7:65535", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ("[fe80::1%eth0]:443", "fe80::/64"),
    ],
)
def test_a_port_is_dropped(rf, entry, address):
    assert forwarded_for(rf, entry) == address


@pytest.mark.parametrize(
    "entry",
    [
        "203.0.113.7:99999",
        "203.0.113.7:",
        "203.0.113.7:-1",
        "203.0.113.7:٤٤٣",
        "203.0.113.7:443:443",
        "203.0.113:443",
        "[203.0.113.7]:443",
        "[2001:db8::1]443",
        "[2001:db8::1]:",
        "[2001:db8::1]:99999",
        "[2001:db8::1",
        "2001:db8::1]:443",
        "[]:443",
        "[[2001:db8::1]]",
        "unix:",
        ":443",
    ],
)
def test_an_unreadable_address_with_a_port_is_unknown(rf, entry):
    assert forwarded_for(rf, entry) == "unknown"


@given(st.text(max_size=60), st.integers(0, 3))
def test_no_header_makes_the_client_address_raise(header, count):
    request = HttpRequest()
    request.META = {"HTTP_X_FORWARDED_FOR": header}

    with override_settings(PIGGY_VERIFY_TRUSTED_PROXY_COUNT=count):
        assert client_address.of(request)


def test_visitors_whose_gateway_adds_ports_do_not_share_a_limit(contact, settings):
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = 1
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"send_ip": "1/1h"}
    gateways = ["203.0.113.7:51234", "203.0.113.8:51234"]
    visitors = [Client(headers={"x-forwarded-for": each}) for each in gateways]

    statuses = [ask_for_code(each).status_code for each in visitors]

    assert statuses == [302, 302]


def of_a_header(request):
    return request.headers["cf-connecting-ip"]


def not_at_all(request):
    raise LookupError("nobody knows 203.0.113.7")


@pytest.mark.parametrize(
    "named", [of_a_header, f"{__name__}.of_a_header"], ids=["callable", "dotted path"]
)
def test_a_callable_of_the_project_says_the_client_address(rf, settings, named):
    settings.PIGGY_VERIFY_CLIENT_ADDRESS = named
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = 1
    headers = {"cf-connecting-ip": "203.0.113.7", "x-forwarded-for": "6.6.6.6"}

    assert client_address.of(rf.get("/", headers=headers)) == "203.0.113.7"


NO_ANSWERS = {
    "no address": (lambda _: "Ann\n203.0.113.7", "aaa?999.9.999.9"),
    "a long text": (lambda _: "é1" * 999, "a9" * 20),
    "nothing": (lambda _: None, "NoneType"),
    "a number": (lambda _: 3405803783, "int"),
    "an error": (not_at_all, "LookupError"),
    "no such callable": ("no.such.callable", "ModuleNotFoundError"),
    "no callable": (5, "TypeError"),
}


@pytest.mark.parametrize(
    ("answers", "found"), NO_ANSWERS.values(), ids=NO_ANSWERS.keys()
)
def test_an_invalid_client_address_is_unknown_and_logged(
    rf, settings, caplog, answers, found
):
    settings.PIGGY_VERIFY_CLIENT_ADDRESS = answers

    assert client_address.of(rf.get("/")) == client_address.UNKNOWN

    [record] = caplog.records
    assert record.event_name == events.CLIENT_ADDRESS_UNKNOWN.name
    assert record.getMessage() == (
        f"No client address can be read from PIGGY_VERIFY_CLIENT_ADDRESS: {found!r}"
    )


@pytest.mark.parametrize(
    ("count", "source"), [(0, "REMOTE_ADDR"), (1, "X-Forwarded-For")]
)
def test_the_log_says_where_no_address_was_found(rf, settings, caplog, count, source):
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = count

    client_address.of(rf.get("/", REMOTE_ADDR=""))

    assert caplog.messages == [f"No client address can be read from {source}: ''"]


def test_a_callable_that_raises_stops_no_login(client, contact, settings):
    settings.PIGGY_VERIFY_CLIENT_ADDRESS = not_at_all

    assert ask_for_code(client, ADDRESS).url == "/login/code/"


def test_visitors_without_an_address_share_one_limit(contact, settings):
    settings.PIGGY_VERIFY_CLIENT_ADDRESS = not_at_all
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"send_ip": "1/1h"}

    statuses = [
        ask_for_code(Client(), each).status_code for each in (ADDRESS, STRANGER)
    ]

    assert statuses == [302, 429]
