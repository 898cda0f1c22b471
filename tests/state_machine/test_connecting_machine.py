"""
Take random steps of users who connect contacts, among members who log in.

The steps, the checks and the API of `test_machine` go on meanwhile, in the same
browsers and for the same addresses. For a long run:
``pytest tests/state_machine/test_connecting_machine.py --hypothesis-profile=long``.
"""

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, settings as hypothesis_settings, strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from django_piggy_verify.models import Contact
from tests.state_machine.connecting_model import ConnectingModel
from tests.state_machine.connecting_visits import (
    CONNECTION,
    NO_CONTACTS,
    ConnectVisits,
)
from tests.state_machine.counts import DAY, MINUTE
from tests.state_machine.test_machine import (
    FLAGS,
    FOREIGN,
    THIEVES,
    VISITORS,
    WORLD,
    Flow,
    addresses,
    cookies,
    kinds,
    names,
    spellings,
    step,
    tabs,
    uids,
)
from tests.state_machine.visits import (
    EVE,
    LOGIN,
    NO_ADDRESSES,
    NO_CODES,
    OWN,
    SESSION,
    WRITINGS,
)

PASSWORD = "correct horse battery staple"
people = st.sampled_from(["shopper", "buyer", "shopper", "clerk"])
somebody = people | st.none()
targets = st.sampled_from(OWN + FOREIGN)
pauses = st.sampled_from([MINUTE, 0, MINUTE, 600, 900])
every_tab = tabs | st.sampled_from([("other", 0), ("other", 1)])

USERS = [
    step("connect", name=names, person=people, typed=spellings, seconds=pauses),
    step("connect", name=names, person=somebody, typed=spellings, seconds=pauses),
    step("log_in_by_password", name=names, person=people),
    step(
        "ask_to_connect",
        name=names,
        typed=spellings | st.sampled_from(NO_ADDRESSES),
        next_url=targets,
        person=somebody,
    ),
    step(
        "type_to_connect",
        name=names,
        tab=every_tab,
        kind=kinds | st.sampled_from(NO_CODES),
        writing=st.sampled_from(list(WRITINGS)),
        next_url=targets,
    ),
    step("resend_to_connect", name=names, tab=every_tab),
    step("cancel_connecting", name=names),
    step("open_a_tab_to_connect", name=names),
    step("look_at_the_list", name=names),
    step(
        "disconnect",
        name=names,
        uid=st.none() | uids,
        written=st.sampled_from(NO_CONTACTS),
    ),
    step("disconnect_own", name=names),
    step(
        "read_to_connect",
        name=names,
        method=st.sampled_from(["get", "head", "options"]),
        path=st.sampled_from(["", "code/", "code/resend/", "disconnect/", "link/"]),
        next_url=targets,
        address=addresses,
    ),
]
TOGETHER = [
    step(
        "connect_and_come_back",
        name=names,
        person=people,
        typed=spellings,
        seconds=st.sampled_from([DAY, MINUTE]),
    ),
    step("meet", name=names, other=names, person=people, typed=spellings),
    step("take_turns", name=names, person=people, other=somebody, typed=spellings),
    step(
        "use_a_code_twice",
        name=names,
        other=names,
        person=people,
        typed=spellings,
        connects_first=st.booleans(),
    ),
    step("part", name=names, person=somebody, typed=spellings),
    step(
        "have_two_codes",
        name=names,
        person=people,
        typed=spellings,
        seconds=pauses,
        kind=kinds,
    ),
    step("guess_to_connect", name=names, person=people, address=addresses),
    step("change_a_person", person=people, flag=st.sampled_from(["", *FLAGS])),
]
CROOKS = [
    step(
        "steal_to_connect",
        name=names,
        victim=names,
        prefix=cookies | st.just(CONNECTION),
    ),
    step(
        "forge_to_connect",
        name=names,
        person=people,
        typed=spellings,
        how=st.sampled_from(["forged", "changed", "login", "session"]),
    ),
    step("log_in_with_a_connection", name=names),
    step("entrap_to_connect", name=names, victim=names, person=people, typed=spellings),
]
MEMBERS = [*VISITORS, *WORLD, *THIEVES]


