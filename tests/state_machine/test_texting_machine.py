"""
Take random steps at a vendor that has state, texts codes and wants consents.

Two browsers and a caller without a request ask for codes and type them. The vendor
fails, keys are replaced, and rows are purged. Each step must have the outcome of the
model. After each step, the tables must have what the model has. For a long run:
``pytest tests/state_machine/test_texting_machine.py --hypothesis-profile=long``.
"""

import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, settings as hypothesis_settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from django_piggy_verify import exceptions
from django_piggy_verify.login import verification
from django_piggy_verify.models import AuthToken, Consent, Contact, OpenChallenge, Tally
from tests.consenting import TEXTS
from tests.state_machine import texting_vendor
from tests.state_machine.browsing import Browser, Outcome, outcome
from tests.state_machine.counts import DAY, HOUR, MINUTE, running_in_database
from tests.state_machine.model import Promise
from tests.state_machine.test_machine import step
from tests.state_machine.texting_model import TextingModel, Visitor
from tests.state_machine.texting_vendor import (
    ANN,
    ANNS_PHONE,
    BOB,
    CHECK_ERRORS,
    EVES_PHONE,
    KINDS,
    RECIPIENTS,
    SEND_ERRORS,
    UIDS,
)

SPELLINGS = {
    ANN: ANN,
    " ANN@Example.COM": "ANN@example.com",
    ANNS_PHONE: ANNS_PHONE,
    "06 12345678": ANNS_PHONE,
    BOB: BOB,
    EVES_PHONE: EVES_PHONE,
}
_ERRORS: dict[type[Exception], Outcome] = {
    exceptions.TooManyAttempts: Outcome.LIMITED,
    exceptions.LoginRefused: Outcome.REFUSED,
    exceptions.ConsentMissing: Outcome.NO_CONSENT,
    exceptions.RecipientRefused: Outcome.NO_RECIPIENT,
    exceptions.ProviderUnavailable: Outcome.UNAVAILABLE,
}
whom = st.sampled_from(["Ann's", "Bob's"])
callers = st.sampled_from(["Ann's", "Bob's", ""])
spellings = st.sampled_from(list(SPELLINGS))
ticked = st.just(KINDS) | st.sampled_from([KINDS, KINDS[:1], ()])
kinds = st.sampled_from(["newest", "newest", "newest", "older", "oldest", "wrong"])
foreign = st.sampled_from(["", "", "", *RECIPIENTS])
pauses = st.sampled_from([0, MINUTE, MINUTE, 600, 900])
waits = st.sampled_from([5, 30, 59, MINUTE, 599, 600, 660, 900, HOUR, DAY])
at_send = st.sampled_from(["", *SEND_ERRORS])
at_check = st.sampled_from(["", *CHECK_ERRORS])

VISITORS = [
    step("ask", name=callers, typed=spellings, ticked=ticked, seconds=pauses),
    step("type_code", name=whom, kind=kinds, of=foreign),
    step("have_checked", recipient=spellings, kind=kinds, of=foreign),
    step("resend", name=whom, seconds=pauses),
    step("log_in", name=whom, typed=spellings, seconds=pauses),
    step("resend_and_type", name=whom, seconds=pauses, kind=kinds),
    step("send_and_check", recipient=spellings, seconds=pauses, kind=kinds),
]
WORLD = [
    step("guess", name=whom),
    step("log_out", name=whom),
    step("suffer", at_send=at_send, at_check=at_check),
    step("suffer", at_send=at_send, at_check=st.just("")),
    step("recover"),
    step("wait", seconds=waits),
    step("purge"),
    step("unlock", recipient=spellings),
    step("publish", kind=st.sampled_from(KINDS)),
    step("change_the_user", uid=st.sampled_from(sorted(set(UIDS.values())))),
    step("replace_the_secret_key"),
    step("replace_the_encryption_key", is_kept=st.sampled_from([True, True, False])),
]


