"""Consents are given before a code is sent, and recorded when the code was right."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth import authenticate

from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.exceptions import ConsentMissing, LoginRefused
from django_piggy_verify.login import logins, pending, verification
from django_piggy_verify.models import Consent, Contact, OpenChallenge, Tally
from django_piggy_verify.traits import Traits
from tests.login import stateful
from tests.steps import ADDRESS

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
BOTH = ("terms", "privacy")


class Refusing(PiggyBackend):
    """Lets nobody in."""

    def can_log_in(self, request, user):
        return False


@pytest.fixture
def vendor(settings, unlimited, monkeypatch):
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "9/60s"
    # The work after a response is then done when the request is closed.
    settings.PIGGY_VERIFY_BACKGROUND = False
    settings.PIGGY_VERIFY_CONSENTS = {
        "terms": {"url": "/terms/", "version": "3"},
        "privacy": {"url": "/privacy/", "version": "2026-01"},
    }
    vendor = stateful.use(settings)
    monkeypatch.setattr(vendor, "traits", Traits(consents=BOTH))
    return vendor


def log_in(vendor, consents=BOTH):
    verification.send_code(ADDRESS, consents=consents)
    code = f"code-{len(vendor.sent)}"
    return authenticate(None, recipient=ADDRESS, secret_code=code)


def recorded():
    return sorted(Consent.objects.values_list("kind", "version", "given_at"))


@pytest.mark.parametrize("given", [[], ["terms"], ["terms", "terms", "other"]])
def test_without_every_consent_nothing_is_sent_or_counted(vendor, given):
    with pytest.raises(ConsentMissing) as caught:
        verification.send_code(ADDRESS, consents=given)

    assert caught.value.kinds == set(BOTH) - set(given)
    assert vendor.sent == []
    assert not Tally.objects.exists()
    assert not OpenChallenge.objects.exists()


def test_the_provider_gets_the_consents_at_the_send_and_at_the_check(vendor):
    log_in(vendor)

    assert vendor.sent[0][0].consents == set(BOTH)
    assert vendor.checked[0].consents == set(BOTH)


def test_a_right_code_records_the_consents_with_the_time_of_the_send(vendor):
    with time_machine.travel(NOW, tick=False) as clock:
        verification.send_code(ADDRESS, consents=BOTH)
        clock.shift(90)
        authenticate(None, recipient=ADDRESS, secret_code="code-1")

    assert recorded() == [("privacy", "2026-01", NOW), ("terms", "3", NOW)]
    assert {each.contact for each in Consent.objects.all()} == {Contact.objects.get()}


def test_a_wrong_code_records_nothing(vendor):
    verification.send_code(ADDRESS, consents=BOTH)

    authenticate(None, recipient=ADDRESS, secret_code="wrong")

    assert recorded() == []


def test_a_login_that_is_refused_records_nothing(vendor, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Refusing"]

    with pytest.raises(LoginRefused):
        log_in(vendor)

    assert recorded() == []


def test_each_version_is_recorded_once_and_the_first_time_stays(vendor, settings):
    with time_machine.travel(NOW, tick=False) as clock:
        log_in(vendor)
        clock.shift(timedelta(days=1))
        settings.PIGGY_VERIFY_CONSENTS["terms"] = {"url": "/terms/", "version": "4"}
        log_in(vendor)

    later = NOW + timedelta(days=1)
    assert recorded() == [
        ("privacy", "2026-01", NOW),
        ("terms", "3", NOW),
        ("terms", "4", later),
    ]


def test_the_version_is_the_one_that_was_shown(vendor, settings):
    verification.send_code(ADDRESS, consents=BOTH)
    settings.PIGGY_VERIFY_CONSENTS["terms"] = {"url": "/terms/", "version": "4"}

    authenticate(None, recipient=ADDRESS, secret_code="code-1")

    assert ("terms", "3") in {each[:2] for each in recorded()}


def test_a_version_that_is_too_long_stops_no_login(vendor, settings):
    settings.PIGGY_VERIFY_CONSENTS["terms"] = {"url": "/terms/", "version": "4" * 99}

    assert log_in(vendor)

    assert ("terms", "4" * 64) in {each[:2] for each in recorded()}


def test_a_consent_that_the_vendor_misses_at_the_check_uses_up_nothing(
    vendor, monkeypatch, caplog
):
    caplog.set_level("INFO")

    def miss(*_):
        raise ConsentMissing({"terms"})

    with monkeypatch.context() as patch:
        patch.setattr(vendor, "at_check", miss)
        with pytest.raises(ConsentMissing):
            log_in(vendor)

    assert not Tally.objects.filter(key__endswith=":check_recipient", count__gt=0)
    assert "consent_missing" in {each.event_name for each in caplog.records}
    assert authenticate(None, recipient=ADDRESS, secret_code="code-1")


def test_a_consent_that_the_vendor_misses_at_the_send_is_given_back(
    vendor, monkeypatch
):
    def miss(*_):
        raise ConsentMissing({"terms"})

    monkeypatch.setattr(vendor, "answer", miss)
    with pytest.raises(ConsentMissing):
        verification.send_code(ADDRESS, consents=BOTH)

    counted = Tally.objects.filter(count__gt=0).exclude(key__endswith=":send_failed")
    assert not counted.exists()
    assert not OpenChallenge.objects.exists()


def test_the_login_in_progress_keeps_the_consents_for_a_resend(vendor, rf):
    request = rf.post("/login/")
    result = verification.send_code(ADDRESS, request=request, consents=BOTH)
    login = pending.begin(request, ADDRESS, result, next_url="")
    request.COOKIES[logins.COOKIE] = str(login)
    OpenChallenge.objects.all().delete()

    found = pending.find(request)
    assert found is not None
    verification.send_again(found, request=rf.post("/login/code/resend/"))

    assert found.consents == login.consents
    assert {each.kind for each in found.consents} == set(BOTH)


def test_a_login_without_consents_cannot_have_a_code_sent_again(vendor, rf):
    request = rf.post("/login/")
    result = logins.SendResult(is_sent=True, resend_in=0)
    login = pending.begin(request, ADDRESS, result, next_url="")

    with pytest.raises(ConsentMissing):
        verification.send_again(login, request=request)
