"""Run the attack of benchmarks/guessing.py with fewer browsers."""

import pytest

from benchmarks import guessing
from tests.steps import UNLIMITED

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
