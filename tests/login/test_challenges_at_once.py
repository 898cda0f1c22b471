"""Sends, checks and purges of the same recipient meet, on every database."""

import threading
import time
from datetime import timedelta
from itertools import count

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from django_piggy_verify.exceptions import (
    LoginRefused,
    ProviderUnavailable,
    RecipientRefused,
)
from django_piggy_verify.login import verification
from django_piggy_verify.models import Consent, Contact, OpenChallenge, Tally
from django_piggy_verify.providers.base import Identity
from django_piggy_verify.traits import Channel, Traits
from tests.consenting import SETTINGS
from tests.db.between_statements import DEADLOCK
from tests.login import stateful
from tests.login.stateful import StatefulProvider
from tests.steps import ADDRESS, NUMBER, ask_for_code, is_logged_in, type_code
from tests.threads import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unlimited"),
]

KINDS = ("terms", "privacy")


class OnePerson(StatefulProvider):
    """All addresses and numbers are those of one person, who has to agree to texts."""

    name = "one"
    traits = Traits(channels=frozenset(Channel), knows_members=False, consents=KINDS)

    def check_code(self, challenge, code):
        found = super().check_code(challenge, code)
        proved = {"email": found.email, "phone": found.phone}
        return Identity(provider=self.name, uid="1", **proved)


@pytest.fixture
def vendor(settings):
    return stateful.use(settings)


@pytest.fixture
def person(settings, vendor):
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    settings.PIGGY_VERIFY_PROVIDER = f"{__name__}.OnePerson"
    return vendor


def right(code, recipient=ADDRESS):
    return authenticate(None, recipient=recipient, secret_code=code) is not None


def elsewhere(act, *args):
    """Call `act` in another thread, on a connection of its own."""
    [result] = at_once(lambda _: act(*args), [None])
    return result


def test_of_browsers_that_type_one_right_code_at_once_one_is_logged_in(
    vendor, settings, monkeypatch
):
    monkeypatch.setattr(vendor, "at_check", lambda *_: time.sleep(0.3))
    browsers = [Client() for _ in range(6)]
    ask_for_code(browsers[0])
    settings.PIGGY_VERIFY_RATE_LIMITS["send_cooldown"] = "1/60s"
    for each in browsers[1:]:
        ask_for_code(each)

    pages = at_once(lambda each: type_code(each, "code-1"), browsers)

    assert sorted(page.status_code for page in pages) == [200] * 5 + [302]
    assert sum(map(is_logged_in, browsers)) == 1
    assert len(vendor.checked) == 1
    assert not OpenChallenge.objects.exists()


def test_first_logins_by_address_and_by_number_at_once_make_one_contact(person):
    recipients = (ADDRESS, NUMBER)
    for each in recipients:
        verification.send_code(each, consents=KINDS)

    logged_in = at_once(
        lambda number: right(f"code-{number + 1}", recipients[number]), range(2)
    )

    assert logged_in == [True, True]
    [contact] = Contact.objects.all()
    assert (contact.email, contact.phone) == recipients
    assert User.objects.count() == 1
    assert sorted(Consent.objects.values_list("kind", flat=True)) == sorted(KINDS)
    assert not OpenChallenge.objects.exists()


def test_a_resend_during_the_check_of_a_right_code_leaves_no_challenge(
    vendor, monkeypatch
):
    verification.send_code(ADDRESS)
    resend = lambda *_: elsewhere(verification.send_code, ADDRESS)  # noqa: E731
    monkeypatch.setattr(vendor, "at_check", resend)

    assert right("code-1")

    assert len(vendor.sent) == 2
    assert not OpenChallenge.objects.exists()


def test_a_code_that_was_typed_during_a_failing_send_can_be_typed_again(
    vendor, monkeypatch
):
    verification.send_code(ADDRESS)
    typed = []

    def answer(*_):
        typed.append(elsewhere(right, "code-1"))
        raise ProviderUnavailable("down", may_depend_on_contact=False)

    monkeypatch.setattr(vendor, "answer", answer)
    with pytest.raises(ProviderUnavailable):
        verification.send_code(ADDRESS)

    assert typed == [False]
    assert right("code-1")