class ConnectingFlow(Flow):
    """The browsers and addresses of `Flow`, and three users with a password."""

    def __init__(self, *fixtures):
        super().__init__(*fixtures)
        self.model: ConnectingModel = ConnectingModel()
        self.connecting = ConnectVisits(self)
        self.people: dict[str, int] = {}

    @initialize(
        asks_again=st.booleans(),
        commits=st.booleans(),
        allows_staff=st.sampled_from([False, False, True]),
    )
    def open_the_shop(self, asks_again, commits, allows_staff):
        super().open_the_shop(asks_again, commits)
        self.settings.PIGGY_VERIFY_CONNECT = True
        self.settings.PIGGY_VERIFY_ALLOW_STAFF = allows_staff
        self.model.allows_staff = allows_staff
        for person in ("shopper", "buyer", "clerk"):
            user = User.objects.create_user(person, password=PASSWORD)
            self.people[person] = user.pk
        self.model.with_password = set(self.people.values())
        self.model.known |= self.model.with_password
        self.change_a_person("clerk", "is_staff")

    @rule(step=st.one_of(*TOGETHER * 2, *USERS * 3, *CROOKS, *MEMBERS))
    def step(self, step):
        getattr(self, step.do)(**step.how)
        self.nobody_is_logged_in_but_by_a_right_code(self.browsers)
        self.each_contact_has_one_user_and_others_have_none()
        self.no_user_has_two_contacts()
        self.the_counts_are_those_of_the_model()
        self.no_secret_shows()

    def no_user_has_two_contacts(self):
        owners = list(Contact.objects.values_list("user", "provider"))
        assert len(set(owners)) == len(owners)

    # Steps of users, each in one browser

    def log_in_by_password(self, name, person):
        browser, pk = self.browsers[name], self.people[person]
        before = browser.cookie(SESSION)
        is_in = browser.login(username=person, password=PASSWORD)
        assert is_in is (self.model.flags.get(pk) != "is_active")
        if is_in:
            self.model.log_in_by_password(pk, before, browser.cookie(SESSION))

    def ask_to_connect(self, name, typed, next_url="", person=None):
        """Ask for a code, as a `person` or as the user who is logged in."""
        if person:
            self.log_in_by_password(name, person)
        self.connecting.ask_for_code(name, typed, next_url)

    def type_to_connect(self, name, tab, kind, writing="plain", next_url=""):
        self.connecting.type_code(name, tab, kind, writing, next_url)

    def resend_to_connect(self, name, tab):
        self.connecting.resend(name, tab)

    def cancel_connecting(self, name):
        self.connecting.cancel(name)

    def open_a_tab_to_connect(self, name):
        self.connecting.open_a_tab(name)

    def look_at_the_list(self, name):
        self.connecting.look_at_the_list(name)

    def read_to_connect(self, **how):
        self.connecting.read(**how)

    def disconnect(self, name, uid, written):
        self.connecting.disconnect(name, uid, written)

    def disconnect_own(self, name):
        user = self.connecting.user_to_connect(self.browsers[name])
        for uid, _ in self.model.contacts_of(user):
            self.connecting.disconnect(name, uid, "")

    def connect(self, name, person, typed, seconds=0):
        """Connect a contact, as a `person` or as the user who is logged in."""
        self.wait(seconds)
        self.ask_to_connect(name, typed, person=person)
        self.type_to_connect(name, None, "right")

    # Steps in which users, members and browsers meet

    def connect_and_come_back(self, name, person, typed, seconds):
        """Connect a contact, and log in with it afterwards."""
        self.connect(name, person, typed, seconds)
        self.log_out(name)
        self.come_back(name, MINUTE, typed)

    def part(self, name, person, typed):
        """Disconnect a contact, as a `person` or as a member who has no password."""
        if person:
            self.connect(name, person, typed, MINUTE)
        else:
            self.come_back(name, MINUTE, typed)
        self.disconnect_own(name)
        self.look_at_the_list(name)

    def have_two_codes(self, name, person, typed, seconds, kind):
        self.ask_to_connect(name, typed, person=person)
        self.wait(seconds)
        self.resend_to_connect(name, None)
        self.type_to_connect(name, None, kind)

    def meet(self, name, other, person, typed):
        """Let a user and a member get the same code. The user is faster."""
        self.ask_for_code(other, typed)
        self.ask_to_connect(name, typed, person=person)
        self.type_to_connect(name, None, "right")
        self.type_code(other, None, "right")

    def take_turns(self, name, person, other, typed):
        """Let another user, or nobody, post the form and the code of a `person`."""
        self.ask_to_connect(name, typed, person=person)
        if other:
            self.log_in_by_password(name, other)
        else:
            self.log_out(name)
        self.open_a_tab_to_connect(name)
        self.type_to_connect(name, ("own", 0), "right")

    def use_a_code_twice(self, name, other, person, typed, connects_first):
        """Let a code connect and log in, at an API that accepts it again."""
        self.wait(MINUTE)
        self.suffer("codes stay good")
        self.log_out(other)
        self.ask_to_connect(name, typed, person=person)
        self.ask_for_code(other, typed)
        types = [self.type_to_connect, self.type_code]
        for browser, type_code in zip(
            (name, other) if connects_first else (other, name),
            types if connects_first else types[::-1],
            strict=True,
        ):
            type_code(browser, None, "right")

    def guess_to_connect(self, name, person, address):
        """
        Use up the attempts of a connection. They count for logins too.

        An older form of the connection has no attempts left either.
        """
        self.ask_to_connect(name, address, person=person)
        for _ in range(5):
            self.type_to_connect(name, None, "wrong")
        self.wait(MINUTE)
        self.resend_to_connect(name, ("own", 0))
        self.type_to_connect(name, ("own", 0), "right")
        self.ask_for_code(name, address)
        self.type_code(name, None, "wrong")

    def change_a_person(self, person, flag):
        pk = self.people[person]
        self.model.flag(pk, flag)
        flags = {name: usual != (name == flag) for name, usual in FLAGS.items()}
        User.objects.filter(pk=pk).update(**flags)

    # Steps of thieves

    def steal_to_connect(self, name, victim, prefix):
        for key, cookie in self.browsers[victim].cookies.items():
            if key.startswith(prefix):
                self.browsers[name].cookies[key] = cookie.value
        self.type_to_connect(name, None, "right")

    def forge_to_connect(self, name, person, typed, how):
        """Put something else into the cookie of a connection."""
        self.ask_to_connect(name, typed, person=person)
        browser = self.browsers[name]
        forgeries = {
            "changed": f"{browser.cookie(CONNECTION)[:-1]}_",
            "login": browser.cookie(LOGIN),
            "session": browser.cookie(SESSION),
        }
        browser.cookies[CONNECTION] = forgeries.get(how, "forged")
        self.type_to_connect(name, None, "right")

    def log_in_with_a_connection(self, name):
        browser = self.browsers[name]
        browser.cookies[LOGIN] = browser.cookie(CONNECTION)
        self.type_code(name, None, "right")

    def entrap_to_connect(self, name, victim, person, typed):
        """Make another browser post the connection and the code of the thief."""
        self.ask_to_connect(victim, EVE, person=person)
        self.ask_to_connect(name, typed, person=person)
        self.type_to_connect(victim, ("foreign", 0), "right")


@pytest.mark.django_db(transaction=True)
def test_the_connect_pages_keep_their_promises(
    server, settings, time_machine, log, monkeypatch
):
    def flow():
        return ConnectingFlow(server, settings, time_machine, log, monkeypatch)

    run_state_machine_as_test(
        flow,  # type: ignore[arg-type]  # any factory will do
        settings=hypothesis_settings(
            max_examples=max(1, hypothesis_settings().max_examples // 25),
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
