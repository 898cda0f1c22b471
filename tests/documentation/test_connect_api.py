"""
Check the connect pages of the running example against `docs/openapi.yaml`.

`test_api` sends generated requests to these pages. Here, every response of the document
occurs. Without schemathesis, the tests are skipped.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, Self

import pytest
import requests

if "PIGGY_VERIFY_REQUIRE_SERVICES" not in os.environ:
    pytest.importorskip("schemathesis")

from tests.consenting import RIGHT
from tests.documentation import openapi
from tests.documentation.openapi import Answer
from tests.documentation.test_api import (
    AT_ONCE,
    CALM,
    CLOSED,
    OPEN,
    TEXTING,
    Visitor,
    numbers,
    shop,
)
from tests.example.demo import Demo, manage
from tests.steps import NUMBER, STRANGER, UNLIMITED
from tests.waiting import PATIENCE, wait_until

BODIES: dict[str, dict[str, Any]] = {
    "askToConnect": {"email": STRANGER},
    "connect": {"code": "123456"},
    "disconnect": {"contact": 0},
}
POSTS = [
    operation["operationId"]
    for _, method, operation in openapi.operations(openapi.load())
    if "connecting" in operation["tags"] and method == "post"
]
FOR_USERS = ["listContacts", "readConnecting", *POSTS]
LINKING = {"PIGGY_VERIFY_VENDOR": "transmit", "TRANSMIT_EMAIL_BY": "link"}
LINKS = {"PIGGY_VERIFY_RATE_LIMITS": UNLIMITED | {"check_login": 2}}
STAFF = "boss"


class User(Visitor):
    """A script that connects contacts. At first, nobody is logged in."""

    ASK, READ, CHECK = "askToConnect", "readConnecting", "connect"
    RESEND = "resendConnecting"

    def __init__(self, demo: Demo, recipient: str) -> None:
        self.demo = demo
        self.recipient = recipient
        self.url = f"{demo.url()}login"
        self.headers = {"Accept": "application/json"}
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.get(f"{demo.url()}password/", timeout=PATIENCE)
        self.with_token_of_cookie()

    def by_password(self, name: str = "carla") -> Self:
        """Log in as the user with this name, which is also the password."""
        answer = self.session.post(
            f"{self.demo.url()}password/",
            {"username": name, "password": name},
            headers={"X-CSRFToken": self.session.cookies["csrftoken"]},
            timeout=PATIENCE,
        )
        assert "sessionid" in self.session.cookies, answer.text
        return self.with_token_of_cookie()

    def by_code(self) -> Self:
        """Log in as a member, who has a contact and no password."""
        self.session = Visitor(self.demo, self.recipient).logged_in().session
        return self.with_token_of_cookie()

    def asked(self) -> Self:
        """Ask for a code, and wait for it. There may be older codes."""
        before = self.codes()
        self.ask()
        wait_until(lambda: self.codes() > before)
        return self

    def codes(self) -> int:
        """Return how many codes were sent to the recipient."""
        return self.demo.console.read_text().count(f"code for {self.recipient}:")

    def call(self, name: str) -> Any:
        return self.send(name, **BODIES.get(name, {}))

    def contact(self) -> int:
        [contact] = self.send("listContacts").json()["contacts"]
        return int(contact["contact"])

    def disconnect(self) -> Any:
        return self.send("disconnect", contact=self.contact())

    def of_stranger(self) -> Self:
        """Go on with the address of a contact that nobody has connected."""
        self.recipient = f"other.{self.recipient}"
        self.tell_sandbox("add", email=self.recipient)
        return self

    def of_other_member(self) -> Self:
        """Go on with the address of a member who has logged in."""
        self.of_stranger()
        Visitor(self.demo, self.recipient).logged_in()
        return self

    def followed(self) -> Self:
        """Ask for a link, and follow it."""
        link = self.asked_for_link().demo.last_link(self.recipient)
        requests.get(link, allow_redirects=False, timeout=PATIENCE)
        return self

    def asked_by_phone(self) -> Self:
        """Ask for a code in place of a link."""
        self.send("askToConnect", phone=NUMBER)
        return self

    def asked_for_link(self) -> Self:
        self.ask()
        return self

    def go_on(self) -> Any:
        return self.send("connectByLink", recipient=self.recipient)

    def went_on(self) -> Self:
        self.go_on()
        return self

    def whose_contact_is_of(self, name: str) -> Self:
        """Connect a contact, and then give it to another user."""
        self.followed().go_on()
        user = f"(SELECT id FROM auth_user WHERE username = '{name}')"
        return self.execute(f"UPDATE piggy_verify_contact SET user_id = {user}")

    def whose_contact_has(self, uid: str) -> Self:
        """Connect a contact, and then give it another id."""
        self.followed().go_on()
        return self.execute(f"UPDATE piggy_verify_contact SET uid = '{uid}'")

    def execute(self, statement: str) -> Self:
        database = sqlite3.connect(self.demo.console.parent / "db.sqlite3")
        with closing(database), database:
            database.execute(statement)
        return self


def add_staff(demo: Demo) -> None:
    manage(
        demo.console.parent,
        *("createsuperuser", "--noinput", "--username", STAFF),
        *("--email", "boss@example.com"),
        DJANGO_SUPERUSER_PASSWORD=STAFF,
    )


def scene(name: str, *steps: str) -> Any:
    """Return a scene: take the steps one after the other, and call the operation."""

    def play(me: User) -> Any:
        for step in steps:
            me = getattr(me, step)()
        return me.call(name)

    return play


# The pages for links exist in one shop only.
_LINK = "connectByLink"
_CODES = [name for name in FOR_USERS if name != _LINK]
IN_THE_OPEN_SHOP: dict[Answer, Any] = {
    **{Answer(name, 403, "login_required"): scene(name) for name in _CODES},
    **{
        Answer(name, 403, "login_refused"): (
            lambda me, name=name: me.by_password(STAFF).call(name)
        )
        for name in _CODES
    },
    **{
        Answer(name, 403, "csrf_failed"): scene(name, "by_password", "without_token")
        for name in POSTS
        if name != _LINK
    },
    Answer("listContacts", 200): lambda me: me.by_code().send("listContacts"),
    Answer("askToConnect", 202): lambda me: me.by_password().ask(),
    Answer("askToConnect", 400, "invalid"): (
        lambda me: me.by_password().send("askToConnect", email="ann")
    ),
    Answer("askToConnect", 503, "provider_unavailable"): (
        lambda me: me.by_password().asked_in_vain().ask()
    ),
    Answer("readConnecting", 200): (
        lambda me: me.by_password().asked().send("readConnecting")
    ),
    Answer("readConnecting", 409, "login_expired"): (
        scene("readConnecting", "by_password")
    ),
    Answer("readConnecting", 503, "provider_unavailable"): (
        lambda me: me.by_password().asked_in_vain().read_failure()
    ),
    Answer("connect", 200): lambda me: me.by_code().asked().type_code(),
    Answer("connect", 202): lambda me: me.by_code().asked().type_code_twice_at_once(),
    Answer("connect", 400, "invalid"): (
        lambda me: me.by_password().asked().type_code("  ")
    ),
    Answer("connect", 400, "code_rejected"): (
        lambda me: me.by_password().asked().type_code("wrong")
    ),
    Answer("connect", 409, "login_expired"): scene("connect", "by_password"),
    Answer("connect", 409, "contact_taken"): (
        lambda me: me.by_code().of_other_member().asked().type_code()
    ),
    Answer("connect", 409, "already_connected"): (
        lambda me: me.by_code().of_stranger().asked().type_code()
    ),
    Answer("connect", 503, "provider_unavailable"): (
        lambda me: me.by_password().asked().in_an_outage().type_code()
    ),
    Answer("resendConnecting", 202): lambda me: me.by_password().asked().resend(),
    Answer("resendConnecting", 409, "login_expired"): (
        scene("resendConnecting", "by_password")
    ),
    Answer("resendConnecting", 503, "provider_unavailable"): (
        lambda me: me.by_password().asked_in_vain().resend()
    ),
    Answer("cancelConnecting", 204): scene("cancelConnecting", "by_password"),
    Answer("disconnect", 204): (
        lambda me: me.by_password().asked().typed().disconnect()
    ),
    Answer("disconnect", 409, "only_way_in"): lambda me: me.by_code().disconnect(),
}
IN_THE_CLOSED_SHOP: dict[Answer, Any] = {
    Answer("askToConnect", 400, "unknown_contact"): (
        scene("askToConnect", "by_password")
    ),
    Answer("askToConnect", 429, "too_many_attempts"): (
        lambda me: me.by_password().asked().asked().ask()
    ),
    Answer("connect", 429, "too_many_attempts"): (
        lambda me: me.by_password().asked().typed("wrong").type_code("wrong")
    ),
    Answer("resendConnecting", 429, "too_many_attempts"): (
        lambda me: me.by_password().asked().asked().resend()
    ),
}
IN_THE_TEXTING_SHOP: dict[Answer, Any] = {
    Answer("askToConnect", 400, "consent_required"): lambda me: me.by_password().ask(),
    Answer("readConnecting", 400, "invalid"): (
        lambda me: me.by_password().agree("refused").read_refusal()
    ),
    Answer("readConnecting", 400, "consent_required"): (
        lambda me: me.by_password().agree("unasked").read_refusal()
    ),
    Answer("connect", 400, "consent_required"): (
        lambda me: me.by_password().agree("late").type_code(RIGHT)
    ),
}
IN_THE_PROMPT_SHOP: dict[Answer, Any] = {
    Answer("resendConnecting", 400, "invalid"): (
        lambda me: me.by_password().agree("once").resend()
    ),
    Answer("resendConnecting", 400, "consent_required"): (
        lambda me: me.by_password().agree("twice").resend()
    ),
}
IN_THE_PLAIN_SHOP: dict[Answer, Any] = {
    Answer(name, 404, "not_found"): scene(name) for name in ["readLinkPage", *FOR_USERS]
}
IN_THE_LINKING_SHOP: dict[Answer, Any] = {
    Answer("readLinkPage", 200): scene("readLinkPage"),
    Answer(_LINK, 200): lambda me: me.by_password().followed().go_on(),
    Answer(_LINK, 202): lambda me: me.by_password().asked_by_phone().call(_LINK),
    Answer(_LINK, 403, "login_required"): scene(_LINK),
    Answer(_LINK, 403, "login_refused"): lambda me: me.by_password(STAFF).call(_LINK),
    Answer(_LINK, 403, "csrf_failed"): scene(_LINK, "by_password", "without_token"),
    Answer(_LINK, 409, "login_expired"): scene(_LINK, "by_password"),
    Answer(_LINK, 409, "link_not_followed"): (
        lambda me: me.by_password().asked_for_link().go_on()
    ),
    Answer(_LINK, 409, "contact_taken"): (
        lambda me: me.by_password().whose_contact_is_of(STAFF).followed().go_on()
    ),
    Answer(_LINK, 409, "already_connected"): (
        lambda me: me.by_password().whose_contact_has("other").followed().go_on()
    ),
    Answer(_LINK, 429, "too_many_attempts"): (
        lambda me: me.by_password().asked_for_link().went_on().go_on()
    ),
    Answer(_LINK, 503, "provider_unavailable"): (
        lambda me: me.by_password().followed().in_an_outage("user").go_on()
    ),
}
SHOPS: dict[str, tuple[dict[Answer, Any], dict[str, Any]]] = {
    "open": (IN_THE_OPEN_SHOP, OPEN),
    "closed": (IN_THE_CLOSED_SHOP, CLOSED),
    "texting": (IN_THE_TEXTING_SHOP, TEXTING),
    "prompt": (IN_THE_PROMPT_SHOP, AT_ONCE),
    "plain": (IN_THE_PLAIN_SHOP, {"PIGGY_VERIFY_CONNECT": False}),
    "linking": (IN_THE_LINKING_SHOP, LINKS),
}
"""The scenes and the settings of each shop."""


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Demo]]:
    """Return a function that returns a running shop. It starts at the first call."""
    running: dict[str, Demo] = {}
    with ExitStack() as stack:

        def started(name: str) -> Demo:
            if name not in running:
                vendor = LINKING if name == "linking" else {}
                folder = tmp_path_factory.mktemp(name)
                demo = stack.enter_context(shop(folder, SHOPS[name][1], **vendor))
                demo.url()
                add_staff(demo)
                running[name] = demo
            return running[name]

        yield started


@pytest.fixture
def user(answer: Answer, shops: Callable[[str], Demo]) -> Iterator[User]:
    """A new user, in the shop that gives this response."""
    [name] = [name for name, (scenes, _) in SHOPS.items() if answer in scenes]
    demo = shops(name)
    user = User(demo, recipient=f"user{next(numbers)}@example.com")
    user.tell_sandbox("add", email=user.recipient)
    if name == "linking":
        user.execute("DELETE FROM piggy_verify_contact")
    yield user
    user.tell_sandbox("switches", **CALM)
    demo.close_circuit()


@pytest.mark.parametrize(
    "answer", [*openapi.answers(openapi.load(), "connecting")], ids=str
)
def test_every_documented_response_of_a_connect_page_occurs(
    answer: Answer, user: User
) -> None:
    [play] = [scenes[answer] for scenes, _ in SHOPS.values() if answer in scenes]

    response = play(user)

    error = response.json()["error"]["code"] if response.status_code >= 400 else ""
    assert (response.status_code, error) == (answer.status, answer.code)


def test_a_405_of_the_link_page_lists_the_allowed_methods(
    shops: Callable[[str], Demo],
) -> None:
    user = User(shops("linking"), recipient=f"user{next(numbers)}@example.com")
    answer = user.session.put(
        f"{user.url}/connect/link/", headers=user.headers, timeout=PATIENCE
    )

    assert answer.status_code == 405
    assert answer.headers["Allow"]
