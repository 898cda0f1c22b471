"""Refusals of a send, which lead back to the first page, and codes that are spent."""

import pytest

from django_piggy_verify.exceptions import (
    ConsentMissing,
    ProviderUnavailable,
    RecipientRefused,
)
from tests import consenting
from tests.consenting import CONSENTS, RIGHT, ask, ask_by_mail
from tests.steps import ADDRESS, JSON, NUMBER, is_logged_in, type_code
from tests.views.test_consents import PRIVACY, TERMS, boxes

pytestmark = pytest.mark.django_db

BOTH = {"consent_terms": [TERMS], "consent_privacy": [PRIVACY]}
SPENT = ProviderUnavailable("the profile cannot be read", spends_code=True)
BEGUN = {
    ask: ("by=phone&", "phone", "We cannot send a code to this mobile number."),
    ask_by_mail: ("", "email", "We cannot send a code to this email address."),
}
EITHER = pytest.mark.parametrize("begin", BEGUN)
LATER = {
    "code page": lambda client: client.get("/login/code/"),
    "code": lambda client: type_code(client, RIGHT),
    "blank code": lambda client: type_code(client, ""),
}
every_page = pytest.mark.parametrize("visit", LATER.values(), ids=LATER)


@pytest.fixture
def sent(settings):
    """The challenges that a provider gets."""
    return consenting.use(settings)


@pytest.fixture
def refused(settings):
    """Return a function that lets the provider refuse the sends."""

    def refuse(error):
        return consenting.use(settings, send_error=error)

    return refuse


@every_page
@EITHER
def test_a_refused_recipient_leads_back_to_its_field(client, refused, begin, visit):
    refused(RecipientRefused())
    begin(client, next="/there/")
    by, name, message = BEGUN[begin]

    response = visit(client)
    page = client.get(response.url)

    assert response.url.startswith(f"/login/?refused=1&{by}next=%2Fthere%2F")
    form = page.context["form"]
    assert form[name].value() in {ADDRESS, NUMBER}
    assert form["next"].value() == "/there/"
    assert list(form.errors) == [name]
    assert message in page.text
    assert boxes(page) == dict.fromkeys(CONSENTS, True)


def test_a_refusal_of_a_provider_s_own_kind_leads_back_too(client, refused):
    class NumberBarred(RecipientRefused):
        """A number that the vendor has barred."""

    refused(NumberBarred())
    ask(client)

    assert client.get("/login/code/").url.startswith("/login/?refused=1&")


def test_a_consent_to_an_older_version_is_not_kept(client, refused, settings):
    refused(RecipientRefused())
    ask(client)
    settings.PIGGY_VERIFY_CONSENTS = {"terms": {"url": "/", "version": "newer"}}

    page = client.get(client.get("/login/code/").url)

    assert boxes(page)["consent_terms"] is False


@every_page
def test_a_missing_consent_leads_back_to_its_box(client, refused, visit):
    refused(ConsentMissing({"terms"}))
    ask(client)

    response = visit(client)
    page = client.get(response.url)

    assert page.status_code == 200
    assert page.context["form"]["phone"].value() == NUMBER
    assert set(page.context["form"].errors) <= set(BOTH)
    assert page.context["form"].errors["consent_terms"] == [TERMS]
    assert boxes(page)["consent_terms"] is False


def test_who_agrees_again_gets_a_code(client, refused, settings):
    refused(ConsentMissing())
    ask(client)
    client.get(client.get("/login/code/").url)
    consenting.use(settings)

    response = ask(client)

    assert response.url == "/login/code/"
    assert client.get("/login/code/").status_code == 200


def test_a_consent_that_is_missing_at_the_check_leads_back_too(client, sent, settings):
    ask(client, next="/there/")
    consenting.misbehave(settings, check_error=ConsentMissing({"privacy"}))

    response = type_code(client, RIGHT)
    page = client.get(response.url)

    assert response.url == "/login/?missing=privacy&by=phone&next=%2Fthere%2F"
    assert page.context["form"].errors == {"consent_privacy": [PRIVACY]}
    assert boxes(page) == {"consent_terms": True, "consent_privacy": False}


def test_a_consent_that_is_missing_at_the_check_costs_no_attempt(
    client, sent, settings
):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1}
    ask(client)
    consenting.misbehave(settings, check_error=ConsentMissing())
    type_code(client, RIGHT)
    consenting.misbehave(settings, check_error=None)

    type_code(client, RIGHT)

    assert is_logged_in(client)


@pytest.mark.parametrize("kinds", [set(), {"unheard of"}])
def test_if_no_known_consent_is_named_all_are_asked_for(client, sent, settings, kinds):
    ask(client)
    consenting.misbehave(settings, check_error=ConsentMissing(kinds))

    page = client.get(type_code(client, RIGHT).url)

    assert page.context["form"].errors == BOTH
    assert boxes(page) == dict.fromkeys(CONSENTS, False)


@pytest.mark.parametrize("begin", BEGUN)
def test_a_script_learns_that_a_recipient_is_refused(client, refused, begin):
    refused(RecipientRefused())
    begin(client)
    _, name, message = BEGUN[begin]

    responses = [
        client.get("/login/code/", headers=JSON),
        client.post("/login/code/", {"code": RIGHT}, headers=JSON),
    ]

    for response in responses:
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, "invalid")
        assert list(error["fields"]) == [name]
        assert error["message"].startswith(message)


