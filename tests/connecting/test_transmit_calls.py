"""The calls to Transmit go to the configured server, with the right token."""

import pytest
from django.db import connection

from django_piggy_verify.models import Contact
from django_piggy_verify.providers.base import UserAccess
from django_piggy_verify.providers.transmit import TransmitProvider
from django_piggy_verify.sandbox import Fault, Sandbox, Switches
from django_piggy_verify.sandbox.server import SandboxServer
from django_piggy_verify.sandbox.users import SandboxUser
from django_piggy_verify.secret import Secret
from tests.connecting.links import connect, follow, go_on
from tests.connecting.steps import CODE, CONNECT, LINK, ask, type_code
from tests.open_transactions import watch
from tests.steps import NUMBER, calls

KEY = "sandbox-key"
USERS = "transmit/v1/users"
CALLS = ["send_code", "check_code", "send_link", "check_link"]


@pytest.fixture
def tokens(settings, transmit):
    """The access tokens that the project has given."""
    given, sign_in = set(), settings.PIGGY_VERIFY_USER_ACCESS

    def access(request):
        found = sign_in(request)
        given.add(found.token)
        return found

    settings.PIGGY_VERIFY_USER_ACCESS = access
    return given


def connect_number(browser, sandbox):
    browser.post(CONNECT, {"phone": NUMBER})
    return type_code(browser, sandbox.last_code(NUMBER))


def bearer_of(call):
    scheme, _, token = call.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    return token


def test_sends_and_codes_go_with_the_token_of_the_user(
    client, shopper, transmit, tokens
):
    connect_number(client, transmit)
    ask(client)

    assert calls(transmit) == ["send", "verify", "send"]
    assert {bearer_of(each) for each in transmit.calls} == tokens


def test_the_profile_is_asked_for_with_our_own_key(client, shopper, transmit, tokens):
    connect(client, transmit)

    [asked] = [each for each in transmit.calls if each.name == "user"]
    assert bearer_of(asked) == KEY
    assert KEY not in tokens


def test_a_token_stands_in_one_header_only(client, shopper, transmit, tokens):
    connect_number(client, transmit)
    connect(client, transmit)

    for call in transmit.calls:
        others = {**call.headers, "authorization": ""}
        told = f"{call.path} {others} {dict(call.body)}"
        assert not any(token in told for token in (*tokens, KEY))


@pytest.fixture
def elsewhere():
    """Another server, which the vendor names in a redirect."""
    with SandboxServer(Sandbox()) as server:
        yield server


@pytest.mark.parametrize("call", ["send", "verify", "user"])
def test_no_redirect_is_followed(client, shopper, transmit, elsewhere, call):
    redirects = Switches(
        fault=Fault.REDIRECT,
        fault_on=frozenset({call}),
        redirect_to=f"{elsewhere.url_of('transmit')}/v1/users/user",
    )

    if call == "send":
        transmit.switches = redirects
        ask(client)
    elif call == "verify":
        client.post(CONNECT, {"phone": NUMBER})
        transmit.switches = redirects
        type_code(client, transmit.last_code(NUMBER))
    else:
        ask(client)
        follow(transmit)
        transmit.switches = redirects
        go_on(client)

    assert call in calls(transmit)
    assert elsewhere.sandbox.calls == ()
    assert not Contact.objects.exists()


@pytest.fixture
def open_transactions(monkeypatch):
    """Whether a transaction was open, for each call to the vendor."""
    return watch(monkeypatch, TransmitProvider, CALLS)


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_during_a_call(
    shopper, client, transmit, open_transactions, monkeypatch
):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    connect_number(client, transmit)
    connect(client, transmit)

    assert open_transactions == dict.fromkeys(CALLS, False)


UIDS = [
    "a/b",
    "../admin",
    "a?b=c",
    "a#b",
    "%2e%2e",
    "a%2Fb",
    "a b",
    "\\..\\",
    "\u00e4\u4e2d",
]


@pytest.fixture
def signed_in(settings, transmit):
    """Let the shopper have this id at the vendor."""

    def sign_in(uid):
        def access(_request):
            return UserAccess(uid=uid, token=Secret(transmit.sign_in(uid)))

        settings.PIGGY_VERIFY_USER_ACCESS = access

    return sign_in


@pytest.mark.parametrize("uid", UIDS, ids=ascii)
def test_an_id_changes_no_path(client, shopper, transmit, signed_in, uid):
    signed_in(uid)

    response = connect(client, transmit)

    [asked] = [each for each in transmit.calls if each.name == "user"]
    assert response.url == CONNECT
    assert asked.body["uid"] == uid
    assert asked.path.rpartition("/")[0] == USERS
    assert Contact.objects.get().uid == uid


@pytest.mark.parametrize("uid", [".", ".."])
def test_an_id_of_dots_is_asked_about_nowhere(
    client, shopper, transmit, signed_in, uid
):
    transmit.users.put(SandboxUser(uid))
    signed_in(uid)

    response = connect(client, transmit)

    assert response.context["is_not_followed"]
    assert "user" not in calls(transmit)
    assert not Contact.objects.exists()


@pytest.mark.parametrize("query", ["result=true", "result=true&token=a", "uid=other"])
def test_nothing_in_the_query_of_the_way_back_is_believed(
    client, shopper, transmit, query
):
    ask(client)

    response = client.post(f"{LINK}?{query}", {"result": "true", "uid": "other"})

    assert response.context["is_not_followed"]
    assert not Contact.objects.exists()


def test_no_page_cookie_or_session_has_the_token(client, shopper, transmit, tokens):
    client.post(CONNECT, {"phone": NUMBER})

    text = client.get(CODE).text + str(client.cookies) + str(dict(client.session))

    assert not any(token in text for token in tokens)