class TextingFlow(RuleBasedStateMachine):
    """Two browsers, a caller without a request, and a vendor that fails at times."""

    def __init__(self, settings, time_machine):
        super().__init__()
        self.settings, self.clock = settings, time_machine
        self.vendor, self.model = texting_vendor.use(settings), TextingModel()
        self.browsers = {
            "Ann's": Browser("203.0.113.1", is_script=False),
            "Bob's": Browser("203.0.113.2", is_script=True),
        }
        self.logins: dict[str, Any] = dict.fromkeys(self.browsers)
        self.members: dict[str, str | None] = dict.fromkeys(self.browsers)
        self.known: dict[str, dict[str, int]] = {name: {} for name in self.browsers}
        self.devices: dict[tuple[str, str], str] = {}
        self.orphans: set[str] = set()
        self.numbers = count(1)
        self.clock.move_to(1_800_000_000, tick=False)
        self.cleanup = ExitStack()
        for model in (Session, User, Tally, OpenChallenge):
            self.cleanup.callback(model._default_manager.all().delete)

    def teardown(self):
        self.cleanup.close()

    @initialize(commits=st.booleans())
    def open_the_shop(self, commits):
        """Prepare the site. Without `commits`, all steps are in one transaction."""
        if not commits:
            self.cleanup.enter_context(transaction.atomic())
            self.cleanup.callback(transaction.set_rollback, True)
        self.settings.SESSION_COOKIE_AGE = 1000 * DAY
        self.settings.SECRET_KEY, self.settings.SECRET_KEY_FALLBACKS = "s" * 50, []
        self.settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [_new_key()]
        self.settings.PIGGY_VERIFY_CONSENTS = {k: {**v} for k, v in TEXTS.items()}

    @rule(step=st.one_of(*VISITORS * 2, *WORLD))
    def step(self, step):
        getattr(self, step.do)(**step.how)
        self.nobody_else_is_logged_in()
        self.each_contact_has_what_was_proved()
        self.consents_were_given_before_a_right_code()
        self.the_open_challenges_are_those_of_the_model()
        self.the_counts_are_those_of_the_model()

    # What is always true

    def nobody_else_is_logged_in(self):
        users = dict(Contact.objects.values_list("user", "uid"))
        for name, browser in self.browsers.items():
            uid = self.members[name]
            is_out = uid is None or uid in self.model.barred
            assert users.get(browser.user()) == (None if is_out else uid)

    def each_contact_has_what_was_proved(self):
        rows = Contact.objects.values_list("uid", "email", "phone")
        expected = [(uid, *of.values()) for uid, of in self.model.contacts.items()]
        assert sorted(rows) == sorted(expected)
        assert User.objects.count() == len(self.model.contacts)

    def consents_were_given_before_a_right_code(self):
        rows = Consent.objects.values_list(
            "contact__uid", "kind", "version", "given_at"
        )
        found = {tuple(each): at.timestamp() for *each, at in rows}
        assert found == self.model.consents

    def the_open_challenges_are_those_of_the_model(self):
        rows = OpenChallenge.objects.values_list("ends_at", flat=True)
        ends = sorted(int(each.timestamp()) for each in rows)
        assert ends == self.model.ends_of_rows()

    def the_counts_are_those_of_the_model(self):
        found = running_in_database(but=self.orphans)
        assert found == self.model.running()

    # Steps of visitors, and of a caller without a request

    def ask(self, name, typed, ticked, seconds=0):
        self.wait(seconds)
        recipient = SPELLINGS[typed]
        given = self.given(ticked)
        if name and self.is_in(name):
            promise, send = Promise(Outcome.SENT_ON), None
        elif set(ticked) != set(KINDS):
            promise, send = Promise(Outcome.NO_CONSENT), None
        else:
            visitor = self.visitor(name, recipient)
            promise, send = self.model.send(recipient.lower(), given, visitor)
        act = self.asking(name, typed, ticked)
        self.must(promise, act, name, recipient)
        if name and promise.outcome is Outcome.SENT:
            self.logins[name] = self.model.begin(recipient, given, send)
            self.look(name)

    def asking(self, name, typed, ticked):
        if not name:
            recipient = SPELLINGS[typed]
            return lambda: self.called(
                verification.send_code, recipient, consents=ticked
            )
        field = "email" if "@" in typed else "phone"
        boxes = {f"consent_{kind}": "on" for kind in ticked}
        return lambda: outcome(self.browsers[name].send("", {field: typed, **boxes}))

    def type_code(self, name, kind, of):
        login, browser = self.logins[name], self.browsers[name]
        code, sent = self.code(of or (login.key if login else ANN), kind)
        promise = self.turned_away(name)
        if promise is None and (failure := self.model.failure(login)):
            promise = Promise(failure)
        if promise is None:
            visitor = self.visitor(name, login.recipient, login=login.id)
            right = self.right(login.key, sent)
            promise = self.model.check(login.recipient, right, code, visitor)
        act = lambda: outcome(browser.send("code/", {"code": code}))  # noqa: E731
        self.must(promise, act, name, login.recipient if login else "", login)
        if promise.outcome is Outcome.SENT_ON and promise.calls:
            self.is_logged_in(name, login)
        if promise.outcome is Outcome.REFUSED:
            self.logins[name] = None
        self.close_if_used_up(name, promise)

    def have_checked(self, recipient, kind, of):
        recipient = SPELLINGS[recipient]
        code, sent = self.code(of or recipient, kind)
        right = self.right(recipient.lower(), sent)
        promise = self.model.check(recipient, right, code, Visitor())

        def act():
            return self.called(
                authenticate, None, recipient=recipient, secret_code=code
            )

        self.must(promise, act, "", recipient)

    def resend(self, name, seconds=0):
        self.wait(seconds)
        login, promise, send = self.logins[name], self.turned_away(name), None
        if promise is None and self.model.is_used_up(login.id):
            promise = Promise(Outcome.LIMITED)
        if promise is None:
            visitor = self.visitor(name, login.recipient)
            promise, send = self.model.send(login.key, login.given, visitor)
        act = lambda: outcome(self.browsers[name].send("code/resend/", {}))  # noqa: E731
        self.must(promise, act, name, login.recipient if login else "", login)
        if promise.outcome is Outcome.SENT:
            self.logins[name] = self.model.asked(login, send)
            self.look(name)
        self.close_if_used_up(name, promise)

    def look(self, name):
        """Look at the code page, which says whether the last send has failed."""
        failure = self.model.failure(self.logins[name])
        response = self.browsers[name].get("/login/code/")
        assert (response.status_code == 200) is (failure is None)
        if failure:
            assert outcome(response) is self.expected(name, failure, self.logins[name])

    def log_in(self, name, typed, seconds):
        self.log_out(name)
        self.ask(name, typed, KINDS, seconds)
        self.type_code(name, "newest", "")

    def resend_and_type(self, name, seconds, kind):
        self.have_a_login(name)
        self.resend(name, seconds)
        self.type_code(name, kind, "")

    def send_and_check(self, recipient, seconds, kind):
        self.ask("", recipient, KINDS, seconds)
        self.have_checked(recipient, kind, "")

    def guess(self, name):
        self.have_a_login(name)
        for _ in range(3):
            self.type_code(name, "wrong", "")

    def have_a_login(self, name):
        login = self.logins[name]
        if not (login and login.is_open):
            self.ask(name, ANN, KINDS)

    def log_out(self, name):
        self.browsers[name].post("/logout/")
        uid, self.members[name] = self.members[name], None
        if uid and uid not in self.model.barred:
            assert not AuthToken.objects.filter(contact__uid=uid).exists()

    # Changes outside the site

    def suffer(self, at_send, at_check):
        self.model.send_trouble = self.vendor.send_trouble = at_send
        self.model.check_trouble = self.vendor.check_trouble = at_check

    def recover(self):
        self.suffer("", "")

    def wait(self, seconds):
        self.clock.shift(seconds)

    def purge(self):
        call_command("piggy_verify_purge", verbosity=0)
        self.model.purge()

    def unlock(self, recipient):
        call_command("piggy_verify_unlock", recipient, verbosity=0)
        self.model.unlock(SPELLINGS[recipient].lower())

    def publish(self, kind):
        texts = {
            key: {**each} for key, each in self.settings.PIGGY_VERIFY_CONSENTS.items()
        }
        texts[kind]["version"] = f"v{next(self.numbers)}"
        self.settings.PIGGY_VERIFY_CONSENTS = texts

    def change_the_user(self, uid):
        """Deactivate a user, or activate the user again."""
        if uid in self.model.contacts:
            self.model.barred ^= {uid}
            users = User.objects.filter(piggy_contacts__uid=uid)
            users.update(is_active=uid not in self.model.barred)

    def replace_the_secret_key(self):
        old = [self.settings.SECRET_KEY, *self.settings.SECRET_KEY_FALLBACKS]
        self.settings.SECRET_KEY_FALLBACKS = old
        self.settings.SECRET_KEY = f"{next(self.numbers)}".rjust(50, "k")
        self.orphans = set(Tally.objects.values_list("pk", flat=True))
        self.model.lose_the_counts()

    def replace_the_encryption_key(self, is_kept):
        old = self.settings.PIGGY_VERIFY_ENCRYPTION_KEYS if is_kept else []
        self.settings.PIGGY_VERIFY_ENCRYPTION_KEYS = [_new_key(), *old]
        if not is_kept:
            self.model.lose_the_states()

    # Parts of the steps

    def must(self, promise, act, name, recipient, login=None):
        """Act, and compare the outcome and the calls with the promise."""
        done = len(self.vendor.calls)
        found = act()
        calls = self.vendor.calls[done:]
        names = [each for each, _ in calls]
        expected = self.expected(name, promise.outcome, login)
        assert Promise(found, names) == Promise(expected, promise.calls)
        for _, challenge in calls:
            assert challenge.recipient == recipient
            self.has_the_device_of(name or recipient.lower(), challenge.visitor)
            address = self.browsers[name].ip if name else ""
            assert challenge.visitor.address == address

    def has_the_device_of(self, whose, visitor):
        secret = self.settings.SECRET_KEY
        assert (
            self.devices.setdefault((secret, whose), visitor.device) == visitor.device
        )
        assert len(set(self.devices.values())) == len(self.devices)

    def expected(self, name, outcome, login):
        """
        Return what is seen of an outcome.

        JSON names the error at the field only. If a text has changed since the login
        began, the missing consent to it comes first.
        """
        is_script = name and self.browsers[name].is_script
        if not is_script or outcome is not Outcome.NO_RECIPIENT:
            return outcome
        texts = self.settings.PIGGY_VERIFY_CONSENTS
        given = login.given if login else ()
        is_old = any(texts[kind]["version"] != version for kind, version, _ in given)
        return Outcome.NO_CONSENT if is_old else Outcome.INVALID

    def called(self, function, *args, **kwargs):
        """Call a function of Python, and return the outcome."""
        try:
            result = function(*args, **kwargs)
        except tuple(_ERRORS) as error:
            return _ERRORS[type(error)]
        if function is authenticate:
            return Outcome.SENT_ON if result else Outcome.REJECTED
        return Outcome.SENT

    def is_in(self, name):
        uid = self.members[name]
        return uid is not None and uid not in self.model.barred

    def turned_away(self, name):
        if self.is_in(name):
            return Promise(Outcome.SENT_ON)
        login = self.logins[name]
        return None if login and login.is_open else Promise(Outcome.EXPIRED)

    def visitor(self, name, recipient, login=None):
        if not name:
            return Visitor()
        device = self.known[name].get(recipient.lower())
        return Visitor(ip=self.browsers[name].ip, device=device, login=login)

    def given(self, ticked):
        texts, now = self.settings.PIGGY_VERIFY_CONSENTS, int(time.time())
        return [(kind, texts[kind]["version"], now) for kind in ticked]

    def code(self, recipient, kind):
        """Return a code of that kind, and its send. A wrong code has none."""
        sent = self.vendor.codes(recipient)
        index = {"newest": 0, "older": 1, "oldest": len(sent) - 1}.get(kind, len(sent))
        if not 0 <= index < len(sent):
            return "000000", None
        return sent[index].code, sent[index]

    def right(self, key, sent):
        """Return the number of an unused send to this recipient, or None."""
        is_good = sent and sent.recipient.lower() == key and not sent.is_used
        return sent.number if is_good else None

    def is_logged_in(self, name, login):
        uid = UIDS[login.key]
        self.members[name], self.logins[name] = uid, None
        self.known[name].setdefault(login.key, next(self.numbers))
        assert AuthToken.objects.filter(contact__uid=uid).exists()

    def close_if_used_up(self, name, promise):
        """Note that a login without attempts left is over, as its page says."""
        login = self.logins[name]
        if promise.outcome is not Outcome.LIMITED or login is None:
            return
        status = self.browsers[name].get("/login/code/").status_code
        if status in {302, 409}:
            is_closed = not self.model.failure(login)
            assert not is_closed or self.model.is_used_up(login.id)
            self.logins[name] = replace(login, sent_at=0) if is_closed else login


def _new_key():
    return Fernet.generate_key().decode()


@pytest.mark.django_db(transaction=True)
def test_codes_of_a_vendor_with_state_log_in_whom_they_should(settings, time_machine):
    def flow():
        return TextingFlow(settings, time_machine)

    run_state_machine_as_test(
        flow,  # type: ignore[arg-type]  # any factory will do
        settings=hypothesis_settings(
            max_examples=max(1, hypothesis_settings().max_examples // 8),
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
