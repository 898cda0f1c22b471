"""Check the settings for text messages and for consents."""

import sys

import pytest
from django.core.checks import run_checks
from django.urls import reverse_lazy

from django_piggy_verify.checks.consents import check_consents
from django_piggy_verify.checks.phones import check_phones
from django_piggy_verify.providers.piggy import PiggyProvider
from django_piggy_verify.traits import Channel, Traits
from tests.checks.test_checks import Shops

TERMS = {"url": "/terms/", "version": "2026-01"}
TEXTING = Traits(channels=frozenset(Channel), consents=("terms", "privacy"))


class Texting(PiggyProvider):
    """Sends texts, and wants two consents."""

    traits = TEXTING


class TextingOnly(PiggyProvider):
    """Sends texts, and no mails."""

    traits = Traits(channels=frozenset({Channel.SMS}))


class TextingShops(Shops):
    traits = TEXTING


@pytest.fixture(autouse=True)
def texting(settings):
    """Correct settings of a project that sends texts."""
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.Texting"
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL", "BE"]
    settings.PIGGY_VERIFY_PHONE_REGION = "NL"
    settings.PIGGY_VERIFY_CONSENTS = {"terms": TERMS, "privacy": TERMS}


def reasons(check):
    """Return the reasons in the messages of a check."""
    ends = [each.msg.partition(" cannot be used: ") for each in check()]
    return [f"{name.removeprefix('PIGGY_VERIFY_')}: {end}" for name, _, end in ends]


def test_correct_settings_raise_nothing():
    found = {each.id for each in run_checks()}

    assert not found & {"piggy_verify.E014", "piggy_verify.E015"}


def test_the_checks_are_run(settings):
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["nl"]
    settings.PIGGY_VERIFY_CONSENTS = {}

    found = {each.id for each in run_checks()}

    assert {"piggy_verify.E014", "piggy_verify.E015"} <= found


# Text messages


@pytest.mark.parametrize("countries", [["NL"], ("NL", "BE", "GG"), (), None, ""])
@pytest.mark.parametrize("region", ["NL", None])
def test_countries_that_exist_are_sound(settings, countries, region):
    settings.PIGGY_VERIFY_SMS_COUNTRIES = countries
    settings.PIGGY_VERIFY_PHONE_REGION = region

    assert reasons(check_phones) == []


@pytest.mark.parametrize(
    "countries", ["NL", "NL,BE", {"NL"}, {"NL": 1}, 31, True], ids=repr
)
def test_countries_must_be_a_list(settings, countries):
    settings.PIGGY_VERIFY_SMS_COUNTRIES = countries

    assert reasons(check_phones) == ["SMS_COUNTRIES: not a list of codes."]


@pytest.mark.parametrize(
    "code", ["nl", "NLD", "XX", "001", "UK", "", "31", 31, None, ["NL"]], ids=repr
)
def test_a_code_of_no_country_is_named(settings, code):
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL", code]

    assert reasons(check_phones) == [
        f"SMS_COUNTRIES: {code!r} is not the code of a country."
    ]


def test_a_wrong_code_is_not_blamed_on_the_region(settings):
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["nl"]

    assert reasons(check_phones) == [
        "SMS_COUNTRIES: 'nl' is not the code of a country."
    ]


@pytest.mark.parametrize("region", ["DE", "nl", "", 31, ["NL"]], ids=repr)
def test_a_region_that_is_not_served_is_named(settings, region):
    settings.PIGGY_VERIFY_PHONE_REGION = region

    assert reasons(check_phones) == [
        "PHONE_REGION: it is not one of PIGGY_VERIFY_SMS_COUNTRIES."
    ]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "phonenumbers", None)

    assert reasons(check_phones) == [
        "SMS_COUNTRIES: the package phonenumbers is missing."
    ]


