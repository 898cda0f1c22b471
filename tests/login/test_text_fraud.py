"""Run the attacks of benchmarks/texts.py in fewer steps."""

import pytest

from benchmarks import texts
from benchmarks.texts import ATTACKERS

pytestmark = pytest.mark.django_db

EVERY_NUMBER, ONE_RANGE, ONE_NUMBER, *_ = ATTACKERS


@pytest.fixture(autouse=True)
def texter(settings):
    settings.PIGGY_VERIFY_PROVIDER = "benchmarks.texts.Texter"
    settings.PIGGY_VERIFY_BACKGROUND = False
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]


@pytest.mark.parametrize(
    ("attacker", "most"),
    [(EVERY_NUMBER, 500), (ONE_RANGE, 240), (ONE_NUMBER, 10)],
    ids=["every number", "one range", "one number"],
)
def test_the_limits_let_a_fixed_number_of_texts_through_in_a_day(attacker, most):
    assert len(texts.attack(attacker, every=texts.HOUR)) == most == attacker.daily


def test_two_windows_of_a_day_may_meet():
    times = texts.attack(EVERY_NUMBER, every=texts.HOUR, is_patient=True)

    assert texts.most_in_a_day(times) == 2 * 500 - 1


def test_with_a_higher_cap_more_texts_leave(settings):
    settings.PIGGY_VERIFY_RATE_LIMITS = {"send_sms_day": "600/1d"}

    assert len(texts.attack(EVERY_NUMBER, every=texts.HOUR)) == 600
