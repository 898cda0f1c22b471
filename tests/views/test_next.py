"""No `next` leads a browser away from the site."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils.encoding import iri_to_uri
from hypothesis import (
    HealthCheck,
    example,
    given,
    settings as hypothesis_settings,
    strategies as st,
)

from django_piggy_verify.login.circuit import Circuit
from tests.state_machine.browsing import destination, location
from tests.steps import ADDRESS, JSON, ask_for_code, type_code

ADDRESSES = (
    *("//evil.example", "///evil.example", "/\\evil.example", "http://evil.example/"),
    *("https:evil.example", "http://testserver", "https://testserver@evil.example"),
    *("javascript:alert(1)", "ftp://testserver", "/members/?a=1", ""),
)
DROPPED = ("\t", "\n", "\r")
PIECES = (
    *("/", "\\", ":", "@", "?", "#", ".", "..", "http:", "evil.example", "testserver"),
    *("\x00", "\x08", "\x1f", "\x7f", " ", "\xa0", "\u2028", "\ufeff", "\U0001f437"),
    *("%2f", "%5c", "%09", "／", "＼", "：", "。", "[::1]", "[", "é"),
)
LOGGER = "django_piggy_verify"
pieces = st.sampled_from(DROPPED + PIECES) | st.sampled_from(DROPPED)


@st.composite
def next_urls(draw):
    """Generate addresses with characters that parsers read differently."""
    address = draw(st.sampled_from(ADDRESSES))
    for piece in draw(st.lists(pieces, max_size=3)):
        place = draw(st.integers(0, 8))
        address = address[:place] + piece + address[place:]
    return address


schemes = st.sampled_from(["http", "https"])
accepts = st.sampled_from([{}, JSON])

# All examples share the fixtures.
thorough = hypothesis_settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
brief = hypothesis_settings(thorough, max_examples=25)


def stays(address, scheme="http"):
    own = destination(address, base=f"{scheme}://testserver/login/")
    return own == (scheme, "testserver")


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("", True),
        ("/members/?next=//evil.example", True),
        ("members", True),
        ("?a#//evil.example", True),
        ("http:members", True),
        ("http:/members", True),
        ("//testserver/", True),
        ("http://testserver", True),
        ("//evil.example@testserver", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("\\\\evil.example", False),
        ("/\t/evil.example", False),
        ("ht\ntp://evil.example", False),
        ("\x01 //evil.example", False),
        ("https:evil.example", False),
        ("https:/\\evil.example", False),
        ("https://testserver", False),
        ("http://testserver@evil.example", False),
        ("http://testserver:81", False),
        ("javascript:alert(1)", False),
        ("mailto:a@testserver", False),
    ],
)
def test_the_url_parser_of_these_tests_reads_as_browsers_do(address, is_ours):
    assert stays(address) == is_ours


@pytest.mark.parametrize("next_url", ["//", "/\\", " \\/ ", "//?a", "//#a"])
def test_without_next_a_login_leads_to_the_default_page(client, user, next_url):
    response = client.get("/login/", {"next": next_url})

    assert response["Location"] == "/members/"


@pytest.mark.parametrize(
    "next_url",
    ["/members/" + "a" * 1991, "/members/?q=" + "猪" * 200, "/members/?" + "&" * 1990],
    ids=["ASCII", "Chinese", "punctuation"],
)
def test_a_long_address_survives_the_login(client, contact, piggy_sandbox, next_url):
    shown = client.get("/login/", {"next": next_url}).context["form"].initial["next"]
    ask_for_code(client, next=shown)
    type_code(client, "wrong")
    client.post("/login/code/resend/")

    response = type_code(client, piggy_sandbox.last_code(ADDRESS))

    assert response["Location"] == iri_to_uri(next_url)


def test_the_longest_address_fits_into_the_cookie(client, contact):
    longest = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.com"

    ask_for_code(client, longest, next="/" + "a" * 1999)

    header = client.cookies["piggy_verify_login"].OutputString()
    login = client.get("/login/code/").context["login"]
    assert (login.recipient, len(login.next)) == (longest, 2000)
    # RFC 6265, section 6.1, counts name, value and attributes. Domain and path may be
    # longer in a project than in this test.
    assert len(header) <= 4096 - 500


@pytest.mark.parametrize(
    ("tail", "length"),
    [("a" * 1992, 2001), ("\u4e2d" * 222, 2007), ("a" * 2100, 2109)],
    ids=["a letter too much", "by its encoding", "too long for Django"],
)
def test_an_address_that_is_too_long_is_dropped_and_logged(
    client, code, caplog, tail, length
):
    caplog.set_level("WARNING", logger=LOGGER)
    ask_for_code(client, next=f"/?secret={tail}")

    response = type_code(client, code)

    assert response["Location"] == "/members/"
    [record] = [each for each in caplog.records if each.name == LOGGER]
    assert (record.event_name, record.length) == ("next_too_long", length)
    assert "secret" not in str(vars(record))


@thorough
@given(next_url=next_urls(), scheme=schemes, headers=accepts)
@example(next_url="/\t//evil.example", scheme="http", headers=JSON)
@example(next_url="http://testserver", scheme="https", headers={})
def test_a_logged_in_visitor_is_not_led_off_the_site(
    client, member, next_url, scheme, headers
):
    response = client.get(
        "/login/", {"next": next_url}, headers=headers, secure=scheme == "https"
    )

    assert response.status_code == (200 if headers else 302)
    assert stays(location(response), scheme)


@pytest.mark.usefixtures("contact", "unlimited")
@brief
@given(next_url=next_urls(), at_once=st.booleans(), scheme=schemes, headers=accepts)
def test_a_login_never_leads_off_the_site(
    piggy_sandbox, next_url, at_once, scheme, headers
):
    """`next` may come with the first page or with the code."""
    browser, is_secure = Client(headers=headers), scheme == "https"
    early, late = ({"next": next_url}, {}) if at_once else ({}, {"next": next_url})
    browser.post("/login/", {"email": ADDRESS, **early}, secure=is_secure)
    code = piggy_sandbox.last_code(ADDRESS)

    response = browser.post("/login/code/", {"code": code, **late}, secure=is_secure)

    assert response.status_code == (200 if headers else 302)
    assert stays(location(response), scheme)


@brief
@given(next_url=next_urls())
@pytest.mark.parametrize("page", ["code/", "code/resend/", "cancel/"])
def test_a_stored_next_never_leads_off_the_site(db, page, next_url):
    response = Client().post(f"/login/{page}", {"next": next_url})

    kept = parse_qs(urlsplit(location(response)).query).get("next", [""])
    assert location(response).startswith("/login/")
    assert stays(kept[0])


@brief
@given(next_url=next_urls())
def test_a_next_in_a_json_body_never_leads_off_the_site(client, member, next_url):
    body = {"next": next_url}

    response = client.post(
        "/login/", body, content_type="application/json", headers=JSON
    )

    assert stays(response.json()["redirect_to"])


@brief
@given(next_url=next_urls())
def test_the_pages_of_a_failure_never_lead_off_the_site(
    client, contact, settings, next_url
):
    settings.PIGGY_VERIFY_API_KEY = ""
    Circuit("piggy").forget()

    ask_for_code(client, next=next_url)
    unsent = client.get("/login/code/")
    unavailable = ask_for_code(client, next=next_url)

    for page in (unsent, unavailable):
        links = [page.context[name] for name in ("start_url", "retry_url")]
        assert page.status_code == 503
        assert all(link.startswith("/login/") for link in links)
