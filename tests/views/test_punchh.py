"""The pages with Punchh: numbers, consents, refusals and spent codes over HTTP."""

import pytest

from django_piggy_verify.models import Consent, Contact
from tests.consenting import CONSENTS, ask, ask_by_mail
from tests.steps import ADDRESS, JSON, NUMBER, calls, is_logged_in, type_code
from tests.views.test_consents import PRIVACY, TERMS, boxes

pytestmark = pytest.mark.django_db

EITHER = pytest.mark.parametrize(
    ("begin", "recipient"),
    [(ask, NUMBER), (ask_by_mail, ADDRESS)],
    ids=["text", "mail"],
)
FORMATS = {ask: ("invalid_phone_format", "phone")}
FORMATS |= {ask_by_mail: ("invalid_email_format", "email")}
TERMS_MISSING = ("terms_and_conditions", {"consent_terms": [TERMS]})
PRIVACY_MISSING = ("privacy_policy", {"consent_privacy": [PRIVACY]})


@pytest.fixture
def sandbox(sandbox_for):
    return sandbox_for("punchh")


def let_fail(sandbox, call, word):
    sandbox.switches.error_code = word
    sandbox.switches.fault_on = frozenset({call})


@EITHER
def test_a_code_logs_in_and_the_consents_are_kept(client, sandbox, begin, recipient):
    begin(client)
    response = type_code(client, sandbox.last_code(recipient))

    [contact] = Contact.objects.all()
    assert response.url == "/members/"
    assert recipient in {contact.email, contact.phone}
    kinds = Consent.objects.filter(contact=contact).values_list("kind", flat=True)
    assert set(kinds) == {"terms", "privacy"}


@EITHER
def test_without_a_consent_nobody_is_called(client, sandbox, begin, recipient):
    begin(client, consent_terms="")

    assert calls(sandbox) == []


@pytest.mark.parametrize("begin", FORMATS)
def test_a_recipient_that_the_vendor_refuses_is_said_at_its_field(
    client, sandbox, begin
):
    word, name = FORMATS[begin]
    let_fail(sandbox, "send", word)
    begin(client)

    page = client.get(client.get("/login/code/").url)

    assert list(page.context["form"].errors) == [name]
    assert boxes(page) == dict.fromkeys(CONSENTS, True)


@pytest.mark.parametrize(("word", "errors"), [TERMS_MISSING, PRIVACY_MISSING])
def test_a_consent_that_the_vendor_misses_at_the_check_is_asked_for_again(
    client, sandbox, word, errors
):
    ask(client)
    let_fail(sandbox, "verify", word)

    response = client.post(
        "/login/code/", {"code": sandbox.last_code(NUMBER)}, headers=JSON
    )

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "consent_required")
    assert error["fields"] == errors


def test_a_consent_that_the_vendor_misses_costs_no_attempt(client, sandbox, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1, "check_recipient": "1/1h"}
    ask(client)
    code = sandbox.last_code(NUMBER)
    let_fail(sandbox, "verify", "terms_and_conditions")
    type_code(client, code)
    sandbox.switches.error_code = None

    type_code(client, code)

    assert is_logged_in(client)


def test_a_code_without_a_profile_is_spent_and_a_new_one_works(
    client, sandbox, unlimited
):
    ask(client)
    sandbox.switches.failing_profiles = 2

    spent = type_code(client, sandbox.last_code(NUMBER))
    client.post("/login/code/resend/", {"login": spent.context["login"]})
    type_code(client, sandbox.last_code(NUMBER))

    assert spent.status_code == 503
    assert spent.templates[0].name == "piggy_verify/spent.html"
    assert is_logged_in(client)


def test_the_page_for_numbers_speaks_to_anybody(client, sandbox):
    first, by_text = client.get("/login/"), client.get("/login/?by=phone")

    assert boxes(first) == boxes(by_text) == dict.fromkeys(CONSENTS, False)
    assert "member" not in first.text + by_text.text
