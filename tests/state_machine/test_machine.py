"""
Take random steps of members, thieves and the API, in any order.

Each step runs on the pages, over HTTP, and on a model of the pages. Both must have the
same outcome. After each step, the invariants are checked. For a long run:
``pytest tests/state_machine/test_machine.py --hypothesis-profile=long``.
"""

from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import transaction
from django.dispatch import Signal
from hypothesis import HealthCheck, settings as hypothesis_settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from django_piggy_verify import signals
from django_piggy_verify.models import Contact, Tally
from django_piggy_verify.views.base import FlowView
from tests.state_machine.browsing import Outcome
from tests.state_machine.counts import DAY, HOUR, MINUTE, running_in_database
from tests.state_machine.upstream import KEY, TROUBLES
from tests.state_machine.visits import (
    ADDRESSES,
    ANN,
    BOB,
    DEVICE,
    EVE,
    LOGIN,
    NO_ADDRESSES,
    NO_CODES,
    OWN,
    SESSION,
    SPELLINGS,
    WRITINGS,
    Visits,
)

FOREIGN = (
    "",
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "/\t//evil.example",
    "javascript:alert(1)",
    "http://testserver@evil.example/",
)
FLAGS = {"is_active": True, "is_staff": False, "is_superuser": False}
SIGNALS = (
    *(each for each in vars(signals).values() if isinstance(each, Signal)),
    user_logged_in,
    user_login_failed,
)


@dataclass(frozen=True)
class Step:
    """One step: a method of `Flow` and its arguments."""

    do: str
    how: dict[str, Any]


def step(do, **how):
    return st.builds(Step, st.just(do), st.fixed_dictionaries(how))


names = st.sampled_from(["ann's", "bob's", "thief's"])
addresses = st.sampled_from(ADDRESSES)
spellings = st.sampled_from(list(SPELLINGS))
targets = st.sampled_from(OWN + FOREIGN)
cookies = st.sampled_from([LOGIN, SESSION, DEVICE])
kinds = st.sampled_from(["right", "right", "right", "wrong", "old", "foreign", "upper"])
# Around the waits for a probe, for the end of the circuit, and for all limits.
short_waits = st.sampled_from([5, 30, 4, 29, 59, 60])
waits = short_waits | st.sampled_from([900, 60, 1, 59, 599, 600, HOUR, DAY])
outages = [name for name, each in TROUBLES.items() if each.send is Outcome.UNAVAILABLE]
troubles = st.just("none") | st.sampled_from(list(TROUBLES))
uids = st.sampled_from(["uid-1", "uid-2", "UID-2"])
# The browser of the tab, and how many tabs were opened since. None names no login.
tabs = st.sampled_from(
    [None, ("own", 0), ("own", 1), ("own", 2), ("foreign", 0), ("foreign", 1)]
)

VISITORS = [
    step("come_back", name=names, seconds=waits, typed=spellings),
    step(
        "ask_for_code",
        name=names,
        typed=spellings | st.sampled_from(NO_ADDRESSES),
        next_url=targets,
    ),
    step(
        "type_code",
        name=names,
        tab=tabs,
        kind=kinds | st.sampled_from(NO_CODES),
        writing=st.sampled_from(list(WRITINGS)),
        next_url=targets,
    ),
    step("resend", name=names, tab=tabs),
    step("cancel", name=names),
    step("log_out", name=names),
    step("open_a_tab", name=names),
    step(
        "read",
        name=names,
        method=st.sampled_from(["get", "head", "options"]),
        path=st.sampled_from(["", "code/", "code/resend/", "cancel/", "token/"]),
        next_url=targets,
        address=addresses,
    ),
]
WORLD = [
    step("suffer", trouble=troubles),
    step(
        "have_an_outage",
        visitors=st.lists(names, min_size=1, max_size=3),
        typed=spellings,
        outage=st.sampled_from(outages),
        seconds=short_waits,
        trouble=troubles | st.sampled_from(outages),
    ),
    step("wait", seconds=waits),
    step("change_hands", address=addresses, uid=st.none() | uids),
    step("change_the_user", uid=uids, flag=st.sampled_from(["", *FLAGS])),
    step("tidy_up", address=st.none() | addresses),
]
THIEVES = [
    step("guess", name=names, address=addresses, logins=st.integers(1, 2)),
    step("keep_the_cookies", name=names),
    step("bring_back_the_cookies", name=names, back=st.integers(0, 3)),
    step("steal_a_cookie", name=names, victim=names, prefix=cookies),
    step(
        "forge_a_cookie",
        name=names,
        typed=spellings,
        prefix=cookies,
        how=st.sampled_from(["forged", "changed", "another"]),
    ),
    step("entrap", name=names, victim=names, typed=spellings),
]


