"""Connections, disconnections and logins that meet, on every database."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import ClassVar

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.http import HttpRequest
from django.test import Client

from django_piggy_verify import connecting
from django_piggy_verify.backends import PiggyBackend
from django_piggy_verify.exceptions import ContactTaken, ContactUnknown, OnlyWayIn
from django_piggy_verify.login.counted_checks import CheckedCode
from django_piggy_verify.models import AuthToken, Contact, Tally
from django_piggy_verify.providers.base import Identity, Proof
from django_piggy_verify.tokens import get_auth_token
from django_piggy_verify.traits import Traits
from tests.connecting.steps import DISCONNECT, MODEL_BACKEND, ask, browser_of, type_code
from tests.limits.workers import ISOLATION_LEVELS, Workers
from tests.steps import (
    ADDRESS,
    ask_for_code,
    is_logged_in,
    type_code as type_login_code,
)
from tests.threads import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unlimited"),
]

ROUNDS = 5
ACCOUNTS = ("north", "south")
ACCOUNT = ContextVar("ACCOUNT", default="north")
"""The account of the vendor that a thread uses now."""

PROVIDER = f"{__name__}.Trusting"


class Trusting:
    """A vendor with two accounts to whom every code is right, after a while."""

    name = "north"
    traits = Traits()

    def __init__(self):
        self.name = ACCOUNT.get()

    @staticmethod
    def each_account():
        for each in ACCOUNTS:
            ACCOUNT.set(each)
            yield each
        ACCOUNT.set("north")

    def send_code(self, challenge):
        return challenge

    def check_code(self, challenge, code):
        time.sleep(0.05)
        recipient = challenge.recipient
        return Identity.of(recipient, provider=self.name, uid=recipient)

    def fetch_auth_token(self, uid):
        time.sleep(0.02)
        return "token"


@pytest.fixture(scope="module")
def workers(django_db_setup):
    with Workers() as workers:
        yield workers


@pytest.fixture(autouse=True)
def _trusting(settings):
    settings.PIGGY_VERIFY_PROVIDER = PROVIDER


def new_user(name):
    found = User(username=name)
    found.set_password("secret-words")
    found.save()
    return found


def asking(user, address=ADDRESS):
    """Return a function that types the code that was sent to a user."""
    browser = browser_of(user)
    ask(browser, address)
    return partial(type_code, browser, f"code-{user.pk}-{address}")


def call(act):
    return act()


def statuses(pages):
    return sorted(page.status_code for page in pages)


def test_of_users_who_connect_a_contact_at_once_one_gets_it():
    users = [new_user(f"user-{n}") for n in range(6)]

    pages = at_once(call, [asking(user) for user in users])

    assert statuses(pages) == [302] + [409] * 5
    winner = [page.status_code for page in pages].index(302)
    assert Contact.objects.get().user == users[winner]


def test_of_contacts_that_a_user_connects_at_once_one_is_connected():
    user = new_user("user")
    typing = [asking(user, f"ann{n}@example.com") for n in range(6)]

    pages = at_once(call, typing)

    assert statuses(pages) == [302] + [409] * 5
    assert Contact.objects.get().user == user


def test_a_contact_that_a_user_connects_several_times_at_once_is_connected_once():
    user = new_user("user")
    browsers = [browser_of(user) for _ in range(6)]
    for each in browsers:
        ask(each)
    typing = [partial(type_code, b, f"code-{n}") for n, b in enumerate(browsers)]

    pages = at_once(call, typing)

    assert statuses(pages) == [302] * 6
    assert Contact.objects.get().user == user


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_connection_and_a_first_login_at_once_agree_on_the_user(_round):
    user, visitor = new_user("user"), Client()
    connecting = asking(user)
    ask_for_code(visitor)

    connected, _ = at_once(
        call, [connecting, partial(type_login_code, visitor, "another-code")]
    )

    contact = Contact.objects.get()
    assert is_logged_in(visitor)
    assert visitor.session["_auth_user_id"] == str(contact.user_id)
    assert connected.status_code == (302 if contact.user == user else 409)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_connection_during_the_deletion_of_its_user_leaves_no_contact(_round):
    user = new_user("user")
    connecting = asking(user)

    def delete():
        time.sleep(0.05)
        try:
            User.objects.filter(pk=user.pk).delete()
        except IntegrityError:
            # The contact was stored after Django had looked for it.
            User.objects.filter(pk=user.pk).delete()

    page, _ = at_once(call, [connecting, delete])

    assert page.status_code in {302, 403}
    assert not Contact.objects.exists()


def change_counts(_error):
    """Write before anything is read, like the settling of a check."""
    Tally.objects.update(count=1)


def connect_one(user_ids, number, provider=PROVIDER):
    """Return whether a process could connect a contact, which twelve users want."""
    settings.PIGGY_VERIFY_PROVIDER = provider
    request = HttpRequest()
    request.user = User.objects.get(pk=user_ids[number])
    uid = str(number // 12)
    proof = Proof(identity=Identity(provider="north", uid=uid, email=ADDRESS))
    checked = CheckedCode(proof, (), change_counts)
    try:
        connecting.connect(checked, request=request)
    except ContactTaken:
        return False
    return True


@pytest.mark.parametrize("options", ISOLATION_LEVELS[connection.vendor])
def test_a_contact_gets_one_user_at_every_isolation_level(workers, options):
    users = [new_user(f"user-{n}") for n in range(120)]

    connected = workers.do(
        partial(connect_one, [each.pk for each in users]), len(users), **options
    )

    assert sum(connected) == Contact.objects.count() == 10


# Disconnections.


def with_contacts(user, *providers):
    return [
        Contact.objects.create(
            user=user, provider=each, uid=user.pk, verified_at="2026-01-01T00:00Z"
        )
        for each in providers
    ]


def post_disconnect(browser, contact):
    return browser.post(DISCONNECT, {"contact": contact.pk})


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_of_the_last_two_ways_in_one_stays(_round):
    user = new_user("user")
    user.set_unusable_password()
    user.save()
    contacts = with_contacts(user, *ACCOUNTS)
    browsers = [browser_of(user), browser_of(user)]

    pages = at_once(call, list(map(partial, [post_disconnect] * 2, browsers, contacts)))

    assert statuses(pages) == [302, 409]
    assert Contact.objects.count() == 1


def disconnect_one(contact_ids, number, provider=PROVIDER):
    """Return whether a process could disconnect the contact with this number."""
    settings.PIGGY_VERIFY_PROVIDER = provider
    contact = Contact.objects.get(pk=contact_ids[number])
    try:
        connecting.disconnect(
            str(contact.pk),
            user=contact.user,
            request=HttpRequest(),
            is_only_way_in=connecting.is_only_way_in,
        )
    except OnlyWayIn:
        return False
    return True


@pytest.mark.parametrize("options", ISOLATION_LEVELS[connection.vendor])
def test_one_way_in_stays_at_every_isolation_level(workers, options):
    users = [new_user(f"user-{n}") for n in range(60)]
    User.objects.update(password="!")
    contacts = [each for user in users for each in with_contacts(user, *ACCOUNTS)]
    act = partial(disconnect_one, [each.pk for each in contacts])

    disconnected = workers.do(act, len(contacts), **options)

    assert sum(disconnected) == len(users)
    assert Contact.objects.values("user").distinct().count() == len(users)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_no_token_is_left_of_a_contact_that_is_disconnected_meanwhile(_round):
    user = new_user("user")
    [contact] = with_contacts(user, "north")
    browser = browser_of(user)

    def fetch():
        try:
            return get_auth_token(user, refresh=True)
        except ContactUnknown:
            return None

    def disconnect():
        time.sleep(0.01 * _round)
        return post_disconnect(browser, contact)

    page, *_ = at_once(call, [disconnect, *[fetch] * 6])

    assert page.status_code == 302
    assert not Contact.objects.exists()
    assert not AuthToken.objects.exists()


class Overtaken(PiggyBackend):
    """A backend with a login during which the contact is disconnected."""

    meanwhile: ClassVar[list[Callable[[], object]]] = []

    def find_user(self, request, identity):
        found = super().find_user(request, identity)
        while self.meanwhile:
            at_once(call, [self.meanwhile.pop()])
        return found


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="a login locks the whole database"
)
def test_a_login_does_not_bring_back_a_contact_that_is_disconnected(settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Overtaken", MODEL_BACKEND]
    user, visitor = new_user("user"), Client()
    [contact] = with_contacts(user, "north")
    Contact.objects.update(uid=ADDRESS)
    browser = browser_of(user)
    Overtaken.meanwhile.append(partial(post_disconnect, browser, contact))
    ask_for_code(visitor)

    type_login_code(visitor, "a code")

    assert not user.piggy_contacts.exists()
    assert visitor.session["_auth_user_id"] != str(user.pk)
