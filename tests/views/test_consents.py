"""The consents that a provider wants before it sends a code."""

import re

import pytest
from django.forms import BooleanField, Form

from django_piggy_verify.consent_fields import ConsentField
from django_piggy_verify.forms import EmailForm, RecipientField
from django_piggy_verify.models import Consent
from django_piggy_verify.views import EmailView
from tests import consenting
from tests.consenting import CONSENTS, RIGHT, ask, ask_by_mail
from tests.steps import ADDRESS, JSON, ask_for_code, type_code

pytestmark = pytest.mark.django_db

EITHER = pytest.mark.parametrize("begin", [ask, ask_by_mail])
TERMS = "Agree to the terms and conditions."
PRIVACY = "Agree to the privacy policy."


@pytest.fixture
def sent(settings):
    """The challenges that a provider with consents gets."""
    return consenting.use(settings)


def post_json(client, **fields):
    return client.post("/login/", fields, "application/json", headers=JSON)


def boxes(page):
    """The boxes of the page, and whether each is ticked."""
    found = re.findall(r'<input type="checkbox" name="(\w+)"([^>]*)>', page.text)
    return {name: " checked" in attributes for name, attributes in found}


@pytest.mark.parametrize("by", ["", "phone"])
def test_no_box_is_ticked_beforehand(client, sent, by):
    ticked = client.get("/login/", {"by": by, **CONSENTS})

    assert boxes(ticked) == {"consent_terms": False, "consent_privacy": False}


def test_a_label_has_the_version_and_a_link_in_a_new_tab(client, sent):
    page = client.get("/login/").text

    link = '<a href="/terms/" target="_blank" rel="noopener">'
    text = "terms and conditions, version 2026-01 (opens in a new tab)</a>."
    assert f'<label for="id_consent_terms">I agree to the {link}{text}' in page
    assert "privacy policy, version 7" in page


@EITHER
def test_the_provider_gets_the_consents_and_they_are_recorded(client, sent, begin):
    begin(client)
    type_code(client, RIGHT)

    assert [each.consents for each in sent] == [{"terms", "privacy"}]
    recorded = Consent.objects.values_list("kind", "version")
    assert set(recorded) == {("terms", "2026-01"), ("privacy", "7")}


@EITHER
def test_a_box_that_is_not_ticked_is_an_error_of_its_own(client, sent, begin):
    page = begin(client, consent_terms="", consent_privacy="")

    assert page.status_code == 200
    errors = page.context["form"].errors
    assert errors == {"consent_terms": [TERMS], "consent_privacy": [PRIVACY]}
    assert f'<a href="#id_consent_terms">{TERMS}</a>' in page.text
    assert f'id="id_consent_privacy_error"><li>{PRIVACY}' in page.text
    assert 'aria-describedby="id_consent_privacy_error"' in page.text
    assert sent == []


def values(page):
    """Return what a browser posts for the boxes of the page, if they are ticked."""
    found = re.findall(r'type="checkbox" name="(\w+)" value="([^"]*)"', page.text)
    return dict(found)


def test_the_boxes_of_the_page_are_consents(client, sent):
    fields = values(client.get("/login/"))

    response = client.post("/login/", {"email": ADDRESS, **fields})

    assert set(fields) == set(CONSENTS)
    assert response.status_code == 302


@pytest.mark.parametrize("versions", [("2026-01", "2026-02"), ("1", "2"), ("1", "0")])
def test_a_box_is_no_consent_to_a_newer_version(client, sent, settings, versions):
    texts = [{"terms": {"url": "/", "version": each}} for each in versions]
    settings.PIGGY_VERIFY_CONSENTS = texts[0]
    fields = values(client.get("/login/"))
    settings.PIGGY_VERIFY_CONSENTS = texts[1]

    page = client.post("/login/", {"email": ADDRESS, **fields})

    assert page.context["form"].errors == {"consent_terms": [TERMS]}
    assert boxes(page)["consent_terms"] is False
    assert f"terms and conditions, version {versions[1]}" in page.text
    assert sent == []


def test_a_missing_consent_is_not_counted(client, sent, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_ip": "1/1h"}

    refused = [ask(client, consent_terms="").status_code for _ in range(3)]

    assert refused == [200] * 3
    assert ask(client).status_code == 302


def test_a_box_stays_ticked_after_the_error_of_another_field(client, sent):
    page = ask(client, email="ann", consent_privacy="")

    assert boxes(page) == {"consent_terms": True, "consent_privacy": False}
    assert list(page.context["form"].errors) == ["email", "consent_privacy"]


@pytest.mark.parametrize("value", ["on", "true", "1"])
def test_these_values_of_a_form_are_a_consent(client, sent, value):
    assert ask(client, consent_terms=value).status_code == 302


NO = ["", "off", "false", "False", "0", "no", "null", "None", "TRUE", "yes", "On", " 1"]


@pytest.mark.parametrize("value", NO)
def test_no_other_value_of_a_form_is_a_consent(client, sent, value):
    page = ask(client, consent_terms=value)

    assert list(page.context["form"].errors) == ["consent_terms"]
    assert sent == []


@pytest.mark.parametrize("value", [True, "true", "on", "1"])
def test_these_values_in_json_are_a_consent(client, sent, value):
    fields = {"consent_terms": value, "consent_privacy": True}

    assert post_json(client, email=ADDRESS, **fields).status_code == 202


NO_IN_JSON = [*NO, False, None, 0, 1, 2, 1.0, -1, [], [True], {}, {"true": True}]


@pytest.mark.parametrize("value", NO_IN_JSON, ids=repr)
def test_no_other_value_in_json_is_a_consent(client, sent, value):
    fields = {"consent_terms": value, "consent_privacy": True}
    response = post_json(client, email=ADDRESS, **fields)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "consent_required")
    assert error["fields"] == {"consent_terms": [TERMS]}
    assert sent == []


