"""A send that the vendor refuses counts for the client address only."""

import pytest
from django.test import Client

from django_piggy_verify.exceptions import ConsentMissing, RecipientRefused
from django_piggy_verify.login import failed_sends
from django_piggy_verify.login.circuit import Circuit
from django_piggy_verify.models import Tally
from django_piggy_verify.traits import Channel, Traits
from tests.steps import JSON, ask_for_code
from tests.texting import Texter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unlimited")]

ALLOWED = 20


class Open(Texter):
    """Sends to anybody but to some."""

    traits = Traits(channels=frozenset(Channel), knows_members=False)
    calls = 0
    error: Exception = RecipientRefused()

    def send_code(self, challenge):
        type(self).calls += 1
        if challenge.recipient.startswith("refused"):
            raise self.error
        return challenge


@pytest.fixture(autouse=True)
def vendor(settings, monkeypatch):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.Open"
    monkeypatch.setattr(Open, "calls", 0)


def refuse(times, **where):
    for number in range(times):
        ask_for_code(Client(**where), f"refused{number}@example.com")


def counted():
    keys = Tally.objects.filter(count__gt=0).values_list("key", flat=True)
    return {each.partition(":")[2] for each in keys}


def test_a_refused_send_counts_nowhere_else():
    refuse(1)

    assert counted() == {"send_failed", "send_refused_ip"}


def test_after_many_refusals_a_client_address_has_to_wait():
    refuse(ALLOWED)

    answer = ask_for_code(Client(headers=JSON), "ann@example.com")

    assert answer.status_code == 429
    assert answer.json()["error"]["limit"] == "send_refused_ip"
    assert 0 < int(answer["Retry-After"]) <= 3600
    assert Open.calls == ALLOWED


def test_before_that_the_visitor_can_type_another_address_at_once(client):
    refuse(ALLOWED - 1)

    assert ask_for_code(client, "ann@example.com").status_code == 302
    assert Open.calls == ALLOWED


def test_such_a_client_address_makes_no_probe_of_an_open_circuit(client):
    refuse(ALLOWED)
    failed = failed_sends.claim("a-send")
    Circuit(Open.name).open_after(failed, windows={}, give_back=[])

    assert ask_for_code(client, "ann@example.com").status_code == 503
    assert Open.calls == ALLOWED


def test_other_client_addresses_need_not_wait():
    refuse(ALLOWED)

    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert ask_for_code(elsewhere, "ann@example.com").status_code == 302


def test_sends_that_succeed_do_not_count_as_refused(client):
    for number in range(ALLOWED + 1):
        ask_for_code(client, f"ann{number}@example.com")

    assert Open.calls == ALLOWED + 1
    assert not Tally.objects.filter(key__endswith=":send_refused_ip").exists()


def test_a_vendor_of_members_shows_no_refusal(client, monkeypatch):
    """It may refuse members only, so a refusal would tell who is one."""
    monkeypatch.setattr(Open, "traits", Traits())
    asked = [ask_for_code(client, f"{name}@example.com") for name in ("refused", "ann")]

    assert [each.url for each in asked] == ["/login/code/"] * 2
    for name in ("refused2", "ann2"):
        ask_for_code(client, f"{name}@example.com")
        assert client.get("/login/code/").status_code == 200


def test_a_refusal_that_is_hidden_counts_like_a_code_that_was_sent(client, monkeypatch):
    monkeypatch.setattr(Open, "traits", Traits())

    ask_for_code(client, "refused@example.com")

    of_sends = {"send_cooldown", "send_recipient", "send_recipient_day", "send_ip"}
    assert counted() == of_sends


def test_at_a_vendor_of_members_nothing_more_is_read(monkeypatch):
    monkeypatch.setattr(Open, "traits", Traits())

    refuse(ALLOWED + 1)

    assert Open.calls == ALLOWED + 1


def test_a_refusal_that_a_vendor_of_members_shows_counts_too(settings, monkeypatch):
    settings.PIGGY_VERIFY_HIDE_UNKNOWN_CONTACTS = False
    monkeypatch.setattr(Open, "traits", Traits())

    refuse(ALLOWED + 1)

    assert Open.calls == ALLOWED


def test_a_consent_that_a_vendor_of_members_misses_counts_too(settings, monkeypatch):
    monkeypatch.setattr(Open, "traits", Traits(consents=("terms",)))
    monkeypatch.setattr(Open, "error", ConsentMissing({"terms"}))

    for number in range(ALLOWED + 1):
        email = f"refused{number}@example.com"
        ask_for_code(Client(), email, consent_terms="on")

    assert Open.calls == ALLOWED
