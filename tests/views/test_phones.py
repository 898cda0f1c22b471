"""The pages for mobile numbers, in HTML and as JSON."""

import pytest
from django.test import Client

from django_piggy_verify.exceptions import (
    ContactUnknown,
    LoginRefused,
    ProviderUnavailable,
)
from django_piggy_verify.traits import Channel
from tests import consenting
from tests.consenting import CONSENTS, RIGHT, ask, ask_by_mail
from tests.steps import ADDRESS, JSON, NUMBER, ask_for_code, is_logged_in, type_code

pytestmark = pytest.mark.django_db

FORMATTED = "06 - 1234 5678"
EXAMPLE = "+31\xa06\xa012345678"
INVALID = f"Enter a mobile number like {EXAMPLE}. We cannot text every country."
MAIL_ONLY = {"channels": frozenset({Channel.EMAIL})}


@pytest.fixture
def sent(settings):
    """The challenges that a provider with text messages gets."""
    return consenting.use(settings)


def recipients_of(sent):
    return [each.recipient for each in sent]


def field_names(page):
    return [
        each.name for each in page.context["form"] if not each.name.startswith("cons")
    ]


def test_a_code_for_a_number_logs_in(client, sent):
    asked = ask(client, phone=FORMATTED, next="/there/")
    checked = type_code(client, RIGHT)

    assert (asked.url, checked.url) == ("/login/code/", "/there/")
    assert recipients_of(sent) == [NUMBER]
    assert is_logged_in(client)


def test_each_page_asks_for_one_thing_and_links_to_the_other(client, sent):
    by_mail, by_text = client.get("/login/"), client.get("/login/?by=phone")

    assert field_names(by_mail) == ["email", "next"]
    assert field_names(by_text) == ["phone", "next"]
    assert 'href="/login/?by=phone">Use your mobile number instead' in by_mail.text
    assert 'href="/login/">Use your email address instead' in by_text.text


@pytest.mark.parametrize("query", ["", "?by=email", "?by=phone"])
def test_a_provider_of_texts_only_asks_for_a_number_at_once(client, settings, query):
    consenting.use(settings, channels=frozenset({Channel.SMS}))

    page = client.get(f"/login/{query}")

    assert field_names(page) == ["phone", "next"]
    assert "instead" not in page.text


def test_the_link_to_the_other_page_keeps_next(client, sent):
    by_mail = client.get("/login/?next=/there/")
    by_text = client.get("/login/?by=phone&next=/there/")

    assert by_mail.context["other_url"] == "/login/?by=phone&next=%2Fthere%2F"
    assert by_text.context["other_url"] == "/login/?next=%2Fthere%2F"


def test_the_link_keeps_no_next_of_another_site(client, sent):
    page = client.get("/login/?next=https://evil.example/")

    assert page.context["other_url"] == "/login/?by=phone"


def test_a_telephone_offers_the_keys_and_the_number_of_its_owner(client, sent):
    page = client.get("/login/?by=phone")

    [field] = [line for line in page.text.splitlines() if 'name="phone"' in line]
    for part in ('type="tel"', 'autocomplete="tel"', 'inputmode="tel"', 'dir="ltr"'):
        assert part in field


@pytest.mark.parametrize("lacks", ["texts", "countries"])
def test_without_texts_or_countries_nothing_speaks_of_numbers(client, settings, lacks):
    consenting.use(settings, **(MAIL_ONLY if lacks == "texts" else {}))
    if lacks == "countries":
        settings.PIGGY_VERIFY_SMS_COUNTRIES = []

    page = client.get("/login/?by=phone")

    assert field_names(page) == ["email", "next"]
    assert "number" not in page.text
    assert "phone" not in page.text


def test_with_piggy_the_query_and_the_field_change_nothing(client, contact):
    plain, asked = client.get("/login/"), client.get("/login/?by=phone")
    response = client.post("/login/", {"phone": NUMBER, "email": ADDRESS})

    assert asked.templates[0].name == plain.templates[0].name
    assert "phone" not in asked.text
    assert response.url == "/login/code/"


@pytest.mark.parametrize(
    "typed",
    ["", "6", "+31 20 1234567", "+49 1512 3456789", "+31612345678x5", "ann", ADDRESS],
)
def test_what_is_no_mobile_number_of_a_served_country_is_an_error(client, sent, typed):
    page = client.post("/login/", {**CONSENTS, "phone": typed})

    assert page.status_code == 200
    assert page.context["form"].has_error("phone", "invalid" if typed else "required")
    assert list(page.context["form"].errors) == ["phone"]
    assert 'href="#id_phone">Enter' in page.text
    assert sent == []


def test_an_invalid_number_is_shown_again_with_an_example(client, sent):
    page = ask(client, phone="0201234567")

    assert INVALID in page.text
    assert page.context["form"]["phone"].value() == "0201234567"


