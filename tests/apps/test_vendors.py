"""Numbers, consents, refusals and spent codes of an app, with Punchh and Verifik."""

import pytest

from django_piggy_verify.models import Consent, Contact
from tests.apps.steps import LOGIN, App, error
from tests.steps import ADDRESS, BOB, NUMBER, calls
from tests.views.test_consents import PRIVACY, TERMS

pytestmark = pytest.mark.django_db

BOTH = {"consent_terms": True, "consent_privacy": True}
EITHER = pytest.mark.parametrize(
    ("typed", "recipient"),
    [({"phone": "06 12345678"}, NUMBER), ({"email": ADDRESS}, ADDRESS)],
    ids=["text", "mail"],
)


class Shopper(App):
    """An app that asks for a code with both consents."""

    def begin(self, **fields):
        return self._keep(self.post(LOGIN, **BOTH, **self.kept, **fields))


@pytest.fixture
def punchh(sandbox_for, unlimited):
    return sandbox_for("punchh")


@pytest.fixture
def verifik(sandbox_for):
    return sandbox_for("verifik")


@pytest.fixture
def shopper():
    return Shopper()


def let_fail(sandbox, call, word):
    sandbox.switches.error_code = word
    sandbox.switches.fault_on = frozenset({call})


def devices(sandbox):
    """Return the ids of the device in all calls but those that have a token."""
    ids = (call.headers.get("punchh-app-device-id") for call in sandbox.calls)
    return [each for each in ids if each]


@EITHER
def test_an_app_logs_in_and_the_consents_are_kept(shopper, punchh, typed, recipient):
    asked = shopper.begin(**typed).json()
    response = shopper.type_code(punchh.last_code(recipient))

    [contact] = Contact.objects.all()
    assert asked["recipient"] == recipient
    assert asked["channel"] == ("sms" if "phone" in typed else "email")
    assert response.json()["token"] == {"key": f"token of {contact.user_id}"}
    kinds = Consent.objects.filter(contact=contact).values_list("kind", flat=True)
    assert set(kinds) == {"terms", "privacy"}


@EITHER
def test_each_missing_consent_is_named_and_nobody_is_called(punchh, typed, recipient):
    response = App().post(LOGIN, **typed)

    assert error(response) == (400, "consent_required")
    fields = response.json()["error"]["fields"]
    assert fields == {"consent_terms": [TERMS], "consent_privacy": [PRIVACY]}
    assert calls(punchh) == []


@pytest.mark.parametrize("value", [False, None, 1, "off", [], {}])
def test_what_is_not_true_is_no_consent(punchh, value):
    response = App().post(LOGIN, email=ADDRESS, **{**BOTH, "consent_terms": value})

    assert error(response) == (400, "consent_required")
    assert response.json()["error"]["fields"] == {"consent_terms": [TERMS]}


@pytest.mark.parametrize(("version", "status"), [("1", 202), ("0", 400)])
def test_an_app_can_send_the_version_that_it_shows(punchh, version, status):
    fields = {**BOTH, "consent_terms": f"version {version}"}

    assert App().post(LOGIN, email=ADDRESS, **fields).status_code == status


@pytest.mark.parametrize("phone", ["", "call me", "+31201234567", "+33612345678"])
def test_what_is_no_number_of_a_served_country_is_invalid(shopper, punchh, phone):
    response = shopper.post(LOGIN, phone=phone, **BOTH)

    assert error(response) == (400, "invalid")
    assert response.json()["error"]["fields"].keys() == {"phone"}
    assert calls(punchh) == []


def test_an_address_and_a_number_together_are_invalid(shopper, punchh):
    response = shopper.post(LOGIN, phone=NUMBER, email=ADDRESS, **BOTH)

    assert error(response) == (400, "invalid")


def test_a_refused_address_is_told_after_the_send(shopper, punchh):
    let_fail(punchh, "send", "invalid_email_format")
    asked = shopper.begin(email=ADDRESS)
    resent = shopper.resend()

    response = shopper.type_code("123456")

    assert [asked.status_code, resent.status_code] == [202, 202]
    assert error(response) == (400, "invalid")
    assert response.json()["error"]["fields"].keys() == {"email"}


def test_a_blank_code_asks_whether_the_code_was_sent(shopper, punchh):
    let_fail(punchh, "send", "invalid_phone_format")
    shopper.begin(phone=NUMBER)

    response = shopper.type_code("")

    assert response.json()["error"]["fields"].keys() == {"phone"}


def test_a_consent_that_the_vendor_misses_costs_no_attempt(shopper, punchh, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_login": 1, "check_recipient": "1/1h"}
    shopper.begin(phone=NUMBER)
    code = punchh.last_code(NUMBER)
    let_fail(punchh, "verify", "terms_and_conditions")
    missing = shopper.type_code(code)
    punchh.switches.error_code = None

    response = shopper.type_code(code)

    assert error(missing) == (400, "consent_required")
    assert missing.json()["error"]["fields"] == {"consent_terms": [TERMS]}
    assert response.status_code == 200


def test_after_a_spent_code_a_new_one_works(shopper, punchh):
    shopper.begin(phone=NUMBER)
    punchh.switches.failing_profiles = 2

    spent = shopper.type_code(punchh.last_code(NUMBER))
    shopper.resend()
    response = shopper.type_code(punchh.last_code(NUMBER))

    assert error(spent) == (503, "provider_unavailable")
    assert response.status_code == 200


def test_punchh_gets_the_same_device_for_all_apps_of_a_person(punchh):
    for _ in range(2):
        app = Shopper()
        app.begin(email=ADDRESS)
        app.type_code(punchh.last_code(ADDRESS))

    assert len(devices(punchh)) == 4
    assert len(set(devices(punchh))) == 1


def test_punchh_gets_another_device_for_another_person(punchh):
    for address in (ADDRESS, BOB):
        Shopper().begin(email=address)

    assert len(set(devices(punchh))) == 2


def test_a_cookie_of_a_browser_does_not_choose_the_device(shopper, punchh):
    Shopper().begin(email=ADDRESS)
    shopper.client.cookies["piggy_verify_browser"] = "A" * 22

    shopper.begin(email=ADDRESS)

    assert len(set(devices(punchh))) == 1


def test_a_second_factor_is_a_refusal(app, verifik):
    verifik.switches.second_factor = True

    assert error(app.log_in(verifik)) == (403, "login_refused")


def test_anybody_can_log_in_at_a_vendor_without_members(app, verifik):
    assert app.log_in(verifik, BOB).status_code == 200
    assert Contact.objects.get().email == BOB


def test_a_number_is_ignored_where_no_texts_are_sent(app, verifik):
    response = app.post(LOGIN, email=ADDRESS, phone=NUMBER, **BOTH)

    assert (response.status_code, response.json()["recipient"]) == (202, ADDRESS)
