"""Run the code of the guide to another provider, and check its tables."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from django_piggy_verify.checks.provider import check_credentials, check_options
from django_piggy_verify.exceptions import (
    CodeRejected,
    ConsentMissing,
    ContactUnknown,
    LoginRefused,
    ProviderRefused,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.models import Contact, OpenChallenge, Tally
from django_piggy_verify.providers import get_provider
from django_piggy_verify.providers.base import Challenge
from django_piggy_verify.tokens import get_auth_token
from django_piggy_verify.traits import Traits
from tests.documentation import pages
from tests.steps import ADDRESS, STRANGER, ask_for_code, is_logged_in, type_code

OPEN = {"may_depend_on_contact": False}
ENDS: dict[str, Any] = {
    "the challenge is returned": None,
    "an identity or a proof": None,
    "ContactUnknown": ContactUnknown(),
    "RecipientRefused": RecipientRefused(),
    "ConsentMissing": ConsentMissing(),
    "CodeRejected": CodeRejected(),
    "LoginRefused": LoginRefused("a second factor"),
    "ProviderUnavailable": ProviderUnavailable("down"),
    "ProviderUnavailable, open": ProviderUnavailable("down", **OPEN),
    "ProviderUnavailable, spent": ProviderUnavailable("down", spends_code=True),
    "ProviderRefused": ProviderRefused("the key"),
    "ProviderRefused, open": ProviderRefused("the key", **OPEN),
    "any other exception": KeyError("a bug"),
}
"""What a call to a provider can end with, as the tables of the guide name it."""
SEEN: dict[str, Any] = {
    "the code page": 200,
    "the next page": 302,
    "the first page": 302,
    "a field error": 200,
    "none of this package": "",
}


# The vendor in memory


@pytest.fixture
def club(modules, settings, db):
    settings.PIGGY_VERIFY_SEND_FLOOR = 0
    modules("providers")
    for block in pages.blocks("providers"):
        if block.startswith('PIGGY_VERIFY_PROVIDER = "shop.clubcards.'):
            for name, value in pages.run(block).items():
                setattr(settings, name, value)
    del settings.PIGGY_VERIFY_API_KEY
    return sys.modules["shop.clubcards"]


def test_the_provider_of_the_guide_logs_in(club, client):
    ask_for_code(client)

    type_code(client, club.CODES[ADDRESS])

    assert Contact.objects.get().uid == "card-1"
    assert is_logged_in(client)


def test_the_provider_of_the_guide_needs_no_key(club):
    assert not list(check_credentials())


def test_the_provider_of_the_guide_refuses_a_wrong_code(club, client):
    ask_for_code(client)

    page = type_code(client, "wrong")

    assert page.context["form"].has_error("code", "code_rejected")


def test_the_provider_of_the_guide_mails_nothing_to_strangers(club, client):
    ask_for_code(client, STRANGER)

    assert STRANGER not in club.CODES


def test_the_provider_of_the_guide_has_tokens(club, client):
    ask_for_code(client)
    type_code(client, club.CODES[ADDRESS])

    assert get_auth_token(User.objects.get())


# What a call can end with


@dataclass(frozen=True)
class End:
    """A row of a table of the guide."""

    name: str
    status: int
    counts: bool
    event: str


def ends(verb):
    """Return the rows of the table on this method of a provider."""
    page = [pages.parsed(pages.DOCS / "howto" / "providers.rst")]
    rows = pages.table(page, f"The end of {verb}")
    found = []
    for name, (seen, counts, event) in rows.items():
        # A note of docutils may follow the name of the event.
        word = SEEN.get(event, event.split()[0])
        found.append(End(name, SEEN.get(seen) or int(seen), counts == "yes", word))
    return [pytest.param(each, id=each.name) for each in found]


@pytest.fixture
def let(monkeypatch, club):
    """Return a function that lets a method of the provider end in this way."""

    def fail(end):
        raise ENDS[end.name]

    def end_with(verb, end):
        if ENDS[end.name]:
            monkeypatch.setattr(club.ClubCardProvider, verb, lambda *_args: fail(end))

    return end_with


def counted(limit):
    return Tally.objects.filter(key__endswith=f":{limit}", count__gt=0).exists()


def logged(caplog):
    return {getattr(each, "event_name", None) for each in caplog.records}


@pytest.mark.parametrize("end", ends("send_code"))
def test_a_send_ends_as_the_guide_says(client, caplog, let, end):
    caplog.set_level("INFO")
    let("send_code", end)

    ask_for_code(client)

    assert client.get("/login/code/").status_code == end.status
    assert counted("send_recipient") == end.counts
    assert end.event in logged(caplog)


@pytest.mark.parametrize("end", ends("check_code"))
def test_a_check_ends_as_the_guide_says(club, client, caplog, let, end):
    caplog.set_level("INFO")
    client.raise_request_exception = False
    ask_for_code(client)
    let("check_code", end)

    response = type_code(client, club.CODES[ADDRESS])

    assert response.status_code == end.status
    assert counted("check_recipient") == end.counts
    assert not end.event or end.event in logged(caplog)


def test_a_client_address_reaches_a_provider_that_wants_it(club, client, monkeypatch):
    seen = []
    traits = Traits(wants_client_address=True)
    monkeypatch.setattr(club.ClubCardProvider, "traits", traits, raising=False)
    monkeypatch.setattr(
        club.ClubCardProvider, "send_code", lambda _self, each: seen.append(each)
    )

    ask_for_code(client)

    assert [each.visitor.address for each in seen] == ["127.0.0.1"]


# The vendor whose check needs a value of the send


@pytest.fixture
def slips(modules, settings, db):
    settings.PIGGY_VERIFY_SEND_FLOOR = 0
    settings.PIGGY_VERIFY_PROVIDER = "shop.slips.SlipProvider"
    modules("providers")
    return sys.modules["shop.slips"].SLIPS


def test_the_state_of_the_guide_reaches_the_check(slips, client):
    ask_for_code(client)

    type_code(client, *slips.values())

    assert is_logged_in(client)


def test_the_state_of_the_guide_reaches_the_check_in_another_browser(slips, client):
    ask_for_code(client)
    other = Client()
    ask_for_code(other)

    type_code(other, *slips.values())

    assert is_logged_in(other)


def test_a_code_of_the_guide_is_wrong_without_the_answer_to_the_send(slips, client):
    ask_for_code(client)
    OpenChallenge.objects.all().delete()

    page = type_code(client, *slips.values())

    assert page.context["form"].has_error("code", "code_rejected")


# The vendor on the network


@pytest.fixture
def pytest_in(tmp_path):
    """Return a function that runs pytest in a folder with the modules of the guide."""
    for block in pages.blocks("providers"):
        if match := re.match(r"# (shop/\w+\.py)\n", block):
            path = tmp_path / match[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block)

    def run(folder, *words, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join([str(pages.ROOT), str(tmp_path)]),
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.stdout + done.stderr

    return run


def test_the_tests_of_a_vendor_on_the_network_pass(pytest_in, tmp_path):
    said = pytest_in(tmp_path, "--import-mode=importlib", "--rootdir", ".", "shop")

    assert re.search(r"^4 passed", said, re.MULTILINE), said


def test_a_vendor_on_the_network_passes_the_conformance_suite(pytest_in):
    said = pytest_in(
        pages.ROOT,
        *("tests/conformance", "-k", "letterbox and html"),
        CONFORMANCE_ADAPTER="shop.conformance.ADAPTER",
    )

    assert re.search(r"^\d{2,} passed, \d+ deselected", said, re.MULTILINE), said


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        pytest.param({}, "the option 'shop' is missing", id="missing"),
        pytest.param({"shpo": "17", "shop": "17"}, "no option 'shpo'", id="misspelt"),
        pytest.param({"shop": 17}, "'shop' must be a text", id="of another type"),
    ],
)
def test_the_options_of_a_vendor_on_the_network_are_checked(
    modules, settings, options, fault
):
    modules("providers")
    settings.PIGGY_VERIFY_PROVIDER = "shop.letterbox.LetterboxProvider"
    settings.PIGGY_VERIFY_PROVIDER_OPTIONS = options

    [message] = check_options()

    assert message.id == "piggy_verify.E013"
    assert fault in message.msg
    with pytest.raises(ProviderRefused, match="the options cannot be used"):
        get_provider().send_code(Challenge(recipient=ADDRESS))