@pytest.mark.parametrize("region", ["NL", None])
def test_a_hint_asks_for_the_country_code_where_it_is_needed(
    client, sent, settings, region
):
    settings.PIGGY_VERIFY_PHONE_REGION = region

    page = client.get("/login/?by=phone").text

    assert (f"With the country code, like {EXAMPLE}." in page) is (region is None)


@pytest.mark.parametrize("typed", [NUMBER, FORMATTED, "ann"])
def test_a_number_is_no_address(client, sent, typed):
    page = client.post("/login/", {**CONSENTS, "email": typed})

    assert page.context["form"].has_error("email", "invalid")
    assert sent == []


def test_an_invalid_number_is_not_counted(client, sent, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h", "send_sms_ip": "1/1h"}

    invalid = [ask(client, phone="+31 20 1234567").status_code for _ in range(3)]

    assert invalid == [200] * 3
    assert ask(client).status_code == 302


BOTH = {"email": ADDRESS, "phone": NUMBER}


@pytest.mark.parametrize("headers", [{}, JSON], ids=["html", "json"])
def test_an_address_and_a_number_together_are_an_error(client, sent, headers):
    response = client.post("/login/", {**CONSENTS, **BOTH}, headers=headers)

    assert response.status_code == (400 if headers else 200)
    assert "Enter an email address or a mobile number, not both." in response.text
    assert sent == []


@pytest.mark.parametrize(
    ("fields", "recipient"),
    [(BOTH | {"email": ""}, NUMBER), (BOTH | {"phone": ""}, ADDRESS)],
    ids=["number", "address"],
)
def test_a_blank_field_beside_a_filled_one_does_no_harm(
    client, sent, fields, recipient
):
    client.post("/login/?by=phone", {**CONSENTS, **fields})

    assert recipients_of(sent) == [recipient]


def test_a_post_without_fields_is_one_of_the_page_that_was_asked_for(client, sent):
    by_mail, by_text = client.post("/login/"), client.post("/login/?by=phone")

    assert "email" in by_mail.context["form"].errors
    assert "phone" in by_text.context["form"].errors


def test_a_script_posts_a_number_and_reads_the_channel(client, sent):
    fields = {"phone": FORMATTED, "consent_terms": True, "consent_privacy": True}
    posted = client.post("/login/", fields, "application/json", headers=JSON)
    read = client.get("/login/code/", headers=JSON)

    assert posted.status_code == 202
    expected = {"recipient": NUMBER, "channel": "sms", "expires_in": 600}
    for response in (posted, read):
        assert response.json() == {**expected, "resend_in": 60, "sent": True}


def test_a_script_learns_that_a_number_is_invalid(client, sent):
    fields = {**CONSENTS, "phone": "0201234567"}
    response = client.post("/login/", fields, "application/json", headers=JSON)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "invalid")
    assert error["fields"] == {"phone": [INVALID]}


MAIL = ["email", "spam", "inbox"]
TEXT = ["text message", "phone"]


def texts_of(client):
    """Every page of a login in progress, as text."""
    yield client.get("/login/code/")
    yield type_code(client, "wrong")
    yield type_code(client, " ")
    yield type_code(client, "what is this?!")
    yield client.post("/login/code/resend/")
    yield client.get("/login/code/")


@pytest.mark.parametrize("begin", [ask, ask_by_mail])
def test_the_code_page_speaks_of_the_channel_of_its_code(client, sent, begin):
    begin(client)

    shown = "".join(page.text for page in texts_of(client)).lower()

    alien, own = (MAIL, TEXT) if begin is ask else (TEXT, MAIL[:1])
    assert [word for word in alien if word in shown] == []
    assert [word for word in own if word not in shown] == []
    assert "member" not in shown


def test_the_code_page_has_the_texts_of_its_channel(client, sent):
    ask(client)
    page, blank = client.get("/login/code/"), type_code(client, "")

    assert page.context["channel"] == "sms"
    assert "<h1>Check your phone</h1>" in page.text
    assert f'<bdi dir="ltr"><strong>{NUMBER}</strong></bdi>' in page.text
    assert "Code from the text message</label>" in page.text
    assert "<summary>No text message?</summary>" in page.text
    assert "Check the number above" in page.text
    assert "Enter the code from the text message." in blank.text


def test_a_provider_that_knows_its_members_promises_no_code(client, settings):
    consenting.use(settings, knows_members=True)
    first = client.get("/login/?by=phone")
    ask(client)

    page = client.get("/login/code/").text

    assert "We text members a code." in first.text
    assert "If you are a member, a code is on its way to" in page
    assert "that you joined with the number above" in page