def test_after_resends_and_checks_at_once_the_newest_code_is_right(vendor):
    verification.send_code(ADDRESS)

    def act(number):
        if number % 2:
            return verification.send_code(ADDRESS).is_sent
        return right(f"code-{number // 2 + 1}")

    sent = at_once(act, range(20))[1::2]
    verification.send_code(ADDRESS)

    assert all(sent)
    assert right(vendor.sent[-1][1])
    assert not OpenChallenge.objects.exists()


class Purges:
    """Purges again and again in a thread, until the block ends."""

    def __init__(self):
        self._is_over, self.errors = threading.Event(), []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_args):
        self._is_over.set()
        self._thread.join()

    def _run(self):
        try:
            for _ in count():
                call_command("piggy_verify_purge", verbosity=0, chunk=3)
                if self._is_over.is_set():
                    return
        except Exception as error:  # noqa: BLE001  the test shows it
            self.errors.append(error)
        finally:
            connections.close_all()


def people():
    """Send a code to each of twelve people, who have expired challenges too."""
    recipients = [f"ann{number}@example.com" for number in range(12)]
    for each in recipients:
        verification.send_code(each)
    earlier = timezone.now() - timedelta(hours=1)
    keys = OpenChallenge.objects.values_list("key", flat=True)
    OpenChallenge.objects.bulk_create(
        OpenChallenge(key=key, ciphertext=b"", ends_at=earlier + timedelta(seconds=n))
        for n, key in enumerate([*keys] * 5)
    )
    return [(f"code-{n}", each) for n, each in enumerate(recipients, start=1)]


def test_right_codes_during_a_purge_log_in(vendor):
    codes = people()

    with Purges() as purges:
        logged_in = at_once(lambda each: right(*each), codes)

    assert logged_in == [True] * 12
    assert purges.errors == []
    assert not OpenChallenge.objects.exists()


def test_refused_logins_during_a_purge_are_refused(vendor, settings):
    settings.PIGGY_VERIFY_CREATE_USERS = False
    codes = people()

    def refused(each):
        with pytest.raises(LoginRefused):
            right(*each)

    with Purges() as purges:
        at_once(refused, codes)

    assert purges.errors == []
    assert not OpenChallenge.objects.exists()


def losing_a_conflict(statement):
    """Let the database undo the next such statement outside of a transaction."""
    table = connection.ops.quote_name(OpenChallenge._meta.db_table)
    conflicts = [DEADLOCK]

    def wrapper(execute, sql, *args):
        is_meant = sql.startswith(f"{statement} {table}")
        if is_meant and len(connection.atomic_blocks) < 2 and conflicts:
            raise conflicts.pop()
        return execute(sql, *args)

    return connection.execute_wrapper(wrapper)


@pytest.mark.parametrize("statement", ["INSERT INTO", "UPDATE"])
def test_a_code_can_be_typed_although_its_send_lost_a_conflict(vendor, statement):
    with losing_a_conflict(statement):
        verification.send_code(ADDRESS)

    assert right("code-1")
    assert "id" in vendor.checked[0].state


def test_a_failed_send_is_told_although_it_lost_a_conflict(vendor, monkeypatch):
    def refuse(*_):
        raise RecipientRefused

    monkeypatch.setattr(vendor, "answer", refuse)

    with losing_a_conflict("DELETE FROM"), pytest.raises(RecipientRefused):
        verification.send_code(ADDRESS)

    assert not OpenChallenge.objects.exists()
    assert not Tally.objects.filter(key__endswith=":send_cooldown", count=1).exists()


def test_a_refused_login_is_refused_although_it_lost_a_conflict(vendor, settings):
    settings.PIGGY_VERIFY_CREATE_USERS = False
    verification.send_code(ADDRESS)

    with losing_a_conflict("DELETE FROM"), pytest.raises(LoginRefused):
        right("code-1")

    assert not OpenChallenge.objects.exists()