def test_without_countries_the_package_may_be_missing(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ()

    assert reasons(check_phones) == []


def test_a_provider_that_sends_no_texts_is_named(settings):
    settings.PIGGY_VERIFY_PROVIDER = "django_piggy_verify.providers.piggy.PiggyProvider"

    assert reasons(check_phones) == [
        "SMS_COUNTRIES: the provider sends no text messages."
    ]


def test_a_provider_that_sends_texts_only_needs_countries(settings):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.TextingOnly"
    settings.PIGGY_VERIFY_SMS_COUNTRIES = []

    assert reasons(check_phones) == [
        "SMS_COUNTRIES: it is empty, and the provider sends text messages only."
    ]


def test_the_provider_of_every_account_is_examined(settings):
    settings.PIGGY_VERIFY_PROVIDER = "tests.checks.test_checks.Shops"

    assert [each.obj for each in check_phones()] == ["north", "south", "west"]


# Consents


def consents(settings, **texts):
    settings.PIGGY_VERIFY_CONSENTS = {"terms": TERMS, "privacy": TERMS, **texts}


@pytest.mark.parametrize(
    "text",
    [
        {"url": "https://shop.example/terms", "version": "1"},
        {"url": reverse_lazy("piggy_verify:email"), "version": "v" * 64},
        {"url": "/terms/", "version": "1", "more": 1},
    ],
    ids=["other site", "lazy", "more"],
)
def test_a_text_with_url_and_version_is_sound(settings, text):
    consents(settings, terms=text, another=text)

    assert reasons(check_consents) == []


@pytest.mark.parametrize("texts", [None, [], "terms", ["terms"], 5], ids=repr)
def test_the_texts_must_be_a_dictionary(settings, texts):
    settings.PIGGY_VERIFY_CONSENTS = texts

    assert reasons(check_consents) == ["CONSENTS: not a dictionary."]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("/terms/", "is not a dictionary"),
        (None, "is not a dictionary"),
        ({}, "has no URL"),
        ({"version": "1"}, "has no URL"),
        ({"url": " ", "version": "1"}, "has no URL"),
        ({"url": 5, "version": "1"}, "has no URL"),
        ({"url": "/terms/"}, "has no version, or one that is too long"),
        ({"url": "/terms/", "version": ""}, "has no version, or one that is too long"),
        ({"url": "/terms/", "version": 1}, "has no version, or one that is too long"),
        (
            {"url": "/terms/", "version": "v" * 65},
            "has no version, or one that is too long",
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_text_without_url_or_version_is_named(settings, text, fault):
    consents(settings, terms=text)

    assert reasons(check_consents) == [f"CONSENTS: 'terms' {fault}."]


def test_a_url_with_an_unknown_name_is_named(settings):
    consents(settings, terms={"url": reverse_lazy("no-such-name"), "version": "1"})

    assert reasons(check_consents) == [
        "CONSENTS: 'terms' has a URL with an unknown name."
    ]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,a", "tel:1"])
def test_a_url_that_is_no_web_page_is_named(settings, url):
    consents(settings, terms={"url": url, "version": "1"})

    assert reasons(check_consents) == [
        "CONSENTS: 'terms' has a URL that is no web page."
    ]


@pytest.mark.parametrize("kind", [5, None, "", " ", "k" * 33], ids=repr)
def test_a_kind_that_cannot_be_stored_is_named(settings, kind):
    settings.PIGGY_VERIFY_CONSENTS |= {kind: TERMS}

    assert reasons(check_consents) == [f"CONSENTS: {kind!r} is not the kind of a text."]


def test_a_kind_that_the_provider_wants_must_be_there(settings):
    settings.PIGGY_VERIFY_CONSENTS = {"terms": TERMS}

    assert reasons(check_consents) == ["CONSENTS: the provider wants 'privacy'."]


def test_the_consents_of_every_account_are_examined(settings):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.TextingShops"
    settings.PIGGY_VERIFY_CONSENTS = {"terms": TERMS}

    assert [each.obj for each in check_consents()] == ["north", "south", "west"]


def test_a_provider_that_wants_no_consents_needs_no_texts(settings):
    settings.PIGGY_VERIFY_PROVIDER = "django_piggy_verify.providers.piggy.PiggyProvider"
    settings.PIGGY_VERIFY_CONSENTS = {}

    assert reasons(check_consents) == []