def test_true_is_no_value_of_another_field(client, sent):
    response = post_json(client, email=True)

    assert response.json()["error"]["fields"]["email"] == ["Enter your email address."]


CODES = {
    "address and consents": ({"email": "ann"}, "invalid"),
    "number and consents": ({"phone": "6"}, "invalid"),
    "all consents": ({"email": ADDRESS}, "consent_required"),
    "one consent": ({"email": ADDRESS, "consent_terms": True}, "consent_required"),
    "nothing typed": ({}, "invalid"),
}


@pytest.mark.parametrize(("fields", "code"), CODES.values(), ids=CODES)
def test_the_code_of_several_errors_is_that_of_the_first_field(
    client, sent, fields, code
):
    error = post_json(client, **fields).json()["error"]

    assert error["code"] == code
    wanted = {"consent_terms", "consent_privacy"} - set(fields)
    assert wanted <= set(error["fields"])
    assert error["message"] == next(iter(error["fields"].values()))[0]


LINKS = ["/terms/", "terms/", "http://shop.example/", "HTTPS://shop.example/a?b=1"]
LINKS += ["//shop.example/terms", "?terms", "#terms", "/a:b", "terms"]
NO_LINKS = ["javascript:alert(1)", "JavaScript:alert(1)//https://shop.example/"]
NO_LINKS += [" javascript:alert(1)", "java\nscript:alert(1)", "\x01javascript:alert(1)"]
NO_LINKS += ["data:text/html,hello", "vbscript:x", "mailto:ann@example.com", ""]


def label_with(settings, url):
    settings.PIGGY_VERIFY_CONSENTS = {"terms": {"url": url, "version": "1"}}
    return str(ConsentField("terms").label)


@pytest.mark.parametrize("url", LINKS)
def test_the_url_of_a_web_page_becomes_a_link(settings, url):
    assert f'<a href="{url}" target' in label_with(settings, url)


@pytest.mark.parametrize("url", NO_LINKS, ids=ascii)
def test_another_url_becomes_no_link(settings, url):
    label = label_with(settings, url)

    assert label == "I agree to the terms and conditions, version 1."


def test_url_and_version_are_escaped(settings):
    text = {"url": '/"><script>', "version": "<b>{end}"}
    settings.PIGGY_VERIFY_CONSENTS = {"terms": text}

    label = str(ConsentField("terms").label)

    assert 'href="/&quot;&gt;&lt;script&gt;"' in label
    assert "version &lt;b&gt;{end} (opens" in label


def test_a_setting_that_lacks_a_text_breaks_no_page(client, sent, settings):
    settings.PIGGY_VERIFY_CONSENTS = {}

    assert boxes(client.get("/login/")) == dict.fromkeys(CONSENTS, False)


def test_a_consent_of_another_kind_has_its_name(client, settings):
    consenting.use(settings, consents=("receipts & offers",))

    page, missing = client.get("/login/"), client.post("/login/")

    assert "I agree to receipts &amp; offers, version" in page.text
    assert "Agree to receipts &amp; offers." in missing.text


class FormOfAProject(EmailForm):
    consent_terms = BooleanField(label="Yes to everything")


def test_a_project_can_ask_with_a_field_of_its_own(sent):
    form = FormOfAProject({"email": ADDRESS, **CONSENTS})

    assert form.fields["consent_terms"].label == "Yes to everything"
    assert form.is_valid()


class FormWithoutBoxes(Form):
    email = RecipientField()


class FormWithALooseBox(EmailForm):
    consent_terms = BooleanField(required=False)


@pytest.mark.parametrize("form_class", [FormWithoutBoxes, FormWithALooseBox])
@pytest.mark.parametrize("headers", [{}, JSON], ids=["html", "json"])
def test_a_form_of_a_project_gives_no_consent_that_is_not_ticked(
    client, sent, monkeypatch, form_class, headers
):
    monkeypatch.setattr(EmailView, "form_class", form_class)
    fields = {"email": ADDRESS, "consent_privacy": "on"}

    response = client.post("/login/", fields, headers=headers)

    assert response.status_code == (400 if headers else 200)
    assert "a consent is missing" in response.text or PRIVACY in response.text
    assert sent == []


def test_without_consents_the_fields_are_ignored(client, contact):
    response = ask_for_code(client, consent_terms="false")

    assert response.url == "/login/code/"
    assert boxes(client.get("/login/")) == {}