@pytest.mark.parametrize("knows_members", [True, False])
@pytest.mark.parametrize("begin", [ask, ask_by_mail])
def test_a_resend_promises_what_the_first_page_promises(
    client, settings, unlimited, begin, knows_members
):
    consenting.use(settings, knows_members=knows_members)
    begin(client)
    client.post("/login/code/resend/")

    page = client.get("/login/code/")

    assert page.context["is_resent"]
    assert "ew code is on its way" in page.text
    assert ("If you are a member, a new code" in page.text) is knows_members


def test_cancelling_leads_back_to_the_page_for_numbers(client, sent):
    ask(client, next="/there/")

    response = client.post("/login/cancel/")

    assert response.url == "/login/?by=phone&next=%2Fthere%2F"


def test_a_late_code_leads_back_to_the_number(client, sent, settings):
    ask(client)
    settings.PIGGY_VERIFY_LOGIN_TTL = 0
    response = type_code(client, RIGHT)

    page = client.get(response.url)

    assert response.url == "/login/?expired=1&by=phone"
    assert page.context["form"].initial["phone"] == NUMBER
    assert NUMBER in page.text


def test_the_page_for_addresses_does_not_show_the_number_of_an_expired_login(
    client, sent, settings
):
    ask(client)
    settings.PIGGY_VERIFY_LOGIN_TTL = 0

    assert NUMBER not in client.get("/login/").text


def test_a_limited_visitor_goes_on_with_the_number(client, sent, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    ask(client)

    page = type_code(client, "wrong")

    assert page.status_code == 429
    assert 'href="/login/?by=phone" aria-disabled="true"' in page.text


def test_a_limit_of_sends_offers_the_code_of_the_newest_text(client, sent, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {
        "send_recipient": "1/1h",
        "send_cooldown": "9/1h",
    }
    ask(client)

    page = ask(client)

    assert page.status_code == 429
    assert "Enter the code from the newest text message" in page.text
    assert page.context["start_url"] == "/login/?by=phone"


@pytest.mark.parametrize("limit", ["send_sms_ip", "send_sms_range", "send_sms_day"])
def test_a_limit_of_texts_leads_to_the_page_for_addresses(
    client, sent, settings, limit
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {limit: "1/1h"}
    ask(client)

    page = ask(client, phone="+31612345679", next="/there/")

    assert (page.status_code, page.context["limit"]) == (429, limit)
    assert page.context["email_url"] == "/login/?next=%2Fthere%2F"
    assert "Use your email address instead" in page.text
    assert ask_by_mail(client).status_code == 302


def test_another_limit_leads_to_no_other_page(client, sent, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}
    ask(client)

    page = ask(client, phone="+31612345679")

    assert page.status_code == 429
    assert "Use your email address instead" not in page.text


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_provider_that_cannot_be_created_is_an_outage(client, sent, settings, method):
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = {"unheard_of": 1}

    page = getattr(client, method)("/login/?by=phone")

    assert page.status_code == 503


OUTAGE = ProviderUnavailable("maintenance", may_depend_on_contact=False)
FAILURES = {
    "unsent": {"send_error": OUTAGE},
    "refused": {"check_error": LoginRefused("a second factor is wanted")},
}


@pytest.mark.parametrize(("page_name", "errors"), FAILURES.items(), ids=FAILURES)
@pytest.mark.parametrize("begin", [ask, ask_by_mail])
def test_a_page_about_a_failure_offers_another_recipient_of_the_same_kind(
    client, settings, page_name, errors, begin
):
    consenting.use(settings, **errors)
    begin(client)

    page = type_code(client, RIGHT)

    assert page.templates[0].name == f"piggy_verify/{page_name}.html"
    kind = "phone number" if begin is ask else "email address"
    assert f"Use a different {kind}" in page.text


def test_a_forged_post_of_a_number_leads_to_the_page_for_numbers(sent):
    page = ask(Client(enforce_csrf_checks=True))

    assert page.status_code == 403
    assert page.context["start_url"] == "/login/?by=phone"


def test_a_stranger_with_a_number_is_told_so_where_the_project_wants_this(
    client, settings
):
    consenting.use(settings, knows_members=True, send_error=ContactUnknown())
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False

    page = ask(client)

    assert page.context["form"].has_error("phone", "unknown_contact")
    assert "We know no member with this mobile number." in page.text


def test_the_number_is_hidden_in_error_reports(client, sent):
    page = ask(client, phone="0201234567")

    assert "phone" in page.wsgi_request.sensitive_post_parameters


def test_piggy_promises_a_member_what_it_did_before(client, contact):
    first = client.get("/login/")
    ask_for_code(client)

    code = client.get("/login/code/")

    assert "We email members a code. No password needed." in first.text
    assert "If you are a member, a code is on its way to" in code.text
    assert f"<strong>{ADDRESS}</strong></bdi>." in code.text
