"""Run the attack of benchmarks/guessing.py with fewer browsers."""

import pytest
from django.contrib.auth import authenticate

from benchmarks import guessing
from django_piggy_verify.exceptions import TooManyAttempts
from tests.steps import ADDRESS, UNLIMITED

BROWSERS = 15
HOURS = [guessing.GREEDY[hour] for hour in (0, 1, 2, 23)]


@pytest.fixture
def attack(piggy_sandbox, settings):
    settings.PIGGY_VERIFY_TRUSTED_PROXY_COUNT = 1
    return lambda: guessing.attack(piggy_sandbox, HOURS, browsers=BROWSERS)


@pytest.mark.django_db(transaction=True)
def test_an_attacker_gets_twenty_guesses_a_day(attack):
    outcome = attack()

    assert outcome.tried == len(HOURS) * BROWSERS
    assert outcome.most_in_a_day() == len(outcome.heard) == guessing.DAILY


@pytest.mark.django_db(transaction=True)
def test_without_limits_an_attacker_gets_every_guess(attack, settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED

    outcome = attack()

    assert len(outcome.heard) > guessing.DAILY
    assert not guessing.report("unlimited", outcome, guessing.DAILY)


class Forgetful:
    """A provider that returns nothing for a wrong code, in place of an error."""

    name = "forgetful"

    def check_code(self, challenge, code):
        """Return no identity."""


@pytest.mark.django_db
def test_a_provider_that_returns_nothing_leaves_the_attempts_counted(settings):
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.Forgetful"
    settings.PIGGY_VERIFY_RATE_LIMITS = {"check_recipient": "2/1h"}
    for code in ("111111", "222222"):
        with pytest.raises(TypeError, match="no identity"):
            authenticate(recipient=ADDRESS, secret_code=code)

    with pytest.raises(TooManyAttempts):
        authenticate(recipient=ADDRESS, secret_code="333333")
