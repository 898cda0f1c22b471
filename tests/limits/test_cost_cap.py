"""Send text messages with many processes and threads at once, up to the cost cap."""

import logging
from collections import Counter
from contextlib import contextmanager
from functools import partial
from threading import get_ident

import pytest
from django.conf import settings

from django_piggy_verify.exceptions import RecipientRefused, TooManyAttempts
from django_piggy_verify.login import verification
from django_piggy_verify.models import Tally
from tests.limits.workers import Workers
from tests.steps import UNLIMITED

pytestmark = pytest.mark.django_db(transaction=True)

PROCESSES, THREADS = 4, 16
CAP = 50


@pytest.fixture(scope="module")
def workers(django_db_setup):
    with Workers(PROCESSES, THREADS) as workers:
        yield workers


def count_of(limit):
    return Tally.objects.get(key__endswith=f":{limit}").count


def send(number, provider="Texter"):
    """Return what has become of a text, and how many errors this call has logged."""
    settings.PIGGY_VERIFY_PROVIDER = f"tests.texting.{provider}"
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"send_sms_day": f"{CAP}/1d"}
    outcome = "sent"
    with listening() as listener:
        try:
            # The numbers are of three ranges, so several rows are hot.
            verification.send_code(f"+3161234{number % 3}{number:03}")
        except (TooManyAttempts, RecipientRefused) as error:
            outcome = type(error).__name__
    return outcome, listener.number


class Listener(logging.Handler):
    """Counts the errors about the cost cap that this thread logs."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.thread, self.number = get_ident(), 0

    def emit(self, record):
        is_mine = record.thread == self.thread
        self.number += is_mine and vars(record)["event_name"] == "cost_cap_reached"


@contextmanager
def listening():
    logger, listener = logging.getLogger("django_piggy_verify"), Listener()
    logger.addHandler(listener)
    try:
        yield listener
    finally:
        logger.removeHandler(listener)


def test_the_cap_is_exact_and_is_logged_once(workers):
    done = workers.do(send, 320)

    outcomes = Counter(outcome for outcome, _ in done)
    assert outcomes == {"sent": CAP, "TooManyAttempts": 320 - CAP}
    assert count_of("send_sms_day") == CAP
    assert sum(logged for _, logged in done) == 1


def test_the_cap_is_exact_while_texts_are_given_back(workers):
    """The provider refuses every fifth number openly."""
    done = workers.do(partial(send, provider="Picky"), 320)

    outcomes = Counter(outcome for outcome, _ in done)
    assert outcomes.keys() == {"sent", "TooManyAttempts", "RecipientRefused"}
    assert outcomes["sent"] == count_of("send_sms_day") <= CAP


def send_all_kinds(number):
    """Send to an address or a number, each of them one after another."""
    settings.PIGGY_VERIFY_PROVIDER = "tests.texting.Texter"
    settings.PIGGY_VERIFY_SMS_COUNTRIES = ["NL"]
    settings.PIGGY_VERIFY_RATE_LIMITS = UNLIMITED | {"send_day": f"{CAP}/1d"}
    recipient = f"+31612{number:05}1" if number % 2 else f"ann{number}@example.com"
    try:
        return verification.send_code(recipient).is_sent
    except TooManyAttempts:
        return False


def test_the_limit_of_all_sends_is_exact_too(workers):
    sent = workers.do(send_all_kinds, 128)

    assert sum(sent) == count_of("send_day") == CAP