class Flow(Visits, RuleBasedStateMachine):
    """Three browsers, three addresses, and an API that fails at times."""

    def __init__(self, server, settings, time_machine, log, monkeypatch):
        super().__init__(server.sandbox)
        self.server, self.settings, self.clock = server, settings, time_machine
        self.log, self.monkeypatch = log, monkeypatch
        self.jars = [deepcopy(self.browsers["thief's"].cookies)]
        self.upstream.reset()
        self.clock.move_to(1_800_000_000, tick=False)
        self.cleanup = ExitStack()
        for model in (Session, User, Tally):
            self.cleanup.callback(model._default_manager.all().delete)
        for each in SIGNALS:
            each.connect(self.hear)
            self.cleanup.callback(each.disconnect, self.hear)

    def teardown(self):
        self.cleanup.close()

    @initialize(asks_again=st.booleans(), commits=st.booleans())
    def open_the_shop(self, asks_again, commits):
        """
        Prepare the site. With `asks_again`, logged-in visitors can log in again.

        Without `commits`, all steps are in one transaction, as in tests of projects.
        Then a login takes no lease of the token.
        """
        if not commits:
            self.cleanup.enter_context(transaction.atomic())
            self.cleanup.callback(transaction.set_rollback, True)
        self.asks_again = asks_again
        name = "redirect_authenticated_user"
        self.monkeypatch.setattr(FlowView, name, not asks_again)
        self.suffer("none")
        for uid, address in (("uid-1", ANN), ("uid-2", BOB)):
            self.upstream.add_contact(address, uid=uid)
        for browser in self.browsers.values():
            session = browser.session
            session["basket"] = "full"
            session.save()
        # These users have the addresses, but no contact.
        for address in ADDRESSES:
            for flag, usual in FLAGS.items():
                fields = {"username": f"{address} {flag}", "email": address}
                User.objects.create(**fields, **{flag: not usual})
        self.others = set(User.objects.values_list("pk", flat=True))
        self.model.known |= self.others

    # One rule for all steps. Of many rules, Hypothesis switches off half in most
    # examples (swarm testing). Then few examples would log in, which takes several.
    @rule(step=st.one_of(*VISITORS * 3, *WORLD, *THIEVES))
    def step(self, step):
        getattr(self, step.do)(**step.how)
        names = [step.how["name"]] if "name" in step.how else self.browsers
        self.nobody_is_logged_in_but_by_a_right_code(names)
        self.each_contact_has_one_user_and_others_have_none()
        self.the_counts_are_those_of_the_model()
        self.no_secret_shows()

    def nobody_is_logged_in_but_by_a_right_code(self, names):
        for browser in (self.browsers[name] for name in names):
            assert browser.user() == self.model.user(browser.cookie(SESSION))

    def each_contact_has_one_user_and_others_have_none(self):
        rows = Contact.objects.values_list("uid", "user")
        assert sorted(rows) == sorted(self.model.users.items())
        assert self.others.isdisjoint(self.model.users.values())

    def the_counts_are_those_of_the_model(self):
        assert running_in_database() == self.model.running()

    def no_secret_shows(self):
        """Search pages, cookies, signals, sessions, rows and logs for secrets."""
        logged = [f"{each.getMessage()} {vars(each)}" for each in self.log]
        sessions = [each.get_decoded() for each in Session.objects.all()]
        seen = "\n".join(map(str, [*self.texts, *logged, *sessions, *self.state()]))
        self.log.clear()
        self.texts.clear()
        assert [each for each in (KEY, *self.upstream.secrets) if each in seen] == []

    def hear(self, *, request=None, **kwargs):
        inside = [vars(each) for each in kwargs.values() if hasattr(each, "__dict__")]
        self.texts += [kwargs, inside]

    # Changes outside the site

    def suffer(self, trouble):
        self.model.trouble = TROUBLES[trouble]
        self.upstream.suffer(self.model.trouble)
        is_reached = self.model.trouble.is_reached
        url = self.server.base_url if is_reached else "http://127.0.0.1:9"
        self.settings.PIGGY_VERIFY_BASE_URL = url

    def have_an_outage(self, visitors, typed, outage, seconds, trouble):
        """
        Let a send fail after the cooldown. Later, other visitors ask for a code too.

        The first visitor tries again, and types the code in the tab opened before that.
        """
        first, *others = visitors
        self.wait(MINUTE)
        self.suffer(outage)
        self.ask_for_code(first, typed)
        self.wait(seconds)
        self.suffer(trouble)
        for name in others:
            self.ask_for_code(name, typed)
        self.resend(first, None)
        self.type_code(first, ("own", 1), "right")

    def wait(self, seconds):
        self.clock.shift(seconds)

    def change_hands(self, address, uid):
        """Add, move or remove a contact, or give its mailbox to another contact."""
        self.upstream.remove_contact(address)
        if uid:
            self.upstream.add_contact(address, uid=uid)

    def change_the_user(self, uid, flag):
        pk = self.model.change(uid, flag)
        flags = {name: usual != (name == flag) for name, usual in FLAGS.items()}
        User.objects.filter(pk=pk).update(**flags)

    def tidy_up(self, address):
        """Purge, which changes no outcome, or unlock, which clears counts."""
        call_command("piggy_verify_purge", verbosity=0)
        if address:
            call_command("piggy_verify_unlock", address, verbosity=0)
            self.model.unlock(address)

    # Steps of members

    def come_back(self, name, seconds, typed):
        self.wait(seconds)
        if not self.asks_again:
            self.log_out(name)
        self.ask_for_code(name, typed)
        self.type_code(name, None, "right")

    # Steps of thieves

    def guess(self, name, address, logins):
        """Use up the attempts of several logins in progress."""
        for _ in range(logins):
            self.ask_for_code(name, address)
            for _ in range(5):
                self.type_code(name, None, "wrong")

    def keep_the_cookies(self, name):
        self.jars.append(deepcopy(self.browsers[name].cookies))

    def bring_back_the_cookies(self, name, back):
        self.browsers[name].cookies = deepcopy(self.jars[-1 - back % len(self.jars)])

    def steal_a_cookie(self, name, victim, prefix):
        for key, cookie in self.browsers[victim].cookies.items():
            if key.startswith(prefix):
                self.browsers[name].cookies[key] = cookie.value
        self.type_code(name, None, "right")

    def forge_a_cookie(self, name, typed, prefix, how):
        self.ask_for_code(name, typed)
        jar = self.browsers[name].cookies
        for key in [each for each in jar if each.startswith(prefix)]:
            others = [each.value for each in jar.values() if each.key != key] or [""]
            forgeries = {"changed": f"{jar[key].value[:-1]}_", "another": others[0]}
            jar[key] = forgeries.get(how, "forged")
        self.type_code(name, None, "right")

    def entrap(self, name, victim, typed):
        """Make another browser post the login and the code of the thief."""
        self.ask_for_code(victim, EVE)
        self.ask_for_code(name, typed)
        self.type_code(victim, ("foreign", 0), "right")


@pytest.mark.django_db(transaction=True)
def test_the_pages_keep_their_promises(
    server, settings, time_machine, log, monkeypatch
):
    def flow():
        return Flow(server, settings, time_machine, log, monkeypatch)

    run_state_machine_as_test(
        flow,  # type: ignore[arg-type]  # any factory will do
        settings=hypothesis_settings(
            max_examples=max(1, hypothesis_settings().max_examples // 25),
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
