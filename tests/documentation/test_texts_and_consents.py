"""Run the code of the guides to text messages and consents."""

import csv
import io
from importlib import import_module

import pytest
from django.contrib.auth.models import User
from django.test import Client
from docutils import nodes

from django_piggy_verify import phones
from django_piggy_verify.conf import DEFAULT_RATE_LIMITS
from django_piggy_verify.providers.base import Identity
from tests.documentation import pages
from tests.steps import (
    ADDRESS,
    JSON,
    NUMBER,
    ask_for_code,
    is_logged_in,
    log_in,
    type_code,
)

CONSENTS = {"consent_terms": "on", "consent_privacy": "on"}


def block_with(word, page, of="python"):
    [found] = [each for each in pages.blocks(page, of=of) if word in each]
    return found


def cells_of(table):
    for row in table.findall(nodes.row):
        yield [cell.astext() for cell in row.findall(nodes.entry)]


def names_with(word, page="consents"):
    return pages.run(block_with(word, page))


@pytest.fixture
def sandbox(sandbox_for, db):
    return sandbox_for("punchh")


@pytest.fixture
def ann(sandbox, client):
    """A user who has agreed to the first version of both texts."""
    log_in(client, sandbox, **CONSENTS)
    return User.objects.get()


# Text messages


def test_the_settings_of_the_guide_accept_numbers(sandbox, client, settings):
    for name, value in names_with("SMS_COUNTRIES", "text-messages").items():
        if name.startswith("PIGGY_VERIFY_"):
            setattr(settings, name, value)

    client.post("/login/", {"phone": "06 12345678", **CONSENTS})
    type_code(client, sandbox.last_code(NUMBER))

    assert is_logged_in(client)


@pytest.mark.parametrize(
    ("typed", "country", "accepted"),
    [
        ("06 12345678", "NL", NUMBER),
        ("0031 6 12345678", "NL", NUMBER),
        ("+31 (6) 1234-5678", "NL", NUMBER),
        ("\uff10\uff16 12345678", "NL", NUMBER),
        ("+1 876 509 2345", "US", None),
        ("+44 7781 123456", "GB", None),
        ("06 12345678 x5", "NL", None),
        ("tel:+31612345678", "NL", None),
    ],
)
def test_numbers_are_read_as_the_guide_says(typed, country, accepted):
    try:
        found = phones.normalise(typed, countries=[country], region=country)
    except ValueError:
        found = None

    assert found == accepted


def test_the_guide_names_the_limits_of_texts_with_their_numbers():
    text = " ".join((pages.DOCS / "howto/text-messages.rst").read_text().split())

    for name in ("send_sms_ip", "send_sms_range", "send_sms_day"):
        number = str(DEFAULT_RATE_LIMITS[name]).partition("/")[0]
        assert f":limit:`{name}`: {number} texts in " in text


def test_the_guide_has_the_figures_of_the_benchmark():
    guide, results = (
        pages.parsed(pages.ROOT / path)
        for path in ("docs/howto/text-messages.rst", "benchmarks/results.rst")
    )
    measured = {
        name: value.removesuffix(" texts")
        for table in results.findall(nodes.table)
        for name, *_, value, _goal in cells_of(table)
    }

    for name, (day, worst) in pages.table([guide], "Attacker").items():
        assert measured[f"{name}: a day"] == day
        assert measured[f"{name}, patient: worst 24 hours"] == worst


def test_the_template_of_the_guide_tells_texts_from_mails(
    sandbox, client, settings, tmp_path
):
    block = block_with("channel", "text-messages", of="html+django")
    path = tmp_path / "piggy_verify" / "code.html"
    path.parent.mkdir()
    path.write_text(block.partition("\n")[2])
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    client.post("/login/", {"phone": NUMBER, **CONSENTS})

    assert "Look at your phone" in client.get("/login/code/").text


def test_a_person_with_a_number_only_gets_an_address_that_cannot_exist(db):
    backend = names_with("NumberBackend", "users")["NumberBackend"]()
    identity = Identity(provider="punchh", uid="1001", phone=NUMBER)

    user = backend.admit(None, identity)

    assert user.email == "punchh-1001@no-mail.invalid"


# Consents


def test_the_consents_of_a_user_are_read_as_the_guide_shows(ann):
    found = names_with("def consents_of")["consents_of"](ann)

    assert [(kind, version) for kind, version, _at in found] == [
        ("privacy", "1"),
        ("terms", "1"),
    ]


def test_all_consents_are_exported_as_the_guide_shows(ann):
    file = io.StringIO()

    names_with("def export_consents")["export_consents"](file)

    rows = list(csv.DictReader(file.getvalue().splitlines()))
    assert {row["kind"] for row in rows} == {"terms", "privacy"}
    assert {row["contact__provider"] for row in rows} == {"punchh"}


@pytest.mark.parametrize(("version", "count"), [("1", 0), ("2", 1)])
def test_the_guide_finds_who_has_not_agreed_to_a_version(ann, version, count):
    User.objects.create_user("staff")

    found = names_with("def users_without")["users_without"]("terms", version)

    assert found.count() == count


def test_a_new_version_is_recorded_at_the_next_login(ann, sandbox, settings):
    settings.PIGGY_VERIFY_CONSENTS = {
        kind: {"url": "/", "version": "2"} for kind in ("terms", "privacy")
    }
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_cooldown": "9/1s"}

    log_in(Client(), sandbox, **CONSENTS)

    versions = ann.piggy_contacts.get().consents.values_list("version", flat=True)
    assert sorted(versions) == ["1", "1", "2", "2"]


@pytest.fixture
def club(modules, settings, monkeypatch, db):
    """A provider that wants the consents of the guide, and its form."""
    modules("providers")
    slips = import_module("shop.slips")
    monkeypatch.setattr(slips.SlipProvider, "traits", names_with("TRAITS =")["TRAITS"])
    settings.PIGGY_VERIFY_PROVIDER = "shop.slips.SlipProvider"
    settings.PIGGY_VERIFY_CONSENTS = {
        kind: {"url": f"/{kind}/", "version": "1"} for kind in ("terms", "age")
    }
    settings.ROOT_URLCONF = tuple(names_with("ClubEmailForm")["urlpatterns"])
    return slips


def test_a_consent_of_your_own_has_your_label(club, client):
    page = client.get("/login/")

    assert "I am 18 or older." in page.text
    assert "terms and conditions" in page.text


def test_a_consent_of_your_own_is_required(club, client):
    page = ask_for_code(client, consent_terms="on")

    assert page.context["form"].errors == {"consent_age": ["Only adults can log in."]}
    assert not club.SLIPS


def test_a_consent_of_your_own_has_a_code_sent(club, client):
    ask_for_code(client, consent_terms="on", consent_age="on")

    assert club.SLIPS


def test_a_script_consents_as_the_guide_shows(sandbox, client):
    body = block_with("consent_terms", "consents", of="json")

    response = client.post("/login/", body, "application/json", headers=JSON)

    assert response.status_code == 202
    assert sandbox.mails


@pytest.mark.parametrize("text", ["yes", "false", "0"])
def test_a_text_that_the_guide_calls_no_consent_is_none(sandbox, client, text):
    assert f'``"{text}"``' in (pages.DOCS / "howto/consents.rst").read_text()

    response = client.post(
        "/login/",
        {"email": ADDRESS, **dict.fromkeys(CONSENTS, text)},
        "application/json",
        headers=JSON,
    )

    assert response.json()["error"]["code"] == "consent_required"
    assert not sandbox.mails