def test_a_script_learns_which_consents_are_missing(client, sent, settings):
    ask(client)
    consenting.misbehave(settings, check_error=ConsentMissing({"terms", "privacy"}))

    response = client.post("/login/code/", {"code": RIGHT}, headers=JSON)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "consent_required")
    assert error["fields"] == BOTH
    assert error["message"] == TERMS


AT_ONCE = {
    "recipient": (RecipientRefused(), {"phone": True}),
    "consent": (ConsentMissing({"terms"}), {"consent_terms": False}),
}
at_once = pytest.mark.parametrize(("error", "names"), AT_ONCE.values(), ids=AT_ONCE)


@pytest.fixture
def sent_at_once(settings):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False


@at_once
@pytest.mark.usefixtures("sent_at_once")
def test_a_send_that_is_made_at_once_shows_its_refusal(client, refused, error, names):
    refused(error)

    page = ask(client)

    assert page.status_code == 200
    assert list(page.context["form"].errors) == list(names)
    assert page.context["form"]["phone"].value() == NUMBER
    assert [boxes(page)["consent_terms"]] == list(names.values())


@at_once
@pytest.mark.usefixtures("sent_at_once")
def test_the_browser_of_a_refused_send_keeps_its_id(client, refused, error, names):
    refused(error)

    first, second = ask(client), ask(client)

    cookie = first.cookies["piggy_verify_browser"].value
    assert second.cookies["piggy_verify_browser"].value == cookie


@at_once
@pytest.mark.usefixtures("sent_at_once")
def test_a_script_learns_of_a_refusal_at_once(client, refused, error, names):
    refused(error)

    response = client.post("/login/", {**CONSENTS, "phone": NUMBER}, headers=JSON)

    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == list(names)


def test_a_page_without_boxes_says_that_a_consent_is_missing(client, refused, settings):
    refused(ConsentMissing({"terms"}))
    options = settings.PIGGY_VERIFY_PROVIDER_OPTIONS
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options | {"consents": ()}
    ask(client)

    page = client.get("/login/?missing=terms&by=phone")

    assert "We cannot send a code, because a consent is missing." in page.text


@pytest.mark.parametrize("query", ["refused=1", "missing=terms"])
def test_without_a_login_in_progress_a_link_shows_no_refusal(client, sent, query):
    page = client.get(f"/login/?{query}")

    assert not page.context["form"].is_bound
    assert "There is a problem" not in page.text


def test_a_post_to_the_link_of_a_refusal_is_a_post_like_any_other(client, refused):
    refused(RecipientRefused())
    ask(client)
    url = client.get("/login/code/").url

    page = client.post(url, {"phone": "6"})

    assert page.context["form"].has_error("phone", "invalid")
    assert page.context["form"]["phone"].value() == "6"


def test_a_link_shows_no_refusal_of_another_kind_of_recipient(client, sent):
    ask(client)

    page = client.get("/login/?refused=1")

    assert not page.context["form"].is_bound


def test_a_resend_that_lacks_a_consent_leads_back(client, sent, settings):
    ask(client)
    consenting.misbehave(settings, consents=("terms", "privacy", "age"))

    page = client.get(client.post("/login/code/resend/").url)

    assert list(page.context["form"].errors) == ["consent_age"]


@EITHER
def test_a_spent_code_leads_to_a_new_one(client, sent, settings, unlimited, begin):
    begin(client)
    consenting.misbehave(settings, check_error=SPENT)

    page = type_code(client, RIGHT)
    consenting.misbehave(settings, check_error=None)
    again = client.post("/login/code/resend/", {"login": page.context["login"]})

    assert (page.status_code, page["Retry-After"]) == (503, "30")
    assert page.templates[0].name == "piggy_verify/spent.html"
    assert "Send a new code" in page.text
    assert ("phone number" in page.text) is (begin is ask)
    assert (again.url, len(sent)) == ("/login/code/", 2)
    assert type_code(client, RIGHT).url == "/members/"


def test_a_script_gets_a_503_for_a_spent_code(client, sent, settings):
    ask(client)
    consenting.misbehave(settings, check_error=SPENT)

    response = client.post("/login/code/", {"code": RIGHT}, headers=JSON)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (503, "provider_unavailable")
    assert error["retry_after"] == 30


KINDS = [["terms"], ["privacy"], ["terms", "privacy"]]


@pytest.mark.parametrize("kinds", KINDS, ids="+".join)
def test_only_the_missing_consents_are_named_later(client, refused, kinds):
    refused(ConsentMissing(kinds))
    ask(client)

    fields = client.get("/login/code/", headers=JSON).json()["error"]["fields"]

    assert set(fields) == {f"consent_{kind}" for kind in kinds}


def test_a_code_can_be_typed_after_its_country_was_removed(client, sent, settings):
    ask(client)
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["BE"]

    type_code(client, RIGHT)

    assert is_logged_in(client)


def test_a_resend_to_a_removed_country_has_one_error(client, sent, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "9/1m"}
    ask(client)
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["BE"]

    error = client.post("/login/code/resend/", headers=JSON).json()["error"]

    assert error["code"] == "invalid"
    assert len(error["fields"]["phone"]) == 1
